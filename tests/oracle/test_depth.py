"""Depth, by examples small enough to count by hand."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from regulars.domain.query import Query
from regulars.settings import Activity
from tests.oracle import RefusedError, answer, people
from tests.oracle.examples import ask, column, event, world

if TYPE_CHECKING:
    from tests.oracle import World


def two_people() -> World:
    """On the 1st a uploads, views and pays within 20 minutes and comes back at night, b likes; on the 2nd a views."""
    return world(
        event("a", "2026-01-01T12:00", "upload", feature="editor", device_type="ios"),
        event("a", "2026-01-01T12:10", "page_view", feature="editor"),
        event("a", "2026-01-01T12:20", "payment_success", feature="shop"),
        event("a", "2026-01-01T23:00", "page_view"),
        event("b", "2026-01-01T12:00", device_type="ios"),
        event("a", "2026-01-02T12:00", "page_view", feature="feed"),
        event("c", "2026-01-02T12:00", "payment_success"),
    )


def test_depth_is_what_the_active_people_do() -> None:
    """The payment is passive: it is no action of the core activity, no feature used, no part of a session."""
    rows = ask(two_people(), "depth", "2026-01-01", "2026-01-03")
    assert rows[0] == {
        "date": date(2026, 1, 1),
        "users": 2,
        "actions_per_user": 2.0,
        "sessions_per_user": 1.5,
        "seconds_per_user": 300.0,
        "action_types_per_user": 1.5,
        "features_per_user": 0.5,
        "creation_share": pytest.approx(1 / 3),
        "score_per_user": (3 + 1 + 1 + 2) / 2,
        "flags": [],
    }
    assert (rows[1]["users"], rows[1]["creation_share"]) == (1, 0.0)
    assert len(rows) == 2


def test_what_there_is_nothing_to_divide_by_is_undefined() -> None:
    """A silent day has no means; a day of likes only has no share of creation."""
    where = world(event("a", "2026-01-01"), event("a", "2026-01-03"))
    rows = ask(where, "depth", "2026-01-01", "2026-01-02")
    assert column(rows, "creation_share") == [None, None]
    assert column(rows, "actions_per_user") == [1.0, None]
    assert column(rows, "users") == [1, 0]


def test_breadth_is_counted_once_per_bucket() -> None:
    """In a week the page view of two days is one type; sessions of every day of the week count."""
    (row,) = ask(two_people(), "depth", "2026-01-01", "2026-01-01", grain="week")
    assert (row["users"], row["action_types_per_user"], row["features_per_user"]) == (2, 1.5, 1.0)
    assert row["sessions_per_user"] == 2.0


def test_sessions_are_of_core_actions_whatever_the_activity() -> None:
    """The people are those of the activity; c, who only paid, has no session."""
    (row,) = ask(two_people(), "depth", "2026-01-02", "2026-01-02", activity="any")
    assert (row["users"], row["actions_per_user"], row["sessions_per_user"]) == (2, 1.0, 0.5)


def test_events_of_days_without_enough_of_them_do_not_count() -> None:
    """With two views a day a is active on the 1st only, and the upload is no view."""
    viewing = {"viewing": Activity(events=("page_view",), min_events=2)}
    where = world(*two_people().events, activity=viewing)
    (row,) = ask(where, "depth", "2026-01-01", "2026-01-01", grain="week", activity="viewing")
    assert (row["users"], row["actions_per_user"], row["creation_share"]) == (1, 2.0, 0.0)
    assert row["sessions_per_user"] == 3.0


def test_an_event_property_selects_events_and_their_people_but_no_sessions() -> None:
    """Who did something in a slice brings all sessions along; in the rest of a breakdown everybody counts once."""
    rows = ask(two_people(), "depth", "2026-01-01", "2026-01-01", breakdown=("device.device_type",), limit=1)
    shown = [(r["device.device_type"], r["users"], r["actions_per_user"], r["sessions_per_user"]) for r in rows]
    assert shown == [("ios", 2, 1.0, 1.5), (None, 1, 2.0, 2.0)]


def test_the_people_of_a_bucket_are_listed_and_wrong_questions_refused() -> None:
    found = people(two_people(), Query(metric="depth"))
    assert found[date(2026, 1, 1), ()]["users"] == {"a", "b"}
    for more in ({"window": 7}, {"calendar": "week"}, {"options": {"weighted": True}}):
        with pytest.raises(RefusedError):
            answer(two_people(), Query(metric="depth", **more))  # type: ignore[arg-type]
