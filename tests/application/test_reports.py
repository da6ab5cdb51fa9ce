"""What reports say: sentences that follow from the numbers, comparisons only of what can be compared."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from regulars.application.reports.comparison import Comparison, moved, pair
from regulars.application.reports.conversion import likely_steps
from regulars.application.reports.declarations import declaration
from regulars.application.reports.scope import Chosen, Coverage, scope_of
from regulars.domain.actions import describe
from regulars.errors import QueryError, UnknownNameError
from regulars.interfaces.reports import NAMES, answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regulars.application.reports.parts import Report
    from regulars.workspace import Workspace

FIRST = date(2026, 1, 5)
Visit = tuple[str, str, int]


def workspace(visits: Iterable[Visit], *, last: int, hour: int = 24, **more: Any) -> Workspace:
    """Events as (person, event type, day from Monday 5 January 2026), seen at an hour of the last day."""
    clock = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=last, hours=hour)
    ws = regulars.open(clock=lambda: clock)
    ws.load(
        [
            {"user_id": who, "event_type": kind, **more,
             "timestamp": datetime(2026, 1, 5, 9, n % 60, tzinfo=UTC) + timedelta(days=day)}
            for n, (who, kind, day) in enumerate(visits)
        ]
    )  # fmt: skip
    return ws


def daily(people: dict[int, int], kind: str = "like") -> list[Visit]:
    """So many people on each day: always the first ones of the same list."""
    return [(f"u{n:03}", kind, day) for day, count in people.items() for n in range(count)]


def finding(report: Report, key: str) -> str:
    """The sentence of a section, or the reason why it has none."""
    section = next(each for each in report.sections if each.key == key)
    return section.finding or section.reason


def quoted(report: Report, label: str) -> tuple[str, str, str]:
    """A key number: its text, its change, and with what it was compared."""
    quote = next(each.quote for each in report.key_numbers if each.label.startswith(label))
    return quote.cell.text, quote.change, quote.note


@pytest.mark.parametrize(
    ("before", "now", "sentence"),
    [
        (10, 12, r"Monthly active users grew 20\.0% to 12 \(5 Feb . 6 Mar vs 6 Jan . 4 Feb\)\."),
        (12, 9, r"Monthly active users fell 25\.0% to 9 \(.* vs .*\)\."),
        (10, 10, r"Monthly active users stayed at 10 \(.* vs .*\)\."),
        (
            0,
            4,
            r"Monthly active users: 4 \(5 Feb . 6 Mar\); no comparison, as there was nothing to compare with \(.*\)\.",
        ),
    ],
)
def test_a_window_is_compared_with_the_window_before_it(before: int, now: int, sentence: str) -> None:
    """It grew, fell, stayed, or cannot be compared with nobody."""
    people = {0: 1, 20: before, 50: now, 60: min(now, 1)}
    visits = [(f"w{n}" if day == 0 else f"u{n}", "like", day) for day, count in people.items() for n in range(count)]
    with workspace(visits, last=60) as ws:
        assert re.fullmatch(sentence, finding(answer(ws, "summary"), "active"))


def test_a_window_that_began_before_the_data_is_not_compared() -> None:
    """The growth would only be that of the data."""
    with workspace(daily(dict.fromkeys(range(40), 3)), last=39) as ws:
        report = answer(ws, "summary")
    assert finding(report, "active").endswith("3 (15 Jan \N{EN DASH} 13 Feb); no comparison, as the data begin on "
                                              "5 Jan 2026.")  # fmt: skip
    assert quoted(report, "Weekly") == (
        "3",
        "\N{PLUS-MINUS SIGN}0.0%",
        "7\N{EN DASH}13 Feb vs 31 Jan \N{EN DASH} 6 Feb",
    )


def test_a_day_is_compared_with_the_same_weekday_and_a_share_by_points() -> None:
    """Thursday with Thursday; 50.0 % after 100 % is 50 points less, and not half."""
    visits = daily(dict.fromkeys(range(60), 2)) + [(f"x{n}", "like", 80) for n in range(3)]
    visits += daily(dict.fromkeys(range(60, 88), 1))
    with workspace(visits, last=87) as ws:
        report = answer(ws, "summary")
    assert quoted(report, "Daily") == ("1", "\N{MINUS SIGN}75.0%", "Thu 2 Apr vs Thu 26 Mar")
    change = Comparison(0.5, 1.0, "ratio", "", "", "")
    assert (change.signed, change.direction) == ("\N{MINUS SIGN}50.0 points", "down")


def test_who_is_at_risk_is_compared_with_the_window_before_as_the_report_says() -> None:
    """Tiers look back over 30 days: the two windows are named, and no weekdays, and one of before the data is none."""
    visits = [*daily(dict.fromkeys(range(90), 2)), ("x", "like", 50), ("y", "like", 75), ("z", "like", 76)]
    with workspace(visits, last=89) as ws:
        report = answer(ws, "summary")
        young = answer(ws, "summary", end="2026-02-13")
    assert quoted(report, "At risk") == ("2", "+100.0%", "6 Mar \N{EN DASH} 4 Apr vs 4 Feb \N{EN DASH} 5 Mar")
    (compared,) = [term.words for term in report.terms if term.name == "Comparisons"]
    assert compared.startswith("A window of days is compared with the window before it, a single day with the same")
    assert quoted(young, "At risk")[1:] == ("", "15 Jan \N{EN DASH} 13 Feb; the data begin on 5 Jan 2026")


def test_a_day_that_is_not_over_is_neither_quoted_nor_compared() -> None:
    """At noon of the last day, the day before it speaks; the last one is in the chart's answer, flagged."""
    with workspace(daily({**dict.fromkeys(range(70), 4), 70: 1}), last=70, hour=12) as ws:
        whole, open_ended = answer(ws, "summary"), answer(ws, "summary", start="2026-02-15", end="2026-03-16")
    assert whole.period == "14 Feb \N{EN DASH} 15 Mar 2026"
    for report in (whole, open_ended):
        assert quoted(report, "Daily")[0] == "4"
        assert "Sun 15 Mar vs Sun 8 Mar" in quoted(report, "Daily")[2]
    rows = next(s for s in open_ended.sections if s.key == "active").answers["dau"].rows
    assert rows[-1] == {"date": date(2026, 3, 16), "active_users": 1, "flags": ["incomplete"]}


