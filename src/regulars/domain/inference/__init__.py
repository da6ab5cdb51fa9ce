"""Experiments and scores: numbers in, numbers out. No workspace, no warehouse, no clock, no chance."""
