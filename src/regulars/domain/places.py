"""Where a number stands: what names its row, so that the rows of two answers can be put side by side."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from regulars.domain.metrics import find_metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from regulars.domain.result import Result

_BOUNDS = {"low", "high"}  # they follow from the number beside them


class Place(NamedTuple):
    """What a row is called: its date, slice, period, step, ..."""

    names: tuple[tuple[str, Any], ...]
    ordinal: int  # tells rows apart that are called the same


class Pair(NamedTuple):
    """One number of two answers; None where one of them has no such row, or it is undefined there."""

    place: Place
    column: str
    first: Any
    second: Any
    flags: list[str]

    @property
    def gap(self) -> Any:
        """The second less the first; None where either is missing."""
        return None if self.first is None or self.second is None else self.second - self.first


def pairs(first: Result, second: Result) -> Iterator[Pair]:
    """Every number of two answers to questions about one metric, in the order of the first; flags are of either."""
    ours, theirs = rows_by_place(first, first.rows), rows_by_place(first, second.rows)
    numbers = [column.name for column in first.columns if column.name not in _named(first) | _BOUNDS]
    for place in [*ours, *(place for place in theirs if place not in ours)]:
        mine, other = ours.get(place, {}), theirs.get(place, {})
        flags = list(dict.fromkeys([*mine.get("flags", ()), *other.get("flags", ())]))
        for name in numbers:
            yield Pair(place, name, mine.get(name), other.get(name), flags)


def rows_by_place(result: Result, rows: Iterable[Mapping[str, Any]]) -> dict[Place, Mapping[str, Any]]:
    """Rows by what they are called; ``result`` says which of its columns call them so."""
    names = [column.name for column in result.columns if column.name in _named(result)]
    seen: Counter[tuple[tuple[str, Any], ...]] = Counter()
    found = {}
    for row in rows:
        called = tuple((name, row.get(name)) for name in names)
        found[Place(called, seen[called])] = row
        seen[called] += 1
    return found


def _named(result: Result) -> set[str]:
    own = {column.name for column in find_metric(result.query.metric).columns if column.names_row}
    return own | {column.name for column in result.columns if column.type in ("date", "text")}