def test_growth_accounts_for_everybody_of_the_period_before() -> None:
    """Ten were active, eight came again, two did not; five are new and one is back after a break."""
    visits = [(f"old{n}", "like", 35) for n in range(10)] + [(f"old{n}", "like", 65) for n in range(8)]
    visits += [("back", "like", 0), ("back", "like", 66)] + [(f"new{n}", "like", 70) for n in range(5)]
    visits.append(("other", "support_ticket", 89))
    with workspace(visits, last=89) as ws:
        report = answer(ws, "summary")
    assert finding(report, "growth") == (
        "Of the 10 people active in 4 Feb \N{EN DASH} 5 Mar, 8 (80.0%) came again in 6 Mar \N{EN DASH} 4 Apr and 2 did "
        "not; 5 were new and 1 came back after a break."
    )
    assert finding(report, "new") == (
        "People active for the first time fell 50.0% to 5 (6 Mar \N{EN DASH} 4 Apr vs 4 Feb \N{EN DASH} 5 Mar). That "
        "is 35.7% of all active."
    )
    assert quoted(report, "New in") == (
        "5",
        "\N{MINUS SIGN}50.0%",
        "6 Mar \N{EN DASH} 4 Apr vs 4 Feb \N{EN DASH} 5 Mar",
    )


def test_a_period_in_which_nobody_came_is_reported_without_dividing_by_nobody() -> None:
    """Three quiet months after a lively day, in every report."""
    visits = [*daily({0: 3}, "login"), ("late", "support_ticket", 120)]
    with workspace(visits, last=121) as ws:
        for name in NAMES:
            report = answer(ws, name)
            assert all(section.finding or section.reason for section in report.sections)
        summary, engagement = answer(ws, "summary"), answer(ws, "engagement")
    assert finding(summary, "active").startswith("Monthly active users: 0 (")
    assert finding(summary, "tiers").startswith("0 people are power users: active on 20 or more")
    assert quoted(summary, "Stickiness")[0] == "\N{EN DASH}"
    assert "not defined" in finding(engagement, "stickiness")
    assert finding(engagement, "sessions") == "There were no sessions in the period."


def test_retention_is_told_for_the_weeks_that_are_over() -> None:
    """Two weekly cohorts of four: all of the first come back, one of the second does not."""
    visits = [(f"a{n}", "like", day) for n in range(4) for day in (37, 44)]
    visits += [(f"b{n}", "like", day) for n in range(4) for day in ((44, 51) if n else (44,))]
    visits += [("x", "like", 0), ("x", "like", 57)]
    with workspace(visits, last=57) as ws:
        report = answer(ws, "retention")
    assert quoted(report, "Back in the week after")[0] == "77.8%"
    assert finding(report, "cohorts") == (
        "Of the newest cohort whose first week after is over, 75.0% of 4 people came back in that week, 25.0 points "
        "less than the cohort before."
    )
    assert "in the week after" in finding(report, "retention")


