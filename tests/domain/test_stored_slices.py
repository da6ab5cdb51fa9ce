"""Which questions stored slices of event properties and pairs of attributes answer, and what they say meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from regulars.domain.query import Filter
from regulars.settings import Activity, RollupSettings
from tests.domain.examples import did, under, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.workspace import Workspace

HOSTILE = "it's\"; DROP TABLE arrivals; --"
EVENTS = [
    did(user, f"2026-01-{day:02}T10:00:00", feature=feature, country=country, **{HOSTILE: own})
    for user, day, feature, country, own in (
        ("a", 1, "editor", "DE", "1"),
        ("a", 1, "search", "DE", "1"),
        ("a", 3, "editor", "FR", "'"),
        ("b", 2, "search", "FR", None),
        ("b", 3, None, "FR", "x"),
        ("c", 9, "editor", None, "x"),
    )
]
USERS = tuple({"user_id": user, "plan": plan} for user, plan in (("a", "paid"), ("b", "free"), ("c", "paid")))
ROLLUPS = RollupSettings(
    pairs=(("plan", "country"),), event_dimensions=("feature", "event.country", f"event.{HOSTILE}")
)
BUSY = {"busy": Activity(min_events=2)}
START = "2026-01-01"


@pytest.fixture(scope="module")
def ws() -> Iterator[Workspace]:
    """A workspace that keeps a pair and three event properties."""
    with workspace(*EVENTS, users=USERS, rollups=ROLLUPS, activity=BUSY) as opened:
        yield opened


@pytest.fixture(scope="module")
def plain() -> Iterator[Workspace]:
    """The same without any slices."""
    with workspace(*EVENTS, users=USERS, rollups=RollupSettings(dimensions=()), activity=BUSY) as opened:
        yield opened


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ({"by": "feature"}, "aggregates"),
        ({"by": "feature.name", "window": 7}, "aggregates"),
        ({"by": "feature", "calendar": "month"}, "aggregates"),
        ({"by": "feature", "activity": "busy", "window": 3}, "aggregates"),
        ({"by": "event.country"}, "aggregates"),
        ({"by": f"event.{HOSTILE}"}, "aggregates"),
        ({"by": "feature", "limit": 3}, "aggregates"),
        ({"by": "feature", "limit": 2}, "events"),
        ({"by": "feature", "limit": 1, "where": "feature = 'search'"}, "aggregates"),
        ({"where": "feature = 'editor'"}, "aggregates"),
        ({"where": Filter(property=f"event.{HOSTILE}", value="'")}, "aggregates"),
        ({"where": "feature = 'nobody'"}, "aggregates"),
        ({"where": "feature = '(none)'"}, "events"),
        ({"where": "feature != 'editor'"}, "events"),
        ({"where": "feature in ('editor', 'search')"}, "events"),
        ({"where": Filter(property=f"event.{HOSTILE}", value=1)}, "events"),
        ({"where": Filter(any=(Filter(property="feature", value="editor"),))}, "events"),
        ({"by": "feature", "where": "plan = 'paid'"}, "events"),
        ({"by": ["feature", "event.country"]}, "events"),
        ({"by": "action"}, "events"),
        ({"by": "country"}, "aggregates"),
        ({"by": ["country", "plan"]}, "aggregates"),
        ({"by": ["user.plan", "country"], "window": 7}, "aggregates"),
        ({"by": "plan", "where": "country = 'DE'"}, "aggregates"),
        ({"by": "plan", "where": "country = 'DE' or plan = 'free'"}, "aggregates"),
        ({"where": ["plan = 'paid'", Filter(property="country", op="is_not_set")]}, "aggregates"),
        ({"by": ["country", "gender"]}, "arrivals"),
        ({"by": ["country", "plan", "gender"]}, "arrivals"),
    ],
)
def test_what_stored_slices_answer(ws: Workspace, plain: Workspace, question: dict[str, Any], source: str) -> None:
    """The rest falls back; rows, the ledger of populations and warnings are those of a workspace without slices."""
    found, expected = (each.active_users(start=START, **question) for each in (ws, plain))
    assert found.source == source
    assert expected.source != "aggregates"
    assert found.rows == expected.rows
    assert found.population == expected.population
    assert (found.warnings, found.additive) == (expected.warnings, expected.additive)


def test_slices_of_events_still_do_not_add_up(ws: Workspace) -> None:
    """Whatever they are read from, the result says so, and each cell opens into its people."""
    result = ws.active_users(start=START, window=3, by="feature")
    assert not result.additive
    assert any("slices do not add up" in text for text in result.warnings)
    third = [row for row in result.rows if str(row["date"]) == "2026-01-03"]
    assert {row["feature"]: row["active_users"] for row in third} == {"editor": 1, "search": 2, "(none)": 1}
    assert {row["feature"]: result.users(row) for row in third}["search"] == ["a", "b"]


@pytest.mark.parametrize("metric", ["actions", "new_vs_returning", "stickiness", "active_days"])
def test_every_metric_has_the_same_rows_with_and_without_slices(ws: Workspace, plain: Workspace, metric: str) -> None:
    """Those that need more than gaps read raw events."""
    question = {"start": START, "by": "feature"}
    assert ws.metric(metric, **question).rows == plain.metric(metric, **question).rows


def test_a_new_choice_of_slices_waits_for_a_rebuild_and_says_so_where_it_matters(ws: Workspace) -> None:
    """Other questions know nothing of it; what is stored already serves on."""
    later = under(
        ws,
        rollups=RollupSettings(pairs=ROLLUPS.pairs, event_dimensions=("feature", "action", "platform")),
        activity=BUSY,
    )

    def told(**question: Any) -> tuple[str, bool]:
        result = later.active_users(start=START, **question)
        return result.source, any(text.startswith("stale_rollups") for text in result.warnings)

    assert told(by="action") == told(where="action = 'like'") == ("events", True)
    assert told(by="feature") == told(by=["plan", "country"]) == ("aggregates", False)
    assert told(by=["action", "feature"]) == told(by="category") == ("events", False)
    before = later.active_users(start=START, by="action").rows
    later.rebuild()
    assert told(by="action") == ("aggregates", False)
    assert later.active_users(start=START, by="action").rows == before
    assert told(by="event.country") == ("events", False)
    ws.rebuild()
