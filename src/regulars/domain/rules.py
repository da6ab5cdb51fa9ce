"""Bounds that practice has settled, in one place: pure data and functions, no SQL."""

from __future__ import annotations

TIER_WINDOW = 30
TIERS_BY_DAYS = (("casual", 1), ("regular", 6), ("core", 16), ("power", 20))
"""The engagement tiers with the active days of the window from which on a person belongs to them."""
