"""The colors of reports, light and dark; every text has a contrast of at least 4.5 to its ground in both."""

from __future__ import annotations

INK, MUTED, RULE, PAPER = "#1b2330", "#5a6472", "#dfe3e8", "#ffffff"
ACCENT, SECOND, THIRD, WARM = "#1f5fa8", "#1f7d74", "#8a6d1a", "#b4472e"
DEEP = "#123f78"  # the darkest of the shades, on which and above which text can be read
PALE = "#6d97c4"
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
    """The ground and the text of a shaded cell, from 0 (paper) to :data:`SHADES` (the darkest).

    >>> shade(0), shade(10)
    (('#ffffff', '#1b2330'), ('#123f78', '#ffffff'))
    """
    part = level / SHADES
    pairs = zip(_parts(PAPER), _parts(DEEP), strict=True)
    ground = "#" + "".join(f"{round(low + (high - low) * part):02x}" for low, high in pairs)
    return ground, max(PAPER, INK, key=lambda text: contrast(text, ground))


def level_of(part: float, *, is_over: bool = True) -> int:
    """The level of a shade from 0 to 1; what is not over is paler than its number."""
    return round(max(0.0, min(part, 1.0)) * SHADES * (1.0 if is_over else 0.4))


def contrast(one: str, other: str) -> float:
    """The contrast of two colors, from 1 to 21, by the definition of WCAG 2.

    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (p / 255 for p in _parts(color))]  # noqa: PLR2004
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _parts(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]
