"""Retention: options that go together and those that do not, averages, and the cases on which tools disagree."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from regulars.domain.intervals import wilson
from regulars.domain.query import EventCondition, Filter
from regulars.errors import QueryError, UnknownNameError
from regulars.settings import Activity, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regulars.workspace import Workspace

# Who did what, in January 2026: person, day, time, event.
Did = tuple[str, int, str, str]


def workspace(did: Iterable[Did], now: str = "2026-02-01", **settings: Any) -> Workspace:
    """A workspace in memory."""
    clock = datetime.fromisoformat(now).replace(tzinfo=UTC)
    ws = regulars.open(settings=Settings(**settings), clock=lambda: clock)
    ws.load(
        [
            {
                "user_id": who,
                "event_type": what,
                "timestamp": f"2026-01-{day:02}T{time}Z",
                "geo": {"country": who[0].upper()},
            }
            for who, day, time, what in did
        ]
    )
    return ws


def kept(ws: Workspace, **asked: Any) -> list[tuple[int, int, int]]:
    """Period, cohort size and people kept, of the cohorts of the 5th."""
    asked = {"start": "2026-01-05", "end": "2026-01-05", "horizon": 2} | asked
    return [(row["period"], row["cohort_size"], row["retention_users"]) for row in ws.retention(**asked).rows]


def test_a_return_before_the_start_on_the_same_day_is_none() -> None:
    """The return event comes at or after the start."""
    did = [("ada", 5, "09:00:00", "share"), ("ada", 5, "10:00:00", "like"), ("eve", 7, "00:00:00", "like")]
    with workspace(did) as ws:
        assert kept(ws, start_event="like", return_event="share")[0] == (0, 1, 0)


def test_start_and_return_in_the_same_second_is_a_return() -> None:
    """Of two events; one event is never both."""
    did = [("ada", 5, "10:00:00", "like"), ("ada", 5, "10:00:00", "share"), ("bob", 5, "10:00:00", "like")]
    with workspace(did) as ws:
        assert kept(ws, start_event="like", return_event="share")[0] == (0, 2, 1)
        assert kept(ws, start_event="like", return_event="core")[0] == (0, 2, 1)


def test_period_0_is_everybody_for_the_same_activity_on_calendar_days_only() -> None:
    """On a clock that starts with the person, another event has to follow."""
    did = [("ada", 5, "10:00:00", "like"), ("bob", 5, "10:00:00", "like"), ("bob", 5, "23:00:00", "like")]
    with workspace(did) as ws:
        assert kept(ws, horizon=1)[0] == (0, 2, 2)
        assert kept(ws, horizon=1, clock="anchored")[0] == (0, 2, 1)
        assert kept(ws, horizon=1, clock="rolling")[0] == (0, 2, 1)
        assert kept(ws, horizon=1, min_occurrences=2)[0] == (0, 2, 1)


def test_calendar_days_anchored_weeks_and_rolling_hours_cut_differently() -> None:
    """A return after 23 hours lies on the next calendar day, in the same week, and within the first 24 hours."""
    with workspace([("ada", 5, "10:00:00", "like"), ("ada", 6, "09:00:00", "like")]) as ws:
        assert kept(ws, horizon=1) == [(0, 1, 1), (1, 1, 1)]
        assert kept(ws, horizon=1, clock="rolling") == [(0, 1, 1), (1, 1, 0)]
        assert kept(ws, clock="anchored", grain="week", horizon=1) == [(0, 1, 1)]
        hours = kept(ws, clock="rolling", grain="hour", horizon=24)
        assert [period for period, _, back in hours if back] == [23]


def test_periods_may_have_several_units_counted_from_any_day() -> None:
    """Pairs of days, fortnights, and pairs of months."""
    with workspace(
        [("ada", 5, "10:00:00", "like"), ("ada", 8, "10:00:00", "like"), ("ada", 20, "10:00:00", "like")]
    ) as ws:
        assert kept(ws, every=2) == [(0, 1, 1), (1, 1, 1), (2, 1, 0)]
        assert kept(ws, every=2, anchor="2026-01-04") == [(0, 1, 1), (1, 1, 0), (2, 1, 1)]
        assert kept(ws, grain="week", every=2, horizon=1) == [(0, 1, 1), (1, 1, 1)]
        assert kept(ws, grain="month", every=2, horizon=1) == [(0, 1, 1)]
        assert kept(ws, every=3, clock="anchored", horizon=5) == [
            (0, 1, 0),
            (1, 1, 1),
            *((n, 1, int(n == 5)) for n in (2, 3, 4, 5)),
        ]
        assert kept(ws, every=3, clock="rolling", horizon=1)[1] == (1, 1, 1)
    rows = ws_rows(every=2)
    assert rows == [(date(2026, 1, 5), 1), (date(2026, 1, 7), 0)]


def ws_rows(**asked: Any) -> list[tuple[date, int]]:
    """Active people per bucket of four days."""
    with workspace(
        [("ada", 5, "10:00:00", "like"), ("ada", 6, "10:00:00", "like"), ("bob", 9, "10:00:00", "like")]
    ) as ws:
        return [
            (row["date"], row["active_users"])
            for row in ws.active_users(start="2026-01-05", end="2026-01-08", **asked).rows
        ]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"every": 0}, "from 1 to 366"),
        ({"every": 13, "grain": "month"}, "from 1 to 12 "),
        ({"every": 2, "grain": "hour"}, "from 1 to 1 "),
        ({"anchor": "2026-01-01", "grain": "hour"}, "hours are those of the clock"),
        ({"every": 2, "calendar": "week"}, "a calendar period is what it is"),
    ],
)
def test_buckets_that_no_axis_can_have_are_refused(asked: dict[str, Any], words: str) -> None:
    """With what is allowed."""
    with regulars.open() as ws, pytest.raises(QueryError, match=words) as found:
        ws.metric("active_users", **asked)
    assert found.value.code == "bad_every"


@pytest.mark.parametrize(
    ("metric", "options"),
    [
        ("funnel", {"steps": "like -> share"}),
        ("usage_interval", {}),
        ("active_days", {}),
        ("sessions", {"profile": "hour"}),
    ],
)
@pytest.mark.parametrize("steps", [{"every": 2}, {"anchor": "2026-01-01"}])
def test_without_a_time_axis_there_are_no_steps(metric: str, options: dict[str, Any], steps: dict[str, Any]) -> None:
    """They would do nothing but widen the range, so they are refused; the dated form of a metric takes them."""
    with regulars.open() as ws:
        with pytest.raises(QueryError, match=f"{metric} has no time axis here") as found:
            ws.metric(metric, **options, **steps)
        assert found.value.code == "bad_every"
        assert ws.metric("active_days", over_time=True, **steps).rows == []


def test_a_pooled_average_weighs_people_and_a_simple_one_cohorts() -> None:
    """Cohorts of 10 with 5 and of 5 with 4 kept: 9 of 15 are 60 %, the mean of 50 % and 80 % is 65 %."""
    did = [(f"a{n}", 5, "10:00:00", "like") for n in range(10)] + [(f"a{n}", 6, "10:00:00", "like") for n in range(5)]
    did += [(f"b{n}", 6, "10:00:00", "like") for n in range(5)] + [(f"b{n}", 7, "10:00:00", "like") for n in range(4)]
    with workspace([*did, ("z", 8, "10:00:00", "like")]) as ws:
        asked: dict[str, Any] = {"start": "2026-01-05", "end": "2026-01-06", "horizon": 1}
        pooled, simple = (ws.retention(**asked, average=each).averages[1] for each in ("pooled", "simple"))
    assert (pooled["cohorts"], pooled["cohort_size"], pooled["retention"]) == (2, 15, 0.6)
    assert simple["retention"] == pytest.approx(0.65)
    assert (pooled["low"], pooled["high"]) == wilson(9, 15)
    assert simple["low"] is None


def test_a_cohort_of_which_nobody_returned_counts_in_the_average_and_an_unfinished_cell_does_not() -> None:
    """Zeros are kept; the 7th is not over."""
    did = [("ada", 5, "10:00:00", "like"), ("bob", 6, "10:00:00", "like"), ("bob", 7, "10:00:00", "like")]
    with workspace(did, now="2026-01-07T12:00:00") as ws:
        found = ws.retention(start="2026-01-05", end="2026-01-06", horizon=1)
    assert [row["flags"] for row in found.rows][-1] == ["incomplete", "warming_up"]
    assert found.averages[1]["retention"] == 0.0
    assert found.averages[1]["cohorts"] == 1


def test_recurring_cohorts_share_people_so_their_average_has_no_interval() -> None:
    """Ada starts on both days."""
    did = [("ada", day, "10:00:00", "like") for day in (5, 6, 7)]
    with workspace(did) as ws:
        found = ws.retention(start="2026-01-05", end="2026-01-06", horizon=1, cohort="recurring")
    assert [row["retention_users"] for row in found.rows] == [1, 1, 1, 1]
    assert found.averages[1]["retention"] == 1.0
    assert found.averages[1]["low"] is None


def test_registration_starts_without_an_event() -> None:
    """Who never came is in the cohort; who has no date is not."""
    with workspace([("ada", 6, "10:00:00", "like"), ("eve", 7, "10:00:00", "like")]) as ws:
        ws.load([{"user_id": who, "registration_date": "2026-01-05"} for who in ("ada", "bob")], kind="users")
        assert kept(ws, cohort="registration") == [(0, 2, 0), (1, 2, 1), (2, 2, 0)]


@pytest.mark.parametrize("metric", ["retention", "onboarding", "stickiness_by_cohort"])
def test_who_has_no_registration_date_is_counted_among_those_left_out(metric: str) -> None:
    """Of the people asked about, whether they come or not; where a date does not matter, nothing is said of it."""
    did = [(who, 5, "10:00:00", "like") for who in ("ada", "bob", "eve", "qa")]
    with workspace(did) as ws:
        people = ({"user_id": "ada", "registration_date": "2026-01-05"}, {"user_id": "qa", "population": "test"})
        ws.load([*people, {"user_id": "zoe", "plan": "paid"}], kind="users")
        asked: dict[str, Any] = {"start": "2026-01-05", "end": "2026-01-05"}
        told = ws.metric(metric, cohort="registration", **asked).warnings
        paying = ws.metric(metric, cohort="registration", where="plan = 'paid'", **asked).warnings
        other = "first_time" if metric == "retention" else "first_activity"
        assert not any("registration" in text for text in ws.metric(metric, cohort=other, **asked).warnings)
    assert "people without a registration date, who are in no cohort: 3" in told
    assert "people without a registration date, who are in no cohort: 1" in paying


def test_registrations_before_the_data_are_flagged_and_what_could_not_be_seen_is_no_silence() -> None:
    """Ada registered 12 days before the first event there is; of her periods only those from that day on are known."""
    did = [(who, day, "10:00:00", "like") for who in ("ada", "bob") for day in range(2, 26)]
    with workspace([*did, ("ada", 1, "10:00:00", "like")]) as ws:
        ws.load([{"user_id": "ada", "registration_date": "2025-12-20"}], kind="users")
        ws.load([{"user_id": "bob", "registration_date": "2026-01-02"}], kind="users")
        asked: dict[str, Any] = {"cohort": "registration", "start": "2025-12-20", "end": "2026-01-02"}
        daily = ws.retention(horizon=12, **asked)
        weekly = ws.retention(horizon=2, grain="week", clock="anchored", **asked)
    assert [row["flags"] for row in daily.rows if row["date"] < date(2026, 1, 1)] == [["warming_up"]] * 13 * 12
    assert [row["flags"] for row in daily.rows if row["date"] >= date(2026, 1, 1)] == [[]] * 13 * 2
    assert [row["retention"] for row in daily.averages] == [1.0] * 13
    assert [row["cohort_size"] for row in daily.averages] == [1] * 12 + [2]
    assert {tuple(row["flags"]) for row in weekly.rows} == {("warming_up",)}
    # Bob's first week opens with its cohort on 12-29, and Ada's third one on 12-29 too.
    assert [row["cohort_size"] for row in weekly.averages] == [0, 1, 1]


def test_conditions_for_one_end_only() -> None:
    """The first start that passes, and the returns that pass."""
    did = [("ada", 5, "10:00:00", "like"), ("ada", 6, "10:00:00", "share"), ("bob", 5, "10:00:00", "share")]
    with workspace([*did, ("bob", 6, "11:00:00", "like"), ("eve", 7, "10:00:00", "like")]) as ws:
        like = [Filter(property="event.action", value="like")]
        assert kept(ws, start_where="event.action = 'like'", cohort="first_matching")[1] == (1, 1, 1)
        assert kept(ws, start_where=like)[1] == (1, 1, 1)
        assert kept(ws, return_where={"property": "event.action", "value": "like"})[1] == (1, 2, 1)
        assert kept(ws, where="event.action = 'like'")[1] == (1, 1, 0)
        assert kept(ws, start_event=EventCondition(("like",)), return_event={"events": ["share"]})[1] == (1, 1, 1)


def test_a_slice_is_that_of_the_start_and_the_rest_has_a_first_start_of_its_own() -> None:
    """Ada starts by liking; of what is not a like, her share comes first, and she votes after it."""
    did = [("ada", 5, "10:00:00", "like"), ("ada", 5, "11:00:00", "share"), ("ada", 6, "10:00:00", "vote")]
    did += [("bob", 5, "10:00:00", "like"), ("bob", 6, "10:00:00", "like"), ("eve", 7, "10:00:00", "like")]
    asked: dict[str, Any] = {"start": "2026-01-05", "end": "2026-01-05", "horizon": 1, "by": "event.action", "limit": 1}
    with workspace(did) as ws:
        rows = ws.retention(cohort="first_matching", **asked).rows
        assert [(row["event.action"], row["retention_users"]) for row in rows] == [
            ("like", 2),
            ("like", 2),
            (None, 1),
            (None, 1),
        ]
        rows = ws.retention(cohort="first_matching", match_breakdown=True, **asked).rows
        assert [row["retention_users"] for row in rows] == [2, 1, 1, 1]
        rows = ws.retention(**asked).rows
        assert {row["event.action"] for row in rows} == {"like"}


def test_what_changes_with_time_is_judged_on_the_day_of_the_start() -> None:
    """Ada registered on the day before, and is a week older when she returns."""
    with workspace([("ada", 5, "10:00:00", "like"), ("ada", 12, "10:00:00", "like")]) as ws:
        ws.load([{"user_id": "ada", "registration_date": "2026-01-04", "plan": "paid"}], kind="users")
        held = Filter(any=(Filter(property="tenure_band", value="0-6 days"), Filter(property="plan", value="free")))
        assert kept(ws, where=held, horizon=7)[7] == (7, 1, 1)
        assert kept(ws, where="tenure_band = '7-29 days'", horizon=7)[7] == (7, 0, 0)


def test_an_activity_about_whole_days_is_followed_by_days() -> None:
    """Two likes a day make a day; single events of it cannot be told apart."""
    did = [("ada", day, time, "like") for day in (5, 6) for time in ("10:00:00", "11:00:00")]
    with workspace([*did, ("bob", 5, "10:00:00", "like")], activity={"busy": Activity(min_events=2)}) as ws:
        assert kept(ws, activity="busy", horizon=1) == [(0, 1, 1), (1, 1, 1)]
        for asked in ({"clock": "rolling"}, {"by": "event.action"}, {"where": "event.action = 'like'"}):
            with pytest.raises(QueryError, match="is about whole days") as found:
                kept(ws, activity="busy", **asked)
            assert found.value.code == "bad_events"
        with pytest.raises(QueryError, match="is about whole days"):
            kept(ws, start_event="busy")


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ({"grain": "hour"}, "bad_grain", "add clock=rolling"),
        ({"cohort": "registration", "clock": "rolling"}, "bad_option", "no time of day"),
        ({"cohort": "registration", "start_event": "like"}, "bad_option", "no start event"),
        ({"cohort": "registration", "by": "event.action"}, "wrong_scope", "is no event"),
        ({"kind": "bracket", "horizon": 3}, "bad_option", "horizon is left out"),
        ({"brackets": "0,1-3"}, "bad_option", "kind=bracket"),
        ({"kind": "bracket", "horizon": None, "brackets": "3-1"}, "bad_option", "that grow"),
        ({"kind": "bracket", "horizon": None, "brackets": "0-400"}, "bad_option", "that grow"),
        ({"kind": "bracket", "horizon": None, "brackets": "soon"}, "bad_option", "that grow"),
        ({"kind": "bracket", "horizon": None, "brackets": []}, "bad_option", "that grow"),
        ({"horizon": 367}, "bad_option", "from 1 to 366"),
        ({"start_event": 5}, "bad_option", "an event type"),
        ({"start_event": {"event": "like"}}, "bad_option", "an event type"),
        ({"start_event": " , "}, "bad_option", "an event type"),
        ({"start_event": {"events": [], "where": [{"property": "x"}]}}, "bad_filter", "takes a value"),
        ({"start_where": "tenure_band = '0-6 days'"}, "wrong_scope", "stored user attributes"),
        ({"start_where": "nonsense = 1"}, "unknown_property", "nonsense"),
        ({"clock": "sundial"}, "bad_option", "calendar, anchored, rolling"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused_with_the_way_out(asked: dict[str, Any], code: str, words: str) -> None:
    """Each with a stable code."""
    with workspace([("ada", 5, "10:00:00", "like")]) as ws, pytest.raises(QueryError, match=words) as found:
        kept(ws, **asked)
    assert found.value.code == code


def test_an_event_nobody_ever_sent_is_said_to_be_unseen() -> None:
    """The rows are there, and count nobody, and the nearest name is suggested."""
    with workspace([("ada", 5, "10:00:00", "sign_up")]) as ws:
        found = ws.retention(start="2026-01-05", end="2026-01-05", start_event="signup", horizon=1)
        assert [row["cohort_size"] for row in found.rows] == [0]
        assert found.warnings[0] == "unseen_event: no event 'signup' was ever loaded; did you mean 'sign_up'?"
        empty = ws.retention(start="2026-01-05", start_event={"events": []}, horizon=1)
    assert [row["cohort_size"] for row in empty.rows] == [0]


def test_an_unknown_option_is_an_error_that_suggests_the_nearest() -> None:
    """As everywhere."""
    with regulars.open() as ws, pytest.raises(UnknownNameError, match="did you mean 'horizon'"):
        ws.metric("retention", horizont=3)


def test_lifecycle_needs_a_day_on_which_to_judge_what_changes_with_time() -> None:
    """Both periods must see a person in the same slice."""
    with workspace([("ada", 5, "10:00:00", "like"), ("ada", 6, "10:00:00", "like")]) as ws:
        with pytest.raises(QueryError, match="give that day as as_of") as found:
            ws.lifecycle(by="tenure_band")
        assert found.value.code == "needs_as_of"
        rows = ws.lifecycle(by="tenure_band", as_of="2026-01-06", start="2026-01-06").rows
    assert [(row["date"], row["tenure_band"], row["retained"]) for row in rows] == [(date(2026, 1, 6), "(none)", 1)]
