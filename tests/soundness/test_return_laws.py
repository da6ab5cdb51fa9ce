"""Laws of lifecycle and retention, checked through the workspace alone."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

import regulars
from regulars.domain.query import EventCondition, Filter
from regulars.errors import QueryError
from tests.application.test_agreement import comparable, workspace_of
from tests.application.test_retention_agreement import asked_of, retention_queries
from tests.oracle.questions import EVENT_LEVEL, TIME_LEVEL
from tests.strategies import queries, worlds

MISSING = "(none)"


@given(data=st.data())
@settings(max_examples=15)
def test_growth_is_accounted_for_to_the_last_person(data: st.DataObject) -> None:
    """Who is active is new, retained or resurrected; who was active is retained or churned; and the lists agree."""
    world = data.draw(worlds())
    query = msgspec.structs.replace(data.draw(queries(world, metrics=("lifecycle",))), breakdown=())
    with workspace_of(world) as ws:
        try:
            result = ws.query(query)
        except QueryError:
            assume(False)
        for row in result.rows:
            assert row["active_users"] == row["new"] + row["retained"] + row["resurrected"]
        for row, after in pairwise(result.rows):
            assert row["active_users"] == after["retained"] + after["churned"]
        for row, after in list(pairwise(result.rows))[-2:]:
            now, before = (set(result.users(each, "active_users")) for each in (after, row))
            assert set(result.users(after, "retained")) == now & before
            assert set(result.users(after, "churned")) == before - now
            assert set(result.users(after, "new")) | set(result.users(after, "resurrected")) == now - before


@given(data=st.data())
@settings(max_examples=20)
def test_a_slice_of_retention_is_the_question_with_starts_of_its_value(data: st.DataObject) -> None:
    """An attribute filters people; an event property is judged at the start, so it filters starts only."""
    world = data.draw(worlds())
    query = asked_of(data.draw(retention_queries(world)))
    options = {name: value for name, value in query.options.items() if name != "match_breakdown"}
    query = msgspec.structs.replace(query, breakdown=(), limit=1000, options=options)
    is_registration = options.get("cohort") == "registration"
    name = data.draw(st.sampled_from(("country", "plan", *TIME_LEVEL, *(() if is_registration else EVENT_LEVEL[:3]))))
    with workspace_of(world) as ws:
        try:
            sliced = comparable(ws.query(msgspec.structs.replace(query, breakdown=(name,))).rows)
        except QueryError:
            assume(False)
        for value in sorted({row[name] for row in sliced})[:3]:
            note(f"{name} = {value!r}")
            is_missing = Filter(property=name, op="is_not_set")
            only = is_missing if value == MISSING else Filter(property=name, value=value)
            expected = [{key: cell for key, cell in row.items() if key != name} for row in sliced if row[name] == value]
            if name in EVENT_LEVEL:
                own = options.get("start_where") or EventCondition()
                # What returns is filtered by its own condition, which stays what it was.
                starts = msgspec.structs.replace(own, where=(*own.where, only))
                filtered = msgspec.structs.replace(query, options={**options, "start_where": starts})
                assume(_counts_starts_alike(query, filtered))
            else:
                filtered = msgspec.structs.replace(query, filters=(*query.filters, only))
            assert comparable(ws.query(filtered).rows) == expected


def _counts_starts_alike(one: Any, other: Any) -> bool:
    """Whether the start event is a return of period 0 in both: only where start and return are the same."""

    def is_same(query: Any) -> bool:
        asked = query.options
        start, back = (asked.get(name) or query.activity for name in ("start_event", "return_event"))
        return bool(start == back and asked.get("start_where") == asked.get("return_where"))

    return is_same(one) == is_same(other)


@given(data=st.data())
@settings(max_examples=15)
def test_retention_never_exceeds_the_cohort_and_falls_where_later_returns_count(data: st.DataObject) -> None:
    """A rate lies within its interval; on-or-after only goes down; what is hidden by time is not shown."""
    world = data.draw(worlds())
    query = asked_of(data.draw(retention_queries(world)))
    with workspace_of(world) as ws:
        try:
            result = ws.query(query)
        except QueryError:
            assume(False)
        for row in result.rows:
            assert 0 <= row["retention_users"] <= row["cohort_size"]
            if row["cohort_size"]:
                assert row["low"] <= row["retention"] <= row["high"]
            if query.range.grain == "day":
                assert row["date"] + timedelta(days=row["period"]) <= result.watermark
        if query.options.get("kind") == "on_or_after":
            keys = [*query.breakdown, "date"]
            for sooner, later in pairwise(result.rows):
                if all(sooner[key] == later[key] for key in keys) and sooner["flags"] == later["flags"]:
                    assert later["retention_users"] <= sooner["retention_users"]


def test_anchored_weeks_begin_with_each_person() -> None:
    """Days 0 to 6 after the first one are week 0, 7 to 13 week 1, 14 to 20 week 2, whatever the calendar says."""
    with regulars.open() as ws:
        ws.track("ada", "identify", timestamp="2026-01-06T09:00:00Z", user={"registration_date": "2026-01-06"})
        for day in (7, 13, 14, 28):
            ws.track("ada", "like", timestamp=f"2026-01-{day:02}T09:00:00Z")
        asked = {"grain": "week", "clock": "anchored", "start": "2026-01-05", "end": "2026-01-31", "horizon": 3}
        rows = ws.retention(**asked).rows
        registered = ws.retention(cohort="registration", **asked).rows
    counted = {row["period"]: row["retention_users"] for row in rows if str(row["date"]) == "2026-01-05"}
    assert {period: counted[period] for period in (0, 1, 2)} == {0: 1, 1: 1, 2: 0}
    counted = {row["period"]: row["retention_users"] for row in registered if str(row["date"]) == "2026-01-05"}
    assert {period: counted[period] for period in (0, 1, 2, 3)} == {0: 1, 1: 1, 2: 0, 3: 1}
