"""Cohorts and segments as filter and breakdown: the engine against the oracle, from every source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import assume, event, given, note, settings
from hypothesis import strategies as st

from regulars.domain.query import Filter, Query
from regulars.errors import QueryError
from regulars.settings import ActionSettings, Activity
from tests.application.test_agreement import REFUSED_BY_DESIGN, comparable, rows_of_each, workspace_of
from tests.application.test_habits_agreement import transition_queries, transitions_agree
from tests.cohort_strategies import COHORTS, cohort_queries, cohort_worlds, memberships
from tests.oracle import RefusedError, answer, people
from tests.oracle.clock import days_between
from tests.oracle.cohort import cohort_rows
from tests.oracle.cohort_size import is_member, size_cells, size_rows
from tests.oracle.cohorts import value_on
from tests.oracle.daily import active_days_rows
from tests.oracle.questions import days, queries, ranges
from tests.oracle.scope import Scope
from tests.oracle.session_metric import session_rows
from tests.oracle.tiers import tiers_rows
from tests.strategies import MANY

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn

    from regulars.workspace import Workspace
    from tests.oracle.world import World

HALF = settings(max_examples=MANY // 2)  # the oracle goes through every day


@given(world=cohort_worlds(), data=st.data())
def test_a_question_about_cohorts_is_answered_as_the_oracle_answers_it(world: World, data: st.DataObject) -> None:
    """Whoever belongs on a bucket's day counts, whatever the metric and the source; lists are the people counted."""
    query = data.draw(cohort_queries(world))
    note(msgspec.json.encode(query).decode())
    try:
        expected, behind = comparable(answer(world, query)), people(world, query)
    except RefusedError:
        assume(False)
    with workspace_of(world) as ws:
        for source, rows in rows_of_each(ws, query):
            event(f"{query.metric} from {source}")
            assert comparable(rows) == expected
        result = ws.query(query)
        for row in result.rows[:: max(1, len(result.rows) // 4)]:
            place = tuple(row[name] for name in query.breakdown)
            for column in result.people_columns:
                if row[column] is not None:
                    listed = result.users(row, column)
                    assert len(listed) == row[column]
                    assert set(listed) == behind[row["date"], place].get(column, set(listed))


@given(world=cohort_worlds(), data=st.data())
def test_a_cohort_is_as_large_as_the_oracle_says(world: World, data: st.DataObject) -> None:
    """On every bucket's last day, in every slice, whatever parts the events came in; the lists are its people."""
    query = data.draw(size_queries(world))
    note(msgspec.json.encode(query).decode())
    expected = size_cells(world, query)
    with workspace_of(world, data.draw(cuts())) as ws:
        result = ws.query(query)
        assert comparable(result.rows) == comparable(size_rows(world, query))
        for row, (_, _, cell) in list(zip(result.rows, expected, strict=True))[:: max(1, len(expected) // 4)]:
            listed = result.users(row)
            assert len(listed) == row["cohort_size"]
            assert set(listed) == cell.people["cohort_size"]


def cuts() -> st.SearchStrategy[tuple[int, ...]]:
    """Where the events are cut into loads."""
    return st.lists(st.integers(1, 59), max_size=2).map(tuple)


@st.composite
def size_queries(draw: DrawFn, world: World) -> Query:
    """A question about the size of a cohort, or of everybody known, perhaps by segments or attributes."""
    cohort = draw(st.sampled_from((None, *COHORTS)))
    by = draw(st.sampled_from(((), (), ("segment",), ("country",), ("cohort.twos", "user.plan"), ("tenure_band",))))
    grain = draw(st.sampled_from(("day", "day", "week", "month")))
    return Query(
        metric="cohort_size",
        range=draw(ranges(world, grain)),
        breakdown=by,
        filters=draw(st.just(()) | st.just(()) | memberships().map(lambda one: (one,))),
        population=draw(st.sampled_from(("production", "all", "test"))),
        limit=draw(st.sampled_from((1, 2, 12))),
        options={} if cohort is None else {"cohort": cohort},
        as_of=draw(st.one_of(st.none(), st.none(), days(world))),
    )


COMPOSED: dict[str, Callable[[World, Query], list[dict[str, Any]]]] = {
    "tiers": tiers_rows,
    "active_days": active_days_rows,
    "sessions": session_rows,
    "stickiness_by_cohort": cohort_rows,
}


@given(world=cohort_worlds(), data=st.data())
@HALF
def test_metrics_of_their_own_make_know_who_belongs(world: World, data: st.DataObject) -> None:
    """Tiers, active days, sessions and followed cohorts, sliced and filtered by cohorts and segments."""
    metric = data.draw(st.sampled_from(sorted(COMPOSED)))
    by = data.draw(st.sampled_from(((), ("segment",), ("cohort.twos",), ("country", "cohort.rest"))))
    query = Query(
        metric=metric,
        range=data.draw(ranges(world, "day", dated=metric not in {"active_days", "stickiness_by_cohort"})),
        breakdown=by,
        filters=data.draw(st.just(()) | memberships().map(lambda one: (one,))),
        limit=data.draw(st.sampled_from((1, 12))),
    )
    note(msgspec.json.encode(query).decode())
    expected = comparable(COMPOSED[metric](world, query))
    with workspace_of(world) as ws:
        for _, rows in rows_of_each(ws, query):
            assert comparable(rows) == expected


@given(world=cohort_worlds(), data=st.data())
@HALF
def test_moves_between_tiers_are_those_of_who_belonged_on_the_first_day(world: World, data: st.DataObject) -> None:
    """From every source, with the people behind each row."""
    query = data.draw(transition_queries(world))
    note(msgspec.json.encode(query).decode())
    with workspace_of(world) as ws:
        transitions_agree(ws, world, query)


@given(world=cohort_worlds(), data=st.data())
@HALF
def test_changed_definitions_are_followed_at_once(world: World, data: st.DataObject) -> None:
    """What a rule counts follows the settings of today, though the stored rows were built with those of yesterday."""
    query = data.draw(size_queries(world))
    zone = data.draw(st.sampled_from((world.settings.timezone, world.settings.timezone, "Asia/Kathmandu")))
    actions = {"like": ActionSettings(core=False), "dance": ActionSettings(core=True, conversion=False)}
    activity = world.settings.activity | {"busy": Activity(min_events=3), "premium": Activity(events=("like",))}
    then = world.settings
    now = msgspec.structs.replace(then, actions=actions, activity=activity, timezone=zone)
    with workspace_of(world) as ws:
        world.settings = ws.settings = now
        assert comparable(ws.query(query).rows) == comparable(size_rows(world, query))
        if world.distinct_events():
            ws.refresh()
            assert comparable(ws.query(query).rows) == comparable(size_rows(world, query))


@given(world=cohort_worlds(), data=st.data())
@HALF
def test_the_stays_of_a_person_are_the_days_on_which_they_belong(world: World, data: st.DataObject) -> None:
    """Day by day, for cohorts and segments, from the first day of the workspace to the last."""
    assume(not Scope.is_empty(world))
    user_id = data.draw(st.sampled_from(world.people()))
    scope = Scope(world, Query(metric="active_users"))
    with workspace_of(world) as ws:
        found = ws.membership(user_id)
    for day in days_between(scope.first_day, scope.watermark)[:: data.draw(st.integers(1, 9))]:
        inside = [s for s in found if s.first_day <= day and (s.last_day is None or day <= s.last_day)]
        assert {s.name for s in inside if not s.is_segment} == {
            name for name in COHORTS if value_on(world, user_id, f"cohort.{name}", day) == "yes"
        }
        segment = value_on(world, user_id, "segment", day)
        assert [s.name for s in inside if s.is_segment] == ([segment] if segment else [])


@given(world=cohort_worlds(), data=st.data())
@HALF
def test_a_frozen_cohort_is_the_live_one_of_its_day_for_ever(world: World, data: st.DataObject) -> None:
    """As filter and breakdown it selects its people on every day, from every source, before and after a rebuild."""
    assume(not Scope.is_empty(world))
    scope = Scope(world, Query(metric="active_users"))
    day = data.draw(st.sampled_from(days_between(scope.first_day, scope.watermark)))
    expected = sorted(u for u in {*world.people(), *world.users} if is_member(world, "twos", u, day))
    query = data.draw(queries(world).filter(lambda q: not q.filters and len(q.breakdown) < 2))
    members = Filter(property="user.user_id", op="in", value=(*expected, "nobody"))
    with workspace_of(world) as ws:
        assert ws.freeze_cohort("twos", on=day, as_="kept") == len(expected)
        for _ in range(2):
            assert ws.cohort("kept", population="all") == expected
            wanted = rows_or_refusal(ws, msgspec.structs.replace(query, filters=(members,)))
            kept = Filter(property="cohort.kept", op="is_set")
            for _, rows in rows_of_each(ws, msgspec.structs.replace(query, filters=(kept,))):
                assert comparable(rows) == wanted
            ws.rebuild()


def rows_or_refusal(ws: Workspace, query: Query) -> list[dict[str, Any]]:
    """The rows of a question that may be one of those that are refused."""
    try:
        return comparable(ws.query(query).rows)
    except QueryError as exc:
        assume(exc.code not in REFUSED_BY_DESIGN)
        raise
