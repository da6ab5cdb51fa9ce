"""Laws that hold for every question, checked through the workspace alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from regulars.domain.query import Filter, Query, Range
from regulars.errors import QueryError
from tests.application.test_agreement import comparable, workspace_of
from tests.oracle.questions import EVENT_LEVEL, TIME_LEVEL, days, names
from tests.strategies import queries, worlds

if TYPE_CHECKING:
    from regulars.workspace import Workspace

Rows = list[dict[str, Any]]
COUNTS = ("active_users", "new", "returning", "numerator", "denominator", "actions", "users", "weighted_actions")
MISSING = "(none)"


def ask(ws: Workspace, query: Query, **changed: Any) -> Rows:
    """The rows of a question with some of its fields changed."""
    return comparable(ws.query(msgspec.structs.replace(query, **changed)).rows)


def question(data: st.DataObject, world: Any) -> Query:
    """A question without a breakdown that this workspace answers."""
    return msgspec.structs.replace(data.draw(queries(world)), breakdown=(), limit=1000)


@given(data=st.data())
@settings(max_examples=15)
def test_a_slice_is_the_question_filtered_to_its_value(data: st.DataObject) -> None:
    """For stored, time-dependent and event properties; the slice of what is missing is that of is_not_set."""
    world = data.draw(worlds())
    query = question(data, world)
    name = data.draw(st.sampled_from(names(world)))
    with workspace_of(world) as ws:
        try:
            sliced = ask(ws, query, breakdown=(name,))
        except QueryError:  # the oracle refuses the same questions, see the agreement tests
            assume(False)
        for value in sorted({row[name] for row in sliced}):
            note(f"{name} = {value!r}")
            is_missing = Filter(property=name, op="is_not_set")
            only = is_missing if value == MISSING else Filter(property=name, value=value)
            filtered = ask(ws, query, filters=(*query.filters, only))
            expected = [{key: cell for key, cell in row.items() if key != name} for row in sliced if row[name] == value]
            assert filtered == expected


@given(data=st.data())
@settings(max_examples=10)
def test_a_slice_of_people_is_the_question_filtered_to_its_value(data: st.DataObject) -> None:
    """For the metrics that put whole people into slices, by stored and time-dependent attributes."""
    world = data.draw(worlds())
    metric = data.draw(st.sampled_from(("sessions", "active_days", "tiers", "stickiness_by_cohort")))
    choices = {"stickiness_by_cohort": {"cohort": data.draw(st.sampled_from(("active", "registration")))}}
    query = Query(metric=metric, limit=1000, options=choices.get(metric, {}), range=Range(start=data.draw(days(world))))
    name = data.draw(st.sampled_from(("country", "plan", "user.device_type", *TIME_LEVEL)))
    with workspace_of(world) as ws:
        try:
            sliced = ask(ws, query, breakdown=(name,))
        except QueryError:  # the range starts after its end
            assume(False)
        for value in sorted({row[name] for row in sliced}):
            note(f"{metric} {name} = {value!r}")
            is_missing = Filter(property=name, op="is_not_set")
            only = is_missing if value == MISSING else Filter(property=name, value=value)
            expected = [{key: cell for key, cell in row.items() if key != name} for row in sliced if row[name] == value]
            assert ask(ws, query, filters=(only,)) == expected


@given(data=st.data())
@settings(max_examples=10)
def test_slices_of_a_stored_attribute_add_up(data: st.DataObject) -> None:
    """Everybody is in exactly one, with the limit or without."""
    world = data.draw(worlds())
    query = question(data, world)
    stored = [name for name in names(world) if name not in (*TIME_LEVEL, *EVENT_LEVEL)]
    name = data.draw(
        st.sampled_from([name for name in stored if name.startswith("user.") or name in ("country", "gender")])
    )
    with workspace_of(world) as ws:
        try:
            whole = ask(ws, query)
        except QueryError:
            assume(False)
        assume(not query.options.get("summary") and query.options.get("method") != "mean")
        for limit in (1, 1000):
            sliced = ask(ws, query, breakdown=(name,), limit=limit)
            for row in whole:
                for column in set(COUNTS) & row.keys():
                    parts = [other[column] for other in sliced if other["date"] == row["date"]]
                    assert row[column] is None or sum(part or 0 for part in parts) == row[column]


@given(data=st.data())
@settings(max_examples=10)
def test_numbers_that_mean_the_same_are_the_same(data: st.DataObject) -> None:
    """New and returning are the actives; populations add up to all; a grain is the calendar; DAU is a day."""
    world = data.draw(worlds())
    found = data.draw(queries(world))
    days = msgspec.structs.replace(found.range, grain="day", every=1, anchor=None)
    plain = Query(metric="active_users", range=days, activity=found.activity, as_of=found.as_of)
    with workspace_of(world) as ws:
        everybody = column(ask(ws, plain, population="all"))
        parts = [column(ask(ws, plain, population=each)) for each in ("production", "test", "bot")]
        assert everybody == [sum(cells) for cells in zip(*parts, strict=True)]
        assert ask(ws, plain, window=1) == ask(ws, plain, metric="dau") == ask(ws, plain)
        for grain in ("week", "month"):
            coarse = msgspec.structs.replace(days, grain=grain)
            by_grain = ask(ws, plain, range=coarse)
            assert column(by_grain) == column(ask(ws, plain, calendar=grain))
            split = ask(ws, plain, metric="new_vs_returning", range=coarse)
            assert column(split) == column(by_grain) == [row["new"] + row["returning"] for row in split]


def column(rows: Rows) -> list[int]:
    """The number of actives of each row."""
    return [row["active_users"] for row in rows]
