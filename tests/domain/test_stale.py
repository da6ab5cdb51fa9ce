"""Changed settings over the same database: exact at once from raw events, fast again after a rebuild."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from regulars.domain.query import Filter
from regulars.settings import ActionSettings, Activity, PopulationSettings, RollupSettings
from tests.domain.examples import column, did, under, workspace

if TYPE_CHECKING:
    from regulars.workspace import Workspace

EVENTS = [
    did(user, at, kind, country=country, feature=feature)
    for user, at, kind, country, feature in (
        ("a", "2026-03-28T23:30:00", "like", "DE", "editor"),
        ("a", "2026-03-29T00:30:00", "dance", "DE", None),
        ("a", "2026-03-29T22:30:00", "purchase", "FR", None),
        ("b", "2026-03-29T05:00:00", "payment_success", "FR", "search"),
        ("b", "2026-03-30T21:59:00", "like", "FR", None),
        ("b", "2026-03-31T22:30:00", "like", "DE", "search"),
        ("c", "2026-04-02T03:00:00", "dance", None, None),
        ("qa", "2026-04-02T03:00:00", "like", None, None),
    )
]
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("active_users", {"window": 1}),
    ("active_users", {"window": 3, "by": "country"}),
    ("active_users", {"window": 7, "by": "action", "population": "all"}),
    ("active_users", {"calendar": "month", "activity": "any"}),
    ("active_users", {"grain": "hour", "start": "2026-03-29", "end": "2026-03-30"}),
    ("new_vs_returning", {"where": "country = 'DE'"}),
    ("stickiness", {"window": 7, "activity": "conversion"}),
    ("actions", {"weighted": True, "by": "category"}),
    ("actions", {"where": "category in ('creation', 'taste')"}),
    ("actions", {"activity": "core_feature"}),
    ("sessions", {"by": "country"}),
    ("tiers", {"window": 2, "activity": "any"}),
    ("sessions", {"profile": "hour"}),
    ("sessions", {"profile": "weekday"}),
    ("stickiness_by_cohort", {"cohort": "active"}),
    ("depth", {"activity": "any"}),
    ("depth", {"grain": "week", "by": "action"}),
]
QUESTIONS = [(name, {"start": "2026-03-28", **question}) for name, question in QUESTIONS]
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "core actions": ({}, {"actions": {"dance": ActionSettings(core=False, weight=2.5, conversion=True)}}),
    "categories": ({}, {"actions": {"like": ActionSettings(category="creation", weight=5.0)}}),
    "no conversions": (
        {},
        {
            "actions": {
                name: ActionSettings(conversion=False, core=False)
                for name in ("purchase", "payment_success", "subscribe", "like", "dance")
            }
        },
    ),
    "population": ({}, {"population": PopulationSettings(test_users=("qa",), bots=("a",))}),
    "population undone": ({"population": PopulationSettings(test_users=("b",))}, {}),
    "timezone": ({}, {"timezone": "Europe/Berlin"}),
    "timezone undone": ({"timezone": "Australia/Lord_Howe"}, {"timezone": "Africa/Cairo"}),
    "everything": (
        {"timezone": "Asia/Kathmandu"},
        {
            "timezone": "Pacific/Pago_Pago",
            "core_features": ("search",),
            "actions": {"like": ActionSettings(core=False, category="taste")},
            "population": PopulationSettings(bots=("c",)),
        },
    ),
}


Answers = list[list[dict[str, Any]]]


def answers(ws: Workspace) -> tuple[Answers, set[bool]]:
    """Rows of every question, and whether they came with the warning."""
    results = [ws.metric(name, **question) for name, question in QUESTIONS]
    stale = {any(text.startswith("stale_rollups") for text in result.warnings) for result in results}
    return [result.rows for result in results], stale


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_definition_is_answered_from_raw_events_until_a_rebuild(change: str) -> None:
    """With the warning stale_rollups, and with the rows of a workspace that always had it."""
    before, after = CHANGES[change]
    with workspace(*EVENTS, **before) as ws, workspace(*EVENTS, **after) as fresh:
        changed = under(ws, **after)
        expected, _ = answers(fresh)
        assert answers(changed) == (expected, {True})
        changed.rebuild()
        assert answers(changed) == (expected, {False})


def test_a_load_under_changed_settings_rebuilds() -> None:
    """The rows that were there follow as well."""
    rule = {"dance": ActionSettings(core=False)}
    with workspace(*EVENTS[:5]) as ws, workspace(*EVENTS, actions=rule) as fresh:
        changed = under(ws, actions=rule)
        changed.load(EVENTS[5:])
        assert answers(changed) == answers(fresh)
        assert answers(changed)[1] == {False}


def test_a_changed_activity_is_stale_alone() -> None:
    """The others keep their stored rows; one that was added is answered at once."""
    liked = Activity(events=("like",))
    filtered = Activity(where=(Filter(property="event.country", value="FR"),))
    question = {"window": 7, "start": "2026-03-28"}
    with workspace(*EVENTS, activity={"mine": liked}) as ws:
        changed = under(ws, activity={"mine": filtered, "other": liked})
        liked_rows = ws.active_users(activity="mine", **question).rows
        other = changed.active_users(activity="other", **question)
        mine = changed.active_users(activity="mine", **question)
        core = changed.active_users(**question)
        assert (other.source, mine.source, core.source) == ("events", "events", "aggregates")
        assert [bool(result.warnings) for result in (other, mine, core)] == [True, True, False]
        assert other.rows == liked_rows
        changed.rebuild()
        again = changed.active_users(activity="mine", **question)
        assert (again.source, again.rows, again.warnings) == ("aggregates", mine.rows, ())


def test_an_activity_follows_a_changed_category() -> None:
    """Who makes something is judged by today's category."""
    making = {"making": Activity(where=(Filter(property="category", value="creation"),))}
    question = {"activity": "making", "start": "2026-03-28"}
    with workspace(*EVENTS, activity=making) as ws:
        changed = under(ws, activity=making, actions={"like": ActionSettings(category="creation")})
        before, at_once = column(ws.active_users(**question), "active_users"), changed.active_users(**question)
        assert (sum(before), sum(column(at_once, "active_users"))) == (0, 4)
        changed.rebuild()
        assert changed.active_users(**question).rows == at_once.rows


def test_another_choice_of_aggregates_is_no_change_of_meaning() -> None:
    """What is not aggregated is answered from single arrivals."""
    with workspace(*EVENTS) as ws:
        expected = answers(ws)
        changed = under(ws, rollups=RollupSettings(dimensions=("gender",)))
        assert answers(changed) == expected == (expected[0], {False})
        changed.rebuild()
        assert answers(changed) == expected
        assert changed.active_users(window=3, by="country").source == "arrivals"
