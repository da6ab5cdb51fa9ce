"""What each metric accepts, and what its numbers are on days that can be counted by hand."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from regulars.domain.metrics import ALIASES, METRICS
from regulars.domain.query import Query, Range
from regulars.errors import QueryError, UnknownNameError
from regulars.settings import Activity, PopulationSettings
from tests.domain.examples import column, did, workspace

if TYPE_CHECKING:
    from regulars.domain.metrics.record import Metric

NOVEMBER = [did("a", f"2026-11-{day:02}T12:00:00") for day in (1, 2, 9)] + [did("b", "2026-11-02T12:00:00")]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"window": 0}, "bad_window"),
        ({"window": 367}, "bad_window"),
        ({"window": 7, "calendar": "week"}, "window_and_calendar"),
        ({"limit": 0}, "bad_limit"),
        ({"limit": 1001}, "bad_limit"),
        ({"breakdown": ("a", "b", "c", "d")}, "too_many_breakdowns"),
        ({"breakdown": ("a", "a")}, "bad_breakdown"),
    ],
)
def test_a_question_without_meaning_is_refused_when_it_is_made(made: dict[str, Any], code: str) -> None:
    """Before any workspace is asked."""
    with pytest.raises(QueryError) as error:
        Query(metric="active_users", **made)
    assert error.value.code == code


@pytest.mark.parametrize("window", [1, 366])
def test_a_window_has_1_to_366_days(window: int) -> None:
    """Both bounds are answered, by counting back exactly that far."""
    with workspace(did("a", "2025-01-01T12:00:00"), did("b", "2026-12-31T12:00:00")) as ws:
        rows = ws.active_users(window=window, start="2025-01-01", end="2026-01-05").rows
    shown = [row["date"] for row in rows if row["active_users"]]
    assert (shown[0], len(shown)) == (date(2025, 1, 1), window)


def test_a_range_that_runs_backwards_is_refused() -> None:
    """With both ends given; without an end, when it starts after the last day with data, which is told."""
    with pytest.raises(QueryError, match="swap them"):
        Range(start=date(2026, 1, 2), end=date(2026, 1, 1))
    with workspace(*NOVEMBER) as ws:
        with pytest.raises(
            QueryError, match=r"starts on 2027-01-01, but the last day with data is 2026-11-09; .* an end"
        ):
            ws.active_users(start="2027-01-01")
        with pytest.raises(QueryError, match="outside 1971-01-01 to 2100-01-01"):
            ws.active_users(start="1900-01-01")
        assert ws.active_users(start="2027-01-01", end="2027-01-02").rows == []


@pytest.mark.parametrize(("name", "window"), [("dau", 1), ("wau", 7), ("mau", 30)])
def test_aliases_are_active_users_with_a_window(name: str, window: int) -> None:
    """And refuse another one."""
    assert ALIASES[name] == ("active_users", window)
    with workspace(*NOVEMBER) as ws:
        assert ws.metric(name).rows == ws.active_users(window=window).rows
        assert ws.query(Query(metric=name)).rows == ws.query(Query(metric=name, window=window)).rows
        for other in ({"window": 5}, {"calendar": "week"}):
            with pytest.raises(QueryError, match=f"always has a window of {window} days") as error:
                ws.metric(name, **other)
            assert error.value.code == "alias_with_window"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("active_user", "active_users"), ("sticky", "stickiness"), ("maus", "mau"), ("acions", "actions")],
)
def test_an_unknown_metric_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    """And with the command that lists them."""
    with workspace() as ws, pytest.raises(UnknownNameError, match=f"{nearest}.*regulars metrics") as error:
        ws.metric(name)
    assert error.value.code == "unknown_metric"


@pytest.mark.parametrize(
    ("name", "question", "code"),
    [
        ("actions", {"window": 7}, "bad_window"),
        ("actions", {"calendar": "week"}, "bad_calendar"),
        ("new_vs_returning", {"grain": "hour"}, "bad_grain"),
        ("new_vs_returning", {"new_by": "birth"}, "bad_option"),
        ("actions", {"weighted": 1}, "bad_option"),
        ("actions", {"weighted": "true"}, "bad_option"),
        ("stickiness", {"numerator": 0}, "bad_option"),
        ("stickiness", {"numerator": True}, "bad_option"),
        ("stickiness", {"numerator": "7"}, "bad_option"),
        ("stickiness", {"numerator": 8, "window": 7}, "bad_window"),
        ("stickiness", {"method": "median"}, "bad_option"),
        ("stickiness", {"summary": "mode"}, "bad_option"),
        ("stickiness", {"method": "return", "window": 7}, "bad_window"),
        ("stickiness", {"method": "return", "numerator": 1}, "bad_window"),
        ("stickiness", {"mehtod": "mean"}, "unknown_option"),
        ("active_users", {"weighted": True}, "unknown_option"),
        ("active_users", {"activity": "cor"}, "unknown_activity"),
        ("active_users", {"start": "yesterday"}, "bad_date"),
        ("active_users", {"by": ("geo.country", "tenure_band")}, "mixed_breakdown"),
    ],
)
def test_what_a_metric_cannot_answer_is_refused_with_a_code(name: str, question: dict[str, Any], code: str) -> None:
    """Also where there are no data yet."""
    with workspace() as ws, pytest.raises(QueryError) as error:
        ws.metric(name, **question)
    assert error.value.code == code


def test_an_unknown_option_suggests_the_nearest() -> None:
    """A typing mistake is not ignored."""
    with workspace() as ws, pytest.raises(UnknownNameError, match="did you mean 'method'"):
        ws.stickiness(mehtod="mean")


NEEDED: dict[str, dict[str, Any]] = {
    **{name: {"steps": "like -> share"} for name in ("funnel", "funnel_trend", "time_to_convert")},
    "experiment": {"experiment": "colour"},
}


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_none_is_an_option_left_open_or_refused_by_its_name(metric: Metric) -> None:
    """None is the answer without the option where that has no value, and no value to compute with where it has one."""
    needed = NEEDED.get(metric.name, {})
    with workspace(*NOVEMBER, did("a", "2026-11-09T13:00:00", "share", properties={"amount": 5})) as ws:
        rows = ws.query(Query(metric=metric.name, options=needed)).rows
        for option in metric.options:
            query = Query(metric=metric.name, options={**needed, option.name: None})
            if option.default is None and option.name not in needed:
                assert ws.query(query).rows == rows
                continue
            code = "bad_option" if option.default is not None else f"no_{option.name}"
            with pytest.raises(QueryError, match=rf"\b{option.name}\b") as error:
                ws.query(query)
            assert error.value.code == code


def test_an_option_left_out_has_its_default() -> None:
    """The catalogue says which."""
    for metric in METRICS.values():
        for option in metric.options:
            assert metric.option(Query(metric=metric.name), option.name) == option.value(option.default)
            assert option.largest or option.read or option.default in option.choices


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"calendar": "week", "start": "2026-11-01"}, [("2026-10-26", 1), ("2026-11-02", 2), ("2026-11-09", 1)]),
        ({"calendar": "month", "start": "2026-11-01"}, [("2026-11-01", 2)]),
        ({"calendar": "quarter", "start": "2026-11-01"}, [("2026-10-01", 2)]),
        ({"calendar": "year", "start": "2026-11-01"}, [("2026-01-01", 2)]),
        ({"grain": "week", "start": "2026-11-01"}, [("2026-10-26", 1), ("2026-11-02", 2), ("2026-11-09", 1)]),
        (
            {"grain": "week", "window": 1, "start": "2026-11-01"},
            [("2026-10-26", 1), ("2026-11-02", 0), ("2026-11-09", 1)],
        ),
        ({"grain": "month", "window": 8, "start": "2026-11-01"}, [("2026-11-01", 2)]),
    ],
)
def test_periods_and_windows_count_what_they_say(question: dict[str, Any], expected: list[tuple[str, int]]) -> None:
    """A period counts its people once, a window is read on the last day of its bucket."""
    with workspace(*NOVEMBER) as ws:
        rows = ws.active_users(**question).rows
    assert [(row["date"].isoformat(), row["active_users"]) for row in rows] == expected


@pytest.mark.parametrize("week_start", ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"])
def test_weeks_begin_where_the_settings_say(week_start: str) -> None:
    """Over a leap day and the end of a year with 53 ISO weeks."""
    for first in ("2024-02-26", "2020-12-25"):
        events = [
            did("a", f"{first}T12:00:00"),
            did("a", "2024-03-10T12:00:00" if first[3] == "4" else "2021-01-10T12:00:00"),
        ]
        with workspace(*events, week_start=week_start) as ws:
            weeks = column(ws.active_users(calendar="week", start=first), "date")
        assert {day.strftime("%A").lower() for day in weeks} == {week_start}
        assert {(later - sooner).days for sooner, later in itertools.pairwise(weeks)} == {7}


def test_stickiness_of_an_empty_day_is_undefined_and_says_why() -> None:
    """None, never 0 and never an error."""
    with workspace(did("a", "2026-11-01T12:00:00"), did("a", "2026-11-05T12:00:00")) as ws:
        result = ws.stickiness(window=2, start="2026-11-01")
        mean = ws.stickiness(window=2, method="mean", start="2026-11-01")
        back = ws.stickiness(method="return", start="2026-11-01")
        summed = ws.stickiness(window=2, summary="median", start="2026-11-01")
    assert column(result, "stickiness") == [1.0, 0.0, None, None, 1.0]
    assert column(mean, "stickiness") == [0.5, 0.5, None, None, 0.5]
    assert column(back, "stickiness") == [0.0, None, None, None, None]
    assert column(summed, "stickiness") == [1.0]
    assert all("undefined" in result.warnings[-1] for result in (result, mean, back))
    assert "numerator and denominator are empty" in summed.warnings[-1]


@pytest.mark.parametrize(
    ("activity", "expected"),
    [("core", 2), ("any", 4), ("conversion", 2), ("core_feature", 1), ("none", 0), ("twice", 1)],
)
def test_activities_say_who_is_active(activity: str, expected: int) -> None:
    """Markers never count; a declared activity without events has nobody."""
    events = [
        did("a", "2026-11-01T01:00:00"),
        did("a", "2026-11-01T02:00:00", feature="editor"),
        did("b", "2026-11-01T01:00:00", "purchase"),
        did("c", "2026-11-01T01:00:00", "payment_success"),
        did("d", "2026-11-01T01:00:00", "notification_sent"),
        did("e", "2026-11-01T01:00:00", "session_start"),
    ]
    rules = {"none": Activity(events=()), "twice": Activity(min_events=2)}
    with workspace(*events, activity=rules, core_features=("editor",)) as ws:
        assert column(ws.active_users(activity=activity, start="2026-11-01"), "active_users") == [expected]


def test_without_core_features_nobody_uses_one() -> None:
    """The activity is there, and empty."""
    with workspace(did("a", "2026-11-01T02:00:00", feature="editor")) as ws:
        assert column(ws.active_users(activity="core_feature", start="2026-11-01"), "active_users") == [0]


EVERYBODY = (
    {"user_id": "t", "is_test_account": "true"},
    {"user_id": "r", "is_bot": "yes"},
    {"user_id": "x", "population": "TEST"},
    {"user_id": "n", "is_test": "no"},
    {"user_id": "s", "population": "test"},
    {"user_id": "p", "population": "nonsense"},
)


def test_every_result_carries_the_ledger_of_its_population() -> None:
    """Who was counted and who was left out, settings first, then flags."""
    rule = PopulationSettings(production_users=("s",), test_users=("a",), bots=("b",))
    events = [did(user, "2026-11-01T12:00:00") for user in "abtrxnspq"]
    with workspace(*events, users=EVERYBODY, population=rule) as ws:
        found = {
            kind: ws.active_users(start="2026-11-01", population=kind) for kind in ("production", "test", "bot", "all")
        }
        for question in (
            {"where": "action = 'like'"},
            {"where": "user_id != 'zz'"},
            {"grain": "hour", "end": "2026-11-01"},
        ):
            again = ws.active_users(start="2026-11-01", **question)
            assert again.population == found["production"].population
    assert {kind: column(result, "active_users") for kind, result in found.items()} == {
        "production": [4],
        "test": [3],
        "bot": [2],
        "all": [9],
    }
    assert found["production"].population == {"total": 4, "excluded": {"bot": 2, "test": 3}}
    assert found["test"].population == {"total": 3, "excluded": {"bot": 2, "production": 4}}
    assert found["all"].population == {"total": 9, "excluded": {}}


def test_flags_say_what_is_not_settled() -> None:
    """The present day is incomplete; windows that begin before the data warm up."""
    now = datetime(2026, 11, 9, 18, tzinfo=UTC)
    with workspace(*NOVEMBER, now=now) as ws:
        daily = ws.active_users(window=3, start="2026-11-01").rows
        past = ws.active_users(window=3, as_of="2026-11-05").rows[-1]
        weekly = ws.new_vs_returning(grain="week", start="2026-11-01").rows
    assert [row["flags"] for row in daily] == [["warming_up"]] * 2 + [[]] * 6 + [["incomplete"]]
    assert (past["date"], past["flags"]) == (date(2026, 11, 5), [])
    assert [row["flags"] for row in weekly] == [["warming_up"]] * 2 + [["incomplete", "warming_up"]]


def test_new_people_can_be_those_who_registered() -> None:
    """Active in the bucket of their registration."""
    users = ({"user_id": "a", "registration_date": "2026-11-02"}, {"user_id": "b", "registration_date": "2026-11-02"})
    with workspace(*NOVEMBER, users=users) as ws:
        rows = ws.new_vs_returning(new_by="registration", start="2026-11-01", end="2026-11-03").rows
        first = ws.new_vs_returning(start="2026-11-01", end="2026-11-03").rows
    assert [(row["new"], row["returning"]) for row in rows] == [(0, 1), (2, 0), (0, 0)]
    assert [(row["new"], row["returning"]) for row in first] == [(1, 0), (1, 1), (0, 0)]


@pytest.mark.parametrize(("metric", "back"), [("lifecycle", "resurrected"), ("new_vs_returning", "returning")])
@pytest.mark.parametrize("new_by", ["first_activity", "registration"])
def test_who_seems_to_be_back_on_the_first_days_may_never_have_been_away(metric: str, back: str, new_by: str) -> None:
    """Registered long before the data, people are not new in its first window, and nothing tells what they did."""
    users = tuple({"user_id": user, "registration_date": "2025-03-01"} for user in "abc")
    events = [did(user, f"{day}T12:00:00") for user in "abc" for day in ("2026-01-01", "2026-01-30", "2026-01-31")]
    with workspace(*events, users=users) as ws:
        rows = ws.metric(metric, new_by=new_by, start="2026-01-01").rows
    assert rows[0][back] == (3 if new_by == "registration" else 0)
    assert [row["flags"] for row in rows] == [["warming_up"]] * 30 + [[]]


def test_bands_are_those_of_the_day() -> None:
    """Tenure and age move people from slice to slice; who has neither date stands under what is missing."""
    users = (
        {"user_id": "a", "registration_date": "2026-10-27", "birth_date": "2008-11-02"},
        {"user_id": "b", "birth_date": "2008-11-10"},
    )
    question: dict[str, Any] = {"start": "2026-11-01", "end": "2026-11-03", "window": 7}
    with workspace(*NOVEMBER, users=users) as ws:
        for where in ("user_id != 'zz'", "action = 'like'"):
            tenure = ws.active_users(by="tenure_band", where=where, **question).rows
            age = ws.active_users(by="age_band", where=where, **question).rows
            both = ws.active_users(where=("tenure_band = '7-29 days' and age_band = '18-24'",), **question)
            assert {
                (row["date"].day, row["tenure_band"]): row["active_users"] for row in tenure if row["active_users"]
            } == {
                (1, "0-6 days"): 1,
                (2, "0-6 days"): 1,
                (2, "(none)"): 1,
                (3, "7-29 days"): 1,
                (3, "(none)"): 1,
            }
            assert {(row["date"].day, row["age_band"]): row["active_users"] for row in age if row["active_users"]} == {
                (1, "under 18"): 1,
                (2, "18-24"): 1,
                (2, "under 18"): 1,
                (3, "18-24"): 1,
                (3, "under 18"): 1,
            }
            assert column(both, "active_users") == [0, 0, 1]


def test_a_summary_leaves_out_days_whose_ratio_may_change() -> None:
    """Of a return share also the day before the running one, whose people may yet come back."""
    events = [did("a", f"2026-11-0{day}T12:00:00") for day in (2, 3, 4)] + [did("b", "2026-11-03T12:00:00")]
    week: dict[str, Any] = {"method": "return", "grain": "week", "start": "2026-11-02", "summary": "min"}
    for now, lowest in ((datetime(2026, 11, 4, 23, tzinfo=UTC), 1), (datetime(2026, 11, 5, tzinfo=UTC), 1 / 2)):
        with workspace(*events, now=now) as ws:
            assert column(ws.stickiness(**week), "stickiness") == [lowest]


def test_a_summary_of_a_slice_is_that_of_its_people_alone() -> None:
    """Who comes on two days in a row is there on 2 of the 3 days that remember them; who comes once, on 1 of 2."""
    users = ({"user_id": "a", "plan": "paid"}, {"user_id": "b", "plan": "free"})
    events = [did("a", f"2026-11-0{day}T12:00:00") for day in (2, 3)] + [did("b", "2026-11-02T12:00:00")]
    with workspace(*events, did("c", "2026-11-08T12:00:00"), users=users) as ws:
        week: dict[str, Any] = {"window": 2, "grain": "week", "start": "2026-11-02", "summary": "mean"}
        by_plan = ws.stickiness(by="plan", limit=2, **week).rows
        assert {row["plan"]: row["stickiness"] for row in by_plan} == {"(none)": 1, "free": 1 / 2, None: 2 / 3}
        for plan, share in (("free", 1 / 2), ("paid", 2 / 3)):
            assert column(ws.stickiness(where=f"plan = '{plan}'", **week), "stickiness") == [share]
