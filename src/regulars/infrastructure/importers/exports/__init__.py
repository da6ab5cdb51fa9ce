"""Exports of other tools: one record per tool says how its rows are recognised and what they mean here."""
