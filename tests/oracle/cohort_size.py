"""How many people belong, bucket by bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.oracle.cohorts import belongs, tenure
from tests.oracle.metrics import Cell
from tests.oracle.scope import Scope

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.query import Query
    from tests.oracle.clock import Bucket
    from tests.oracle.scope import Slice
    from tests.oracle.world import World


def size_cells(world: World, query: Query) -> list[tuple[Bucket, Slice, Cell]]:
    """Who belongs on the last day of each bucket, by the slice in which they stand on it."""
    if Scope.is_empty(world):
        return []
    scope = Scope(world, query)
    time_axis = scope.buckets(query.grain)
    places: dict[Slice, set[str]] = {}
    found: dict[tuple[date, Slice], set[str]] = {}
    for bucket in time_axis:
        day = scope.day_in(bucket)
        for user_id in sorted({*world.people(), *world.users}):
            if scope.selected(user_id, day) and is_member(world, query.options.get("cohort"), user_id, day):
                place = scope.slice_of((None,) * len(query.breakdown), user_id, day)
                found.setdefault((bucket.first, place), set()).add(user_id)
                places.setdefault(place, set()).add(user_id)
    ordered = sorted(places, key=lambda place: (-len(places[place]), place))
    top = ordered[: query.limit] if query.breakdown else [()]
    cells = []
    for bucket in time_axis:
        late = set() if scope.is_complete(bucket.last) else {"incomplete"}
        groups = [(place, found.get((bucket.first, place), set()), late) for place in top]
        if query.breakdown and ordered[query.limit :]:
            rest = set().union(*(found.get((bucket.first, place), set()) for place in ordered[query.limit :]))
            groups.append(((None,) * len(query.breakdown), rest, late | {"other"}))
        for place, users, flags in groups:
            cell = Cell({"cohort_size": len(users)}, {"cohort_size": users}, users, set(flags))
            cells.append((bucket, place, cell))
    return cells


def is_member(world: World, cohort: str | None, user_id: str, day: date) -> bool:
    """Whether somebody belongs to a cohort; without one, whether they were here by then."""
    if cohort is None:
        return tenure(world, user_id, day) is not None
    return belongs(world, world.settings.cohorts[cohort], user_id, day)


def size_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """The rows of cohort_size."""
    return [
        {"date": bucket.label, **dict(zip(query.breakdown, place, strict=True)), **cell.values,
         "flags": sorted(cell.flags)}
        for bucket, place, cell in size_cells(world, query)
    ]  # fmt: skip
