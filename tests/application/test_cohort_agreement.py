"""Stickiness of a cohort: the engine against the oracle, from stored arrivals and from raw events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from hypothesis import note
from hypothesis import strategies as st

from regulars.domain.query import Query, Range
from tests.application.test_agreement import comparable, rows_from, tells_its_population, tells_who_has_no_date
from tests.oracle.cohort import COHORTS, cohort_cells, cohort_rows
from tests.oracle.questions import USER_LEVEL, days, filters
from tests.oracle.scope import Scope
from tests.strategies import FIRST_DAYS

if TYPE_CHECKING:
    from datetime import date

    from hypothesis.strategies import DrawFn, SearchStrategy

    from regulars.domain.query import Filter
    from regulars.domain.relations.scope import Source
    from regulars.workspace import Workspace
    from tests.oracle.world import World

SLICES = ((), (), ("country",), ("plan",), ("tenure_band",), ("user.device_type", "age_band"), ("user.user_id",))
SOURCES: tuple[tuple[Source, ...], ...] = (("arrivals",), ("events",))


@st.composite
def cohort_queries(draw: DrawFn, world: World) -> Query:
    """A question about a cohort, mostly of a day that has one; its people may be filtered."""
    by = draw(st.sampled_from((None, "active", "active", *COHORTS)))
    query = Query(
        metric="stickiness_by_cohort",
        window=draw(st.sampled_from((None, 1, 2, 7, 366))),
        activity=draw(st.sampled_from(("core", "core", "any", "any", *world.settings.activities))),
        population=draw(st.sampled_from(("production", "production", "all", "all", "test"))),
        breakdown=draw(st.sampled_from(SLICES)),
        filters=draw(st.just(()) | st.just(()) | st.just(()) | attributes(world)),
        options={} if by is None else {"cohort": by},
        limit=draw(st.sampled_from((1, 2, 12))),
    )
    start = draw(st.one_of(*[st.sampled_from(days_that_choose(world, query))] * 4, days(world)))
    end = draw(st.sampled_from((None, None, start, start + timedelta(days=3), start + timedelta(days=40))))
    asked = draw(st.sampled_from((*[Range(start=start, end=end)] * 6, Range(end=start), Range())))
    return msgspec.structs.replace(query, range=asked, as_of=draw(st.sampled_from((None,) * 6 + (end,))))


def attributes(world: World) -> SearchStrategy[tuple[Filter, ...]]:
    """One condition, or group of them, on people."""
    return filters(world, (*USER_LEVEL, "tenure_band")).map(lambda one: (one,))


def days_that_choose(world: World, query: Query) -> list[date]:
    """The days on which somebody registered, was active, or was active for the first time."""
    if query.options.get("cohort") == "registration":
        return sorted({u.registration_date for u in world.users.values() if u.registration_date}) or [FIRST_DAYS[0]]
    if Scope.is_empty(world):
        return [FIRST_DAYS[0]]
    chains = [days for people in Scope(world, query).chains.values() for days in people.values() if days]
    active = {day for days in chains for day in days}
    return sorted(active if query.options.get("cohort") == "active" else {min(days) for days in chains}) or [
        FIRST_DAYS[0]
    ]


def followed_cohort_agrees(ws: Workspace, world: World, query: Query) -> None:
    """However its people are chosen, from every source; and the lists are the people counted."""
    expected = comparable(cohort_rows(world, query))
    for sources in SOURCES:
        # A range without an end may start after the last day.
        source, rows = rows_from(ws, query, sources, () if query.range.end else ("bad_range",))
        note(source)
        assert comparable(rows) == expected
    result = ws.query(query)
    tells_its_population(world, query, result)
    tells_who_has_no_date(world, query, result, query.options.get("cohort", "first_activity"))
    found = list(zip(result.rows, cohort_cells(world, query), strict=True))
    for row, (_, _, cell) in found[:: max(1, len(found) // 4)]:
        for column in result.people_columns:
            assert set(result.users(row, column)) == cell.people[column]
            assert len(result.users(row, column)) == row[column]
