"""Slices of metrics about whole people: chosen by how many people each has, judged on one day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.oracle.answer import Group, every_slice, none_of, only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from tests.oracle.metrics import Cell, Inside
    from tests.oracle.scope import Scope, Slice

Placed = list[tuple["Slice", "Cell"]]


def groups_with(scope: Scope, day: date, members: Callable[[Inside], Iterable[str]]) -> list[Group]:
    """The top slices by their members, then by name, and the rest as one group."""
    if not scope.breakdown:
        return [Group((), lambda _: True)]
    sizes = {place: len(set(members(only(place)))) for place in every_slice(scope, [day])}
    ordered = sorted((place for place in sizes if sizes[place]), key=lambda place: (-sizes[place], place))
    groups = [Group(place, only(place)) for place in ordered[: scope.query.limit]]
    if len(ordered) > len(groups):
        top = ordered[: scope.query.limit]
        groups.append(Group((None,) * len(scope.breakdown), none_of(top), is_other=True))
    return groups


def rows_of(breakdown: tuple[str, ...], placed: Placed) -> list[dict[str, Any]]:
    """Rows without a date: breakdowns, values, flags."""
    return [
        {**dict(zip(breakdown, place, strict=True)), **cell.values, "flags": sorted(cell.flags)}
        for place, cell in placed
    ]
