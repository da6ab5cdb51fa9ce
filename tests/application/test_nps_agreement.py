"""The net promoter score: the engine against the oracle, and the view of the answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import assume, given, note
from hypothesis import strategies as st

from regulars.errors import QueryError
from tests.application.test_agreement import REFUSED_BY_DESIGN, comparable, workspace_of
from tests.oracle import RefusedError
from tests.oracle.nps import nps_rows, nps_totals, score_of, unusable
from tests.oracle.questions import queries
from tests.strategies import FEWER, perhaps, worlds

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from regulars.domain.query import Query
    from tests.oracle.world import Event, World

SCORES: tuple[Any, ...] = (*range(11), *range(6, 11), -1, 11, 7.5, 8.0, True, "9", "9.0", " 9", "", "ten", None)
GROUPS = ("responses", "promoters", "passives", "detractors")


@st.composite
def surveyed_worlds(draw: DrawFn) -> World:
    """Worlds in which many events are answers, some of them no answer to anything."""
    world = draw(worlds())
    return replace(world, events=[draw(answered(event)) if draw(st.booleans()) else event for event in world.events])


@st.composite
def answered(draw: DrawFn, event: Event) -> Event:
    """An event as an answer."""
    given = {"score": draw(st.sampled_from(SCORES)), "survey": draw(perhaps(("spring", "it's", 7)))}
    kept = {name: value for name, value in event.properties.items() if name != "score"}
    return replace(
        event,
        type="nps_response",
        properties=kept | {name: value for name, value in given.items() if value is not None},
    )


@st.composite
def nps_queries(draw: DrawFn, world: World) -> Query:
    """A question about scores by any period, slice and filter."""
    drawn = draw(queries(world, ("active_users",)).filter(lambda each: each.grain != "hour"))
    options = {"survey": draw(perhaps(("spring", "it's", "7"))), "repeats": draw(perhaps(("all",)))}
    return msgspec.structs.replace(
        drawn, metric="nps", window=None, activity="core",
        options={name: value for name, value in options.items() if value is not None},
    )  # fmt: skip


@given(world=surveyed_worlds(), data=st.data())
def test_scores_are_those_of_the_oracle(world: World, data: st.DataObject) -> None:
    """With their totals, what they leave out, and the people behind them."""
    query = data.draw(nps_queries(world))
    note(msgspec.json.encode(query).decode())
    try:
        expected, totals, left_out = nps_rows(world, query), nps_totals(world, query), unusable(world, query)
    except RefusedError:
        assume(False)
    with workspace_of(world) as ws:
        try:
            result = ws.query(query)
        except QueryError as exc:
            assume(exc.code not in REFUSED_BY_DESIGN)
            raise
        assert comparable(result.rows) == comparable([without_people(row) for row in expected])
        if expected:
            assert comparable(result.averages) == comparable(totals)
        told = {text.rpartition(": ")[2] for text in result.warnings if text.startswith("answers ")}
        assert told == {str(count) for count in left_out.values()}
        if "repeats" not in query.options:
            for row, oracle in zip(result.rows, expected, strict=True):
                for column in GROUPS:
                    assert result.users(row, column) == sorted(oracle["people"][column])
                    assert row[column] == len(oracle["people"][column])


@given(world=surveyed_worlds())
@FEWER
def test_the_view_holds_the_answers_that_count(world: World) -> None:
    """Each with its score, whatever its day."""
    usable = [event for event in world.distinct_events() if event.type == "nps_response"]
    expected = {event.event_id: score_of(event) for event in usable if isinstance(score_of(event), int)}
    with workspace_of(world) as ws:
        found = ws.sql("SELECT response_id, score FROM fact_nps_responses").rows
    assert Counter(found) == Counter(expected.items())


def without_people(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the oracle as the engine gives it."""
    return {name: value for name, value in row.items() if name != "people"}
