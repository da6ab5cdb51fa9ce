"""A trend as a line without axes, small enough to stand beside a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.interfaces.reports.palette import ACCENT

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT, _EDGE = 120, 28, 3


def sparkline(values: Sequence[float | None]) -> str:
    """SVG of a line from the lowest to the highest value, with a dot on the last; gaps where there is none.

    >>> sparkline([1, 2]).startswith('<svg xmlns="http://www.w3.org/2000/svg" width="120"')
    True
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    places = [None if value is None else _place(i, value, low, span, len(values)) for i, value in enumerate(values)]
    path, is_open = [], False
    for place in places:
        if place is not None:
            path.append(f"{'L' if is_open else 'M'}{place[0]:.1f} {place[1]:.1f}")
        is_open = place is not None
    end = next(place for place in reversed(places) if place is not None)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-hidden="true">'
        f'<path d="{"".join(path)}" fill="none" stroke="{ACCENT}" stroke-width="1.5" stroke-linejoin="round"/>'
        f'<circle cx="{end[0]:.1f}" cy="{end[1]:.1f}" r="2.5" fill="{ACCENT}"/></svg>'
    )


def _place(index: int, value: float, low: float, span: float, count: int) -> tuple[float, float]:
    across = _EDGE + (_WIDTH - 2 * _EDGE) * (index / (count - 1) if count > 1 else 1)
    up = (value - low) / span if span else 0.5
    return across, _HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * up
