"""Other tools' conventions: the cases on which they differ from ours, and what is said about the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from regulars.domain.conventions import CONVENTIONS
from regulars.domain.metrics import ALIASES, METRICS
from regulars.domain.query import CONVENTION_NAMES, Query, query_from_json
from regulars.errors import UnknownNameError

if TYPE_CHECKING:
    from regulars.workspace import Workspace


def workspace(*did: tuple[str, str]) -> Workspace:
    """People and instants of January 2026."""
    ws = regulars.open(clock=lambda: datetime(2026, 2, 20, tzinfo=UTC))
    ws.load([{"user_id": who, "event_type": "like", "timestamp": f"2026-{at}Z"} for who, at in did])
    return ws


def test_every_convention_names_metrics_and_options_that_exist() -> None:
    """And the same names in the question as in the table."""
    assert ("regulars", *CONVENTIONS) == CONVENTION_NAMES
    for tool, metrics in CONVENTIONS.items():
        for name, found in metrics.items():
            assert name in METRICS or name in ALIASES
            if name in METRICS:
                METRICS[name].check(Query(metric=name, options=dict(found.options), convention=tool))


def test_a_funnel_is_open_as_long_as_each_tool_keeps_it_open() -> None:
    """Ada converts after 3 days, bob after 10, eve after 20."""
    took = {"ada": 3, "bob": 10, "eve": 20}
    with workspace(*((who, "01-01T10:00:00") for who in took)) as ws:
        ws.load(
            [
                {"user_id": who, "event_type": "buy", "timestamp": f"2026-01-{1 + days:02}T09:00:00Z"}
                for who, days in took.items()
            ]
        )
        counted = {name: ws.funnel("like -> buy", convention=name).rows[1]["users"] for name in CONVENTION_NAMES[:4]}
    assert counted == {"regulars": 2, "posthog": 2, "amplitude": 0, "mixpanel": 1}


def test_a_month_has_28_days_for_statsig_and_30_for_the_others() -> None:
    """Ada was active 29 days before the last day."""
    with workspace(("ada", "01-01T10:00:00"), ("bob", "01-30T10:00:00")) as ws:
        counted = {name: ws.metric("mau", convention=name).rows[-1]["active_users"] for name in CONVENTION_NAMES}
        assert counted == {"regulars": 2, "posthog": 2, "amplitude": 2, "mixpanel": 2, "statsig": 1}
        assert ws.metric("mau", convention="statsig").warnings[-1] == "convention: statsig chooses window=28"
        assert ws.metric("mau", convention="statsig", by="user_id").query.window == 28


def test_who_was_active_before_the_profile_existed_is_new_or_resurrected() -> None:
    """Ada's first action is in a later week than her registration: new for us, resurrected by PostHog's rule."""
    with workspace(("ada", "01-14T10:00:00"), ("bob", "01-05T10:00:00"), ("bob", "01-14T10:00:00")) as ws:
        ws.load([{"user_id": "ada", "registration_date": "2026-01-06"}], kind="users")
        asked: dict[str, Any] = {"grain": "week", "start": "2026-01-12", "end": "2026-01-18"}
        ours, posthog = ws.lifecycle(**asked).rows[0], ws.lifecycle(convention="posthog", **asked).rows[0]
    assert (ours["new"], ours["resurrected"], ours["retained"]) == (1, 0, 1)
    assert (posthog["new"], posthog["resurrected"], posthog["retained"]) == (0, 1, 1)


def test_a_return_after_23_hours_is_day_1_on_the_calendar_and_day_0_by_24_hour_windows() -> None:
    """And on-or-after counts the one on day 3 on all days before it."""
    with workspace(("ada", "01-05T10:00:00"), ("ada", "01-06T09:00:00"), ("ada", "01-08T11:00:00")) as ws:
        asked: dict[str, Any] = {"start": "2026-01-05", "end": "2026-01-05", "horizon": 3}
        ours = [row["retention_users"] for row in ws.retention(**asked).rows]
        posthog = [row["retention_users"] for row in ws.retention(convention="posthog", **asked).rows]
        amplitude = ws.retention(convention="amplitude", **asked)
    assert ours == posthog == [1, 1, 0, 1]
    assert [row["retention_users"] for row in amplitude.rows] == [1, 1, 1, 1]
    assert amplitude.warnings[-1].startswith("convention: amplitude chooses kind=on_or_after, clock=rolling; not")


def test_what_the_question_says_itself_wins() -> None:
    """A convention fills in what is left open."""
    with workspace(("ada", "01-05T10:00:00")) as ws:
        found = ws.retention(convention="mixpanel", clock="anchored", start="2026-01-05")
        chosen = {name: found.query.options[name] for name in ("kind", "clock", "cohort")}
        assert chosen == {"kind": "on_or_after", "clock": "anchored", "cohort": "recurring"}
        assert ws.metric("stickiness", convention="statsig").query.options == {"method": "return"}


def test_where_a_tool_says_nothing_different_the_answer_says_that() -> None:
    """Nothing is silently the same."""
    with workspace(("ada", "01-05T10:00:00")) as ws:
        said = "convention: amplitude says nothing about tiers that differs; counted as usual"
        assert said in ws.metric("tiers", convention="amplitude").warnings


def test_an_unknown_convention_is_refused() -> None:
    """From Python and from JSON."""
    with pytest.raises(UnknownNameError, match="did you mean 'mixpanel'") as found:
        Query(metric="mau", convention="mixpannel")
    assert found.value.code == "unknown_convention"
    with pytest.raises(UnknownNameError):
        query_from_json('{"metric": "mau", "convention": "none"}')
