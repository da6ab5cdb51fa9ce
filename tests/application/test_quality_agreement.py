"""Checks against computations of their own, on drawn data; and in small workspaces with settings of their own."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regulars
from regulars.application.quality import check_import
from regulars.domain.quality.catalogue import CHECKS
from regulars.settings import Settings
from tests.application.test_agreement import workspace_of
from tests.application.test_quality import FIRST, NOW, ONE_DAY, event
from tests.strategies import worlds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CONSERVATION = [name for name in CHECKS if name.endswith(("_add_up", "_adds_up", "_recomputed", "repeated_ids"))]


def test_nothing_is_refused_by_an_empty_workspace() -> None:
    """Every check is skipped, with the reason."""
    with regulars.open() as ws:
        report = ws.check()
    assert {result.status for result in report.results} == {"skipped"}
    assert all(result.reason for result in report.results)
    assert report.ok("info")


def test_an_own_statement_is_run_as_it_is_written() -> None:
    """With a comment at its end, and functions whose names look like ours."""
    sql = "SELECT arg_min(source, load_id) AS first FROM loads HAVING count(*) > 0 -- all of them"
    own = Settings.from_toml(f'[checks.own]\nsql = "{sql}"')
    with regulars.open(settings=own) as ws:
        assert ws.check("own")["own"].status == "passed"
        ws.load([event("u1", "login", ONE_DAY)])
        assert ws.check("own")["own"].count == 1


def test_an_own_check_without_complete_days_is_skipped() -> None:
    """Before the first day is over there is nothing to expect."""
    own = Settings.from_toml('[checks.logins]\nevents = ["login"]\nat_least_per_day = 1')
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with regulars.open(settings=own, clock=lambda: now) as ws:
        ws.load([{"user_id": "a", "event_type": "login", "timestamp": "2026-03-04T09:00:00Z"}])
        assert ws.check("logins")["logins"].reason == "there is no complete day yet"
        assert ws.check("volume_anomalies")["volume_anomalies"].status == "skipped"


def test_with_every_check_switched_off_there_is_nothing_to_keep() -> None:
    """A run without checks is no error."""
    own = Settings.from_toml("\n".join(f"[checks.{name}]\nenabled = false" for name in CHECKS))
    with regulars.open(settings=own) as ws:
        assert ws.check().results == ()
        assert ws.sql("SELECT count(*) FROM check_results").rows == [(0,)]


@pytest.mark.parametrize(
    "text",
    [
        "[import]\ncheck = false",
        "\n".join(f"[checks.{name}]\nenabled = false" for name, check in CHECKS.items() if check.is_cheap),
    ],
)
def test_nothing_is_checked_after_an_import_if_settings_say_so(text: str) -> None:
    """By the one switch, or by switching each check off."""
    with regulars.open(settings=Settings.from_toml(text)) as ws:
        assert ws.load([event("u1", "dance", ONE_DAY)]).checks == ()
        assert ws.sql("SELECT count(*) FROM check_results").rows == [(0,)]


def test_only_a_dear_check_may_be_left_after_an_import() -> None:
    """Then there is no statement for the cheap ones."""
    off = [f"[checks.{name}]\nenabled = false" for name, check in CHECKS.items() if check.is_cheap]
    text = "\n".join([*off, "[checks.few_events]\nafter_import = true"])
    with regulars.open(settings=Settings.from_toml(text)) as ws:
        assert [r.check for r in ws.load([event("u1", "dance", ONE_DAY)]).checks] == ["few_events"]
        assert check_import(ws.engine, ws.settings, ws.now(), 1)[0].status == "failed"


def test_a_file_imported_again_is_no_duplicate(tmp_path: Path) -> None:
    """The same bytes bring nothing new, and nothing wrong."""
    file = tmp_path / "events.csv"
    file.write_text("event_id,user_id,event_type,timestamp\n1,a,login,2026-03-10T11:00:00Z\n")
    with regulars.open() as ws:
        ws.load(str(file))
        ws.load(str(file))
        result = ws.check("duplicate_rows")["duplicate_rows"]
        assert (result.status, result.count, result.whole) == ("passed", 0, 1)


def test_rows_of_erased_people_are_no_fault_of_the_data() -> None:
    """They are refused because somebody asked for it."""
    with regulars.open(clock=lambda: NOW) as ws:
        ws.load([event("ada", "login", ONE_DAY), event("bob", "login", ONE_DAY)])
        ws.erase("ada")
        assert ws.load([event("ada", "login", ONE_DAY)]).rejected == 1
        assert ws.check("rejected_rows")["rejected_rows"].count == 0


def oracle_of_volume(counts: Sequence[int], limit: float) -> list[int]:
    """Places of unusual days among the last 28, by the definition."""
    found = []
    for place in range(max(0, len(counts) - 28), len(counts)):
        earlier = [counts[place - 7 * weeks] for weeks in range(1, 9) if place >= 7 * weeks]
        if len(earlier) < 3:
            continue
        usual = median(earlier)
        spread = median(abs(value - usual) for value in earlier)
        scale = max(1.4826 * spread, 0.1 * usual, usual**0.5)
        if usual >= 20 and abs(counts[place] - usual) > limit * scale:
            found.append(place)
    return found


@given(
    counts=st.lists(st.sampled_from([0, 10, 20, 25, 30, 60, 100]), min_size=28, max_size=90).filter(
        lambda counts: counts[0] > 0 and counts[-1] > 0
    )
)
@settings(max_examples=15)
def test_unusual_days_are_those_of_the_definition(counts: list[int]) -> None:
    """Median and MAD of the same weekday; silent days count as 0, and every day judged has three weeks before it."""
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=len(counts), hours=1)
    rows = [
        {
            "user_id": "a",
            "event_type": "login",
            "timestamp": f"{FIRST + timedelta(days=place)}T10:{n // 60:02}:{n % 60:02}Z",
        }
        for place, number in enumerate(counts)
        for n in range(number)
    ]
    with regulars.open(settings=Settings.from_toml("[import]\ncheck = false"), clock=lambda: now) as ws:
        ws.load(rows)
        result = ws.check("volume_anomalies")["volume_anomalies"]
        wanted = oracle_of_volume(counts, 6.0)
        assert result.count == 2 * len(wanted)  # in all, and of the one type
        assert {row[1] for row in result.sample} <= {FIRST + timedelta(days=place) for place in wanted}


@given(world=worlds())
@settings(max_examples=15)
def test_stored_rows_add_up_whatever_was_loaded(world: Any) -> None:
    """The identities hold for any log of events, and no check fails to run on it."""
    with workspace_of(world) as ws:
        report = ws.check(store=False)
        unwell = [(r.check, r.count, r.sample) for r in report.failed if r.check in CONSERVATION]
        assert unwell == []
        assert Counter(result.status for result in report.results).total() == len(CHECKS)


@given(copies=st.lists(st.integers(0, 3), min_size=1, max_size=20))
@settings(max_examples=10)
def test_duplicates_are_counted_as_they_were_made(copies: list[int]) -> None:
    """Each copy of a row with an id, and no more."""
    rows = [
        event("u1", "login", f"2026-03-10T11:00:{n:02}Z", event_id=str(n))
        for n, times in enumerate(copies) for _ in range(times + 1)
    ]  # fmt: skip
    with regulars.open() as ws:
        ws.load(rows)
        assert ws.check("duplicate_rows")["duplicate_rows"].count == sum(copies)


Sent = tuple[int, int, int, int, str, str]


def oracle_of_times(log: Sequence[Sent]) -> dict[str, int]:
    """What the checks of times and sessions must count, event by event, in minutes."""
    by_person: dict[int, list[Sent]] = {}
    for sent in log:
        by_person.setdefault(sent[0], []).append(sent)
    found = Counter(dict.fromkeys(("late_events", "clock_skew", "out_of_order", "client_sessions"), 0))
    for own in by_person.values():
        for _, at, wait, ahead, _, _ in own:
            found["late_events"] += wait > 60
            found["clock_skew"] += abs(ahead) > 2
            found["out_of_order"] += any(other[1] + other[2] < at + wait and other[1] > at for other in own)
        ordered = sorted(own, key=lambda sent: sent[1])
        for before, after in pairwise(ordered):
            is_apart = after[1] - before[1] > 30
            found["client_sessions"] += (before[4] == after[4]) == is_apart
    return found


def oracle_of_sides(log: Sequence[Sent]) -> int:
    """Events of the one type, on the one day, that one side lacks; none if only one side sends it."""
    seen = {side: Counter(person for person, *_, of in log if of == side) for side in ("web", "server")}
    people = {person for person, *_ in log}
    return sum(abs(seen["web"][p] - seen["server"][p]) for p in people) if all(seen.values()) else 0


@given(
    log=st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 600), st.sampled_from([0, 1, 30, 60, 61, 200]),
            st.sampled_from([0, 1, 3, -3]), st.sampled_from(["s1", "s2"]), st.sampled_from(["web", "server"]),
        ),
        min_size=2, max_size=25, unique_by=lambda sent: sent[:2],
    )
)  # fmt: skip
@settings(max_examples=40)
def test_times_sessions_and_sides_are_judged_event_by_event(log: list[Sent]) -> None:
    """Late, skewed, out of order, at odds with the client's sessions, seen by one side: as counted in plain Python."""
    start = datetime(2026, 3, 10, 8, tzinfo=UTC)

    def after(minutes: int) -> str:
        return (start + timedelta(minutes=minutes)).isoformat()

    rows = [
        {
            "user_id": f"u{person}", "event_type": "login", "timestamp": after(at), "received_at": after(at + wait),
            "sent_at": after(at + wait + ahead), "session_id": session, "source": side,
        }
        for person, at, wait, ahead, session, side in log
    ]  # fmt: skip
    own = Settings.from_toml("[checks.late_events]\nlimit = 1\n[import]\ncheck = false")
    with regulars.open(settings=own, clock=lambda: NOW) as ws:
        ws.load(rows)
        report = ws.check(store=False)
        wanted = oracle_of_times(log)
        assert {name: report[name].count for name in wanted} == wanted
        assert report["late_events"].whole == report["clock_skew"].whole == len(log)
        assert (report["one_sided_tracking"].count or 0) == oracle_of_sides(log)