def test_a_young_workspace_says_what_cannot_be_said_yet() -> None:
    """Two days: no week is over, nobody left, nobody moved."""
    with workspace([("ada", "like", 0), ("ada", "like", 1)], last=1) as ws:
        retention, engagement = answer(ws, "retention"), answer(ws, "engagement")
    assert finding(retention, "cohorts") == "There are not yet two cohorts whose first week after is over."
    assert "Nobody came first long enough ago" in finding(retention, "retention")
    assert "nobody has a tier before the period" in finding(engagement, "movers")
    assert finding(retention, "interval").startswith(
        "Half of the people come again within 1 day, four in five within 1"
    )


def test_slices_of_a_first_week_are_not_compared_before_a_second_one_is_over() -> None:
    """Nobody has had the time to come back in a week after the first."""
    with workspace([("ada", "like", 0), ("ada", "like", 1)], last=1, shelf="left") as ws:
        report = answer(ws, "retention", by="shelf")
    assert finding(report, "by_shelf") == "No week after the first is over for any of them."


def test_cohorts_that_come_back_alike_are_said_to() -> None:
    """And when half have left, after how many days."""
    visits = [
        (f"{week}{n}", "like", 30 + 7 * week + 7 * then) for week in range(3) for n in range(2) for then in (0, 1)
    ]
    with workspace([*visits, ("x", "like", 0), ("x", "like", 120)], last=120) as ws:
        report = answer(ws, "retention", start="2026-02-01", end="2026-03-31")
    assert "as many as of the cohort before" in finding(report, "cohorts")
    assert finding(report, "survival") == "Half of the people have left 7 days after their first active day."


def test_a_funnel_is_taken_from_what_people_do() -> None:
    """Of each kind the action most people did; endings of visits and what came from nowhere are no steps."""
    people = {"login": 9, "logout": 9, "view": 8, "click": 8, "purchase": 2, "subscribe": 1, "sign_up": 3, "gone": 0}
    actions = {name: describe(name) for name in people if name != "subscribe"}
    assert likely_steps(people, actions) == ("sign_up", "login", "click", "purchase")
    assert likely_steps({"login": 9}, actions) == ()


def test_the_funnel_follows_everybody_for_as_long_as_an_attempt_may_take() -> None:
    """Entries end fourteen days before the last day; of them one in two buys."""
    visits = [(f"u{n}", "login", 20 + n % 3) for n in range(6)] + [(f"u{n}", "purchase", 25) for n in range(3)]
    with workspace([*visits, ("u0", "login", 45), ("x", "login", 0)], last=45) as ws:
        report = answer(ws, "conversion")
    assert finding(report, "funnel") == (
        "Of 6 people who began in 7 Jan \N{EN DASH} 5 Feb, 3 (50.0%) reached purchase within 14 days; most were lost "
        "between login and purchase (3)."
    )
    assert finding(report, "speed").startswith("Half of the 3 people who converted took")
    assert finding(report, "revenue") == "No event carries a payment with an amount."
    assert "Revenue" not in {each.label for each in report.key_numbers}


def test_a_funnel_that_loses_nobody_says_so_and_an_open_day_hides_no_step() -> None:
    """The last day, not over, has logins only; the purchases before it still are a step."""
    visits = [(f"u{n}", kind, 20 + step) for n in range(3) for step, kind in enumerate(("login", "purchase"))]
    with workspace([("x", "view", 0), *visits, ("x", "login", 45)], last=45, hour=12) as ws:
        report = answer(ws, "conversion", start="2026-01-20", end="2026-02-19")
    assert finding(report, "funnel").endswith("reached purchase within 14 days; nobody was lost on the way.")


def test_weeks_begin_where_the_data_do() -> None:
    """The 5th of January is a Monday: no empty week stands before it."""
    with workspace(daily(dict.fromkeys(range(20), 2)), last=19) as ws:
        rows = next(s for s in answer(ws, "summary").sections if s.key == "new").answers["weeks"].rows
    assert rows[0]["date"] == FIRST


def test_without_two_kinds_of_action_there_is_no_funnel_and_the_report_says_so() -> None:
    """Every section about it, and no key number."""
    with workspace([("ada", "dance", 0)], last=0) as ws:
        report = answer(ws, "conversion")
    for key in ("funnel", "trend", "speed", "by_country"):
        assert "name the steps with --step" in finding(report, key)
    assert "Funnel conversion" not in {each.label for each in report.key_numbers}


def test_steps_that_nobody_takes_are_reported_as_such() -> None:
    """Nobody began, nobody converted, no week is over."""
    with workspace([("ada", "login", 0), ("ada", "view", 1)], last=1) as ws:
        nobody = answer(ws, "conversion", steps=["purchase", "login"], by="action")
        short = answer(ws, "conversion", steps=["login", "purchase"])
    assert finding(nobody, "funnel").startswith(("Nobody took the first step", "Nothing to show"))
    assert finding(short, "speed") == "Nobody went through all steps in these days."
    assert finding(short, "trend") == "No week of entry is over yet."


