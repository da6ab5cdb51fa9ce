"""Active people by properties of events, straight from the events: each day of a person counts once per slice."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from regulars.settings import Activity
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.domain.result import Result
    from regulars.workspace import Workspace

FIRST, LAST = date(2026, 1, 1), date(2026, 5, 30)  # 150 days


def _on(user: str, day: int, feature: str | None, **more: Any) -> dict[str, Any]:
    return did(user, f"{FIRST + timedelta(days=day)}T10:00:00", feature=feature, **more)


EVENTS = [
    # The same platform on two devices, and twice on one day.
    _on("a", 0, "editor", platform="ios", os_version="1", theme="dark"),
    _on("a", 0, "editor", platform="ios", os_version="2", theme="dark"),
    _on("a", 0, "search", platform="web", theme="light"),
    _on("a", 61, "editor", platform="ios", os_version="2"),
    _on("a", 62, "editor", platform="ios", os_version="2"),
    _on("a", 149, "editor", platform="ios", os_version="2"),
    # Without a feature, and with one that is called like its absence.
    _on("b", 0, None, platform="web"),
    _on("b", 0, "(none)", platform="web"),
    _on("b", 149, "search", platform="web"),
    _on("c", 149, "search", platform="web", theme="dark"),
    _on("c", 149, "editor", theme="dark"),
]


@pytest.fixture(scope="module")
def ws() -> Iterator[Workspace]:
    """Three people in half a year."""
    with workspace(*EVENTS, activity={"busy": Activity(min_events=2), "calm": Activity(max_events=1)}) as opened:
        yield opened


def counts(result: Result, *names: str) -> dict[tuple[Any, ...], int]:
    """People by the number of the day and the slice, where there are any."""
    return {
        ((row["date"] - FIRST).days, *(row[name] for name in names)): row["active_users"]
        for row in result.rows
        if row["active_users"]
    }


def asked(ws: Workspace, *by: str, **more: Any) -> dict[tuple[Any, ...], int]:
    """The counts of a question about all days."""
    result = ws.active_users(by=by, **{"start": FIRST, "end": LAST, "activity": "any", **more})
    assert result.source == "events"
    assert {row["date"] for row in result.rows} == {FIRST + timedelta(days=day) for day in range(150)}
    return counts(result, *by)


def test_a_day_counts_once_per_value_however_many_devices_or_events_had_it(ws: Workspace) -> None:
    """Also beyond the days that one number has bits for, and for values that are missing."""
    assert asked(ws, "feature") == {
        (0, "editor"): 1, (0, "search"): 1, (0, "(none)"): 1, (61, "editor"): 1, (62, "editor"): 1,
        (149, "editor"): 2, (149, "search"): 2,
    }  # fmt: skip
    assert asked(ws, "feature", "device.platform") == {
        (0, "editor", "ios"): 1, (0, "search", "web"): 1, (0, "(none)", "web"): 1, (61, "editor", "ios"): 1,
        (62, "editor", "ios"): 1, (149, "editor", "ios"): 1, (149, "search", "web"): 2, (149, "editor", "(none)"): 1,
    }  # fmt: skip


def test_values_that_stand_in_the_events_themselves_are_counted_alike(ws: Workspace) -> None:
    """A property of one's own, beside one that is described elsewhere."""
    assert asked(ws, "theme", "feature", start=LAST - timedelta(days=149)) == {
        (0, "dark", "editor"): 1, (0, "light", "search"): 1, (0, "(none)", "(none)"): 1,
        (61, "(none)", "editor"): 1, (62, "(none)", "editor"): 1, (149, "(none)", "editor"): 1,
        (149, "(none)", "search"): 1, (149, "dark", "search"): 1, (149, "dark", "editor"): 1,
    }  # fmt: skip


def test_beyond_the_limit_a_person_counts_once_a_day(ws: Workspace) -> None:
    """A was in search and in the editor on the first day, c on the last: in the slice of the rest each is one."""
    result = ws.active_users(by=("theme", "feature"), limit=1, activity="any", start=FIRST, end=LAST)
    shown = {(row["theme"], row["feature"]) for row in result.rows if "other" not in row["flags"]}
    assert shown == {("dark", "editor")}  # two people, and first of the alphabet among those that have two
    beyond = [row for row in result.rows if "other" in row["flags"] and row["active_users"]]
    assert {(row["date"] - FIRST).days: row["active_users"] for row in beyond} == {0: 2, 61: 1, 62: 1, 149: 3}


@pytest.mark.parametrize(
    ("activity", "expected"),
    [
        ("busy", {(0, "editor"): 1, (0, "(none)"): 1}),
        ("calm", {(0, "search"): 1, (61, "editor"): 1, (62, "editor"): 1, (149, "editor"): 2, (149, "search"): 2}),
    ],
)
def test_an_activity_about_whole_days_still_counts_their_events(
    ws: Workspace, activity: str, expected: dict[tuple[int, str], int]
) -> None:
    """Two events on a day in a slice, or one at most."""
    assert asked(ws, "feature", activity=activity) == expected


def test_sums_of_what_was_done_are_the_same_slices(ws: Workspace) -> None:
    """Actions need more than the days, and come from the same events."""
    rows = ws.metric("actions", by="feature", activity="any", start=FIRST, end=FIRST).rows
    assert {row["feature"]: row["actions"] for row in rows if row["actions"]} == {"editor": 2, "search": 1, "(none)": 2}
