"""A question as of a day after the last event: nothing happened until then, and the clock bounds what can be known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

import regulars
from regulars.errors import QueryError
from tests.application.test_agreement import comparable, rows_from, workspace_of
from tests.application.test_churn_agreement import churn_queries, without_reasons
from tests.application.test_membership_agreement import size_queries
from tests.application.test_retention_agreement import asked_of, retention_queries
from tests.application.test_survival_agreement import lives
from tests.cohort_strategies import cohort_worlds
from tests.oracle import RefusedError, answer
from tests.oracle.cadence import interval_rows
from tests.oracle.churn import churn_rows
from tests.oracle.clock import local_day
from tests.oracle.cohort_size import size_rows
from tests.oracle.retention import retention
from tests.oracle.scope import CLOCK_SKEW
from tests.oracle.survival import survival_rows
from tests.strategies import queries, worlds

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hypothesis.strategies import SearchStrategy

    from regulars.domain.query import Query
    from tests.oracle.world import World

# Forms that the oracle answers and the product refuses, each with the way out in its message.
REFUSED_BY_DESIGN = ("mixed_breakdown", "mixed_filter", "alias_with_window", "bad_window", "bad_events", "wrong_scope")
FAMILIES: dict[str, tuple[Callable[[World], SearchStrategy[Query]], Callable[[World, Query], list[dict[str, Any]]]]] = {
    "counts": (queries, answer),
    "retention": (retention_queries, lambda world, query: [row.values for row in retention(world, query)]),
    "survival": (lambda world: lives(world, "survival"), survival_rows),
    "usage interval": (lambda world: lives(world, "usage_interval"), interval_rows),
    "churn risk": (churn_queries, churn_rows),
    "cohort size": (size_queries, size_rows),
}


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
@settings(max_examples=settings.default.max_examples // 3)  # the oracle goes through every day
def test_silent_days_are_answered_as_the_oracle_answers_them(family: str, data: st.DataObject) -> None:
    """From stored rows and from raw events, for ranges that reach into the silence; never past today."""
    drawn, computed = FAMILIES[family]
    world = data.draw(cohort_worlds() if family == "cohort size" else worlds())
    happened = [event.at for event in world.distinct_events() if event.at <= world.now + CLOCK_SKEW]
    assume(happened)
    world = replace(world, now=max(happened) + timedelta(days=data.draw(st.integers(0, 45))))
    last = local_day(max(happened), world.settings.timezone)
    query = data.draw(drawn(world))
    end = last + timedelta(days=data.draw(st.integers(0, 50)))
    start = max(query.range.start or end, end - timedelta(days=70)) if query.grain != "hour" else last
    asked = msgspec.structs.replace(query.range, start=min(start, end), end=min(end, start + timedelta(days=70)))
    query = msgspec.structs.replace(query, as_of=end, range=asked)
    note(msgspec.json.encode(query).decode())
    try:
        expected = comparable(computed(world, query))
    except RefusedError:
        assume(False)
    with workspace_of(world) as ws:
        for sources in (("aggregates", "arrivals", "events"), ("events",)):
            try:
                found = without_reasons(rows_from(ws, asked_of(query), sources)[1])
                assert comparable(found) == expected
            except QueryError as exc:
                assume(exc.code not in REFUSED_BY_DESIGN)
                raise


def test_without_as_of_a_question_ends_with_the_data_and_with_it_at_most_today() -> None:
    """The default has not changed."""
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    with regulars.open(clock=lambda: now) as ws:
        ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-03-02T09:00:00Z"}])
        weekly = {"window": 7, "start": "2026-03-02"}
        assert [row["date"].day for row in ws.active_users(**weekly).rows] == [2]
        rows = ws.active_users(**weekly, as_of="2026-03-31").rows
        assert [row["active_users"] for row in rows] == [1] * 7 + [0, 0]
        assert rows[-1]["date"] == date(2026, 3, 10)
        assert "incomplete" in rows[-1]["flags"]
        assert "incomplete" not in rows[-2]["flags"]
        assert ws.active_users(**weekly, as_of="2026-03-04").rows[-1]["date"] == date(2026, 3, 4)
