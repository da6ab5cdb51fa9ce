"""The colours of reports, light and dark; every text has a contrast of at least 4.5 to its ground in both."""

from __future__ import annotations

INK, MUTED, RULE, PAPER = "#1b2330", "#5a6472", "#dfe3e8", "#ffffff"
ACCENT, SECOND, THIRD, WARM = "#1f5fa8", "#2a8c82", "#8a6d1a", "#b4472e"
PALE = "#9db8d6"
# What charts of Regulars are drawn in (see regulars.domain.charts), and what a report draws instead.
OF_CHARTS = {"#4c78a8": ACCENT, "#54a24b": SECOND, "#72b7b2": PALE, "#e45756": WARM}
DARK = {
    INK: "#e8ebf0",
    MUTED: "#a3adba",
    RULE: "#343c47",
    PAPER: "#14181e",
    ACCENT: "#79b0ee",
    SECOND: "#5cc4b8",
    THIRD: "#d4b45c",
    WARM: "#ec8a72",
    PALE: "#4d6f97",
}
SHADES = 10


def shade(level: int) -> tuple[str, str]:
    """The ground and the text of a shaded cell, from 0 (paper) to :data:`SHADES` (the accent).

    >>> shade(0), shade(10)
    (('#ffffff', '#1b2330'), ('#1f5fa8', '#ffffff'))
    """
    part = level / SHADES
    pairs = zip(_parts(PAPER), _parts(ACCENT), strict=True)
    ground = "#" + "".join(f"{round(low + (high - low) * part):02x}" for low, high in pairs)
    return ground, PAPER if part >= 0.7 else INK  # noqa: PLR2004 -- from here on white reads better than ink


def _parts(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
