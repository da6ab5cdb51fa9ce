"""Stickiness of a cohort: the engine against the oracle, from stored arrivals and from raw events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, note
from hypothesis import strategies as st

from regulars.domain.query import Query, Range
from tests.application.test_agreement import comparable, rows_from, workspace_of
from tests.oracle.cohort import COHORTS, cohort_cells, cohort_rows
from tests.oracle.questions import USER_LEVEL, days, filters
from tests.strategies import worlds

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from regulars.domain.relations.scope import Source
    from tests.oracle.world import World

SLICES = ((), (), ("country",), ("plan",), ("tenure_band",), ("user.device_type", "age_band"), ("user.user_id",))
SOURCES: tuple[tuple[Source, ...], ...] = (("arrivals",), ("events",))


@st.composite
def cohort_queries(draw: DrawFn, world: World) -> Query:
    """A question about a cohort near some event; its people may be filtered by attributes."""
    start, length = draw(days(world)), draw(st.sampled_from((0, 3, 40, 400)))
    about_people = filters(world).filter(
        lambda found: all(leaf.property in (*USER_LEVEL, "tenure_band") for leaf in found.leaves())
    )
    options = draw(st.sampled_from(({}, *({"cohort": by} for by in COHORTS))))
    ends = {"start": start, "end": start.fromordinal(start.toordinal() + length)}
    return Query(
        metric="stickiness_by_cohort",
        window=draw(st.sampled_from((None, 1, 2, 7, 366))),
        range=draw(st.sampled_from((Range(**ends), Range(**ends), Range(**ends), Range(end=start), Range()))),
        activity=draw(st.sampled_from(("core", "core", "any", *world.settings.activities))),
        population=draw(st.sampled_from(("production",) * 3 + ("all", "test"))),
        breakdown=draw(st.sampled_from(SLICES)),
        filters=draw(st.just(()) | st.just(()) | about_people.map(lambda found: (found,))),
        options=options,
        limit=draw(st.sampled_from((1, 2, 12))),
        as_of=draw(st.one_of(*[st.none()] * 4, days(world))),
    )


@given(world=worlds(), data=st.data())
def test_a_cohort_is_followed_as_the_oracle_follows_it(world: World, data: st.DataObject) -> None:
    """However its people are chosen, from every source; and the lists are the people counted."""
    query = data.draw(cohort_queries(world))
    note(msgspec.json.encode(query).decode())
    expected = comparable(cohort_rows(world, query))
    with workspace_of(world) as ws:
        for sources in SOURCES:
            source, rows = rows_from(ws, query, sources)
            note(source)
            assert comparable(rows) == expected
        result = ws.query(query)
        found = list(zip(result.rows, cohort_cells(world, query), strict=True))
        for row, (_, _, cell) in found[:: max(1, len(found) // 4)]:
            for column in result.people_columns:
                assert set(result.users(row, column)) == cell.people[column]
                assert len(result.users(row, column)) == row[column]