def test_chosen_breakdowns_are_shown_in_every_report_and_usual_ones_only_where_they_exist() -> None:
    """A property that was chosen must exist; country and plan need not."""
    visits = daily(dict.fromkeys(range(40), 3), "login")
    with workspace(visits, last=39, shelf="left") as ws:
        for name in NAMES:
            assert "by_shelf" in {section.key for section in answer(ws, name, by="shelf").sections}
            with pytest.raises(UnknownNameError):
                answer(ws, name, by="shelve")
        assert finding(answer(ws, "summary"), "by_plan") == "No person or event has a value of plan."


def test_a_section_that_refuses_the_condition_says_why_and_the_others_stay() -> None:
    """Tenure changes with time, so growth, which compares two periods, cannot be asked by it."""
    with workspace(daily(dict.fromkeys(range(60), 3)), last=59) as ws:
        report = answer(ws, "summary", where="tenure_band = '30-89 days'")
    assert finding(report, "growth").startswith("This cannot be asked here: ")
    assert finding(report, "active").startswith("Monthly active users")


def test_conditions_are_said_at_the_top_also_in_groups() -> None:
    """As they were meant, whatever their form."""
    with workspace(daily(dict.fromkeys(range(40), 3)), last=39, shelf="left") as ws:
        where = ["shelf in ('left', 'right') or shelf is null", "shelf = 'left'"]
        lede = answer(ws, "summary", where=where).lede
    assert lede.endswith("where (shelf in (left, right) or shelf is not set) and shelf = left")


def test_who_was_never_active_before_the_period_moved_from_no_tier() -> None:
    """A support ticket is no activity."""
    with workspace([("ada", "support_ticket", 0), ("ada", "like", 40)], last=40) as ws:
        report = answer(ws, "engagement")
    assert finding(report, "movers") == "Nobody was active before the period, so nobody moved between tiers."


def test_a_slice_whose_people_came_lately_has_no_later_weeks() -> None:
    """Their line ends with dashes, not with zeros."""
    with workspace(daily(dict.fromkeys(range(0, 60, 7), 3)), last=60, shelf="old") as ws:
        ws.load([{"user_id": "new", "event_type": "like", "shelf": "new", "timestamp": "2026-02-24T09:00:00Z"}])
        table = next(s.table for s in answer(ws, "retention", by="shelf").sections if s.key == "by_shelf")
    lines = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert lines["new"][0] == "1"
    assert lines["new"][-1] == "\N{EN DASH}"


def test_the_days_of_a_report_are_refused_where_they_make_no_sense() -> None:
    """Backwards, too many, or beginning after the last day that is over."""
    covered = Coverage(date(2025, 1, 1), date(2025, 6, 30), date(2025, 6, 30), "UTC", 0)

    def scope(first: date | None, last: date | None):
        return scope_of(covered, first=first, last=last, chosen=Chosen(), actions={})

    assert (scope(None, None).first, scope(None, None).last) == (date(2025, 6, 1), date(2025, 6, 30))
    assert scope(None, date(2025, 3, 1)).first == date(2025, 1, 31)
    assert scope(date(2025, 6, 30), None).days == 1
    with pytest.raises(QueryError, match="the last day that is over"):
        scope(date(2025, 7, 2), None)
    with pytest.raises(QueryError, match="at most 366 days, not the 367"):
        scope(date(2024, 6, 29), date(2025, 6, 30))


def test_a_report_of_many_days_compares_with_as_many_days_before() -> None:
    """A quarter with the quarter before it, where the data reach."""
    people = {**dict.fromkeys(range(41), 3), **dict.fromkeys(range(41, 131), 5), **dict.fromkeys(range(131, 220), 6)}
    with workspace(daily(people), last=219) as ws:
        report = answer(ws, "summary", start=FIRST + timedelta(days=130), end=FIRST + timedelta(days=219))
    change = ("1", "\N{MINUS SIGN}50.0%", "15 May \N{EN DASH} 12 Aug vs 14 Feb \N{EN DASH} 14 May")
    assert quoted(report, "New in") == change


def test_a_change_says_nothing_where_there_is_nothing_to_say() -> None:
    """Undefined, or nothing before."""
    assert (
        moved("It", Comparison(None, 1, "ratio", "now", "", "nobody came")) == "It: not defined (now), as nobody came."
    )
    assert pair(3, 0, "people").signed == ""
    assert pair(None, 3, "people").signed == ""
    assert pair(3, 2, "people").signed == "+50.0%"


def test_an_unknown_report_is_answered_with_the_nearest() -> None:
    """By its stable code."""
    with pytest.raises(UnknownNameError, match="did you mean 'retention'") as caught:
        declaration("retenton")
    assert caught.value.code == "unknown_report"
