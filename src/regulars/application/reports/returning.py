"""Sections about who comes back, how often, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.application.reports.parts import Exhibit, Line, Section
from regulars.application.reports.tables import averages, averages_by_slice, by_name, triangle
from regulars.application.reports.words import counted, in_days, listed, number

if TYPE_CHECKING:
    from regulars.application.reports.parts import Answers
    from regulars.application.reports.scope import Scope
    from regulars.domain.query import Query
    from regulars.domain.result import Result

WEEKS_AHEAD = 8
_TOLD = (1, 4, 8)
_ROWS_SHOWN = 12
_AS_MANY = 0.0005


def weekly_retention(scope: Scope, **fields: Any) -> Query:
    """Retention by the week in which people came first, eight weeks ahead."""
    return scope.query("retention", scope.weeks_first, grain="week", options={"horizon": WEEKS_AHEAD}, **fields)


def _came_back(_: Scope, answers: Answers) -> str:
    found = {row["period"]: row for row in answers["retention"].averages}
    told = [
        f"{found[period]['retention']:.1%} {_after(period)}"
        for period in _TOLD
        if period in found and found[period]["retention"] is not None
    ]
    if not told:
        return "Nobody came first long enough ago to say who came back a week later."
    return f"Of the people who came first, {listed(told)} were active again."


def _after(period: int) -> str:
    return "in the week after" if period == 1 else f"in week {period}"


_ASK = lambda scope: {"retention": weekly_retention(scope)}  # noqa: E731 -- two sections ask alike

CURVE = Section(
    "retention",
    "Do people come back?",
    _ASK,
    _came_back,
    lambda _, answers: averages(
        "retention", answers["retention"], "period",
        {"cohorts": ("cohorts", "cohorts"), "cohort_size": ("people", "people"),
         "retention_users": ("came back", "people"), "retention": ("retention", "ratio"),
         "low": ("95% from", "ratio"), "high": ("to", "ratio")},
        "Weeks since the first active week; all cohorts whose week is over, pooled",
    ),
    Exhibit("curve", (Line("retention", "retention"),), "weeks since the first",
            "Retention by weeks since the first active week, with its 95% interval"),
)  # fmt: skip

TRIANGLE = Section(
    "cohorts",
    "Are later cohorts better?",
    _ASK,
    lambda scope, answers: _first_weeks(scope, answers["retention"]),
    lambda _, answers: triangle(
        "retention", answers["retention"], "retention",
        "Share of each weekly cohort active in the weeks after its first; the darker, the more",
    ),
    Exhibit("none"),
)  # fmt: skip


def _first_weeks(_: Scope, result: Result) -> str:
    known = [row for row in result.rows if row["period"] == 1 and "incomplete" not in row["flags"]]
    known = [row for row in known if "warming_up" not in row["flags"] and row["retention"] is not None]
    if len(known) < 2:  # noqa: PLR2004 -- two cohorts can be compared
        return "There are not yet two cohorts whose first week after is over."
    last, before = known[-1], known[-2]
    change = last["retention"] - before["retention"]
    more = f"{abs(change) * 100:.1f} points {'more' if change > 0 else 'less'} than"
    verb = "as many as of" if abs(change) < _AS_MANY else more
    return (
        f"Of the newest cohort whose first week after is over, {last['retention']:.1%} of "
        f"{counted(last['cohort_size'], 'person', 'people')} came back in that week, {verb} the cohort before."
    )


def retention_of(property: str) -> Section:
    """Retention by a property of the start."""
    name = property.replace("_", " ").replace(".", " ")

    def finding(_: Scope, answers: Answers) -> str:
        rows = [r for r in answers["slices"].averages if r["period"] == 1 and r["retention"] is not None]
        named = [r for r in rows if not r["is_other"]]
        if not named:
            return "No week after the first is over for any of them."
        best = max(named, key=lambda row: row["retention"])
        return f"{best[property]} comes back most in the week after the first: {best['retention']:.1%}."

    return Section(
        f"by_{property}",
        f"Who comes back, by {name}?",
        lambda scope: {"slices": weekly_retention(scope, breakdown=(property,), limit=8)},
        finding,
        lambda _, answers: averages_by_slice(
            "slices",
            answers["slices"],
            "period",
            "retention",
            f"Share active in the weeks after the first, by {name}; cohorts whose week is over, pooled",
        ),
        Exhibit("none"),
        absent=f"No person or event has a value of {property}.",
    )


def _interval(_: Scope, answers: Answers) -> str:
    found = answers["interval"].averages[0]
    return (
        f"Half of the people come again within {in_days(found['median_days'])}, four in five within "
        f"{in_days(found['days_of_four_in_five'])}: the {found['suggested_grain']} is the natural rhythm."
    )


INTERVAL = Section(
    "interval",
    "How often do they come?",
    lambda scope: {"interval": scope.query("usage_interval", scope.context_first, scope.settled)},
    _interval,
    lambda _, answers: by_name(
        "interval", answers["interval"], "days_between",
        {"users": "people", "share": "share", "cumulative_share": "so many days or less"},
        caption="People by the median number of days between two of their active days, the shortest first",
        head="days between", rows=range(min(len(answers["interval"].rows), _ROWS_SHOWN)),
    ),
    Exhibit("columns", (Line("interval", "users"),), "people", "People by median days between active days"),
)  # fmt: skip


def _stays(_: Scope, answers: Answers) -> str:
    result = answers["survival"]
    found, last = result.averages[0], result.rows[-1]
    if found["median_days"] is not None:
        return f"Half of the people have left {in_days(found['median_days'])} after their first active day."
    stay = number(last["survival"], "ratio")
    return f"{stay} stay longer than {in_days(last['day'])} after their first active day; half have not left yet."


def _spread(length: int) -> range:
    """At most a dozen places, evenly spread."""
    return range(0, length, max(1, -(-length // _ROWS_SHOWN)))


SURVIVAL = Section(
    "survival",
    "How long do they stay?",
    lambda scope: {"survival": scope.query("survival", scope.coverage.first_day, scope.settled)},
    _stays,
    lambda _, answers: by_name(
        "survival", answers["survival"], "day",
        {"at_risk": "followed", "churned": "left", "censored": "follow-up ends", "survival": "stay longer",
         "low": "95% from", "high": "to"},
        caption="Kaplan-Meier estimate on some days; a person has left after 30 full days of silence",
        rows=_spread(len(answers["survival"].rows)),
    ),
    Exhibit("curve", (Line("survival", "survival"),), "days since the first active day",
            "Share of people who stay longer than so many days, with its 95% band"),
)  # fmt: skip
