"""Sections about who is active: how many, in which slices, new or returning, gained and lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.application.reports.comparison import compare, moved
from regulars.application.reports.figures import DAY, MONTH, WEEK, actives_question, stickiness_question
from regulars.application.reports.parts import Exhibit, Line, Section
from regulars.application.reports.tables import by_week, every_week, quoted_days, slice_rows, two_dates
from regulars.application.reports.words import counted, day

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.application.reports.parts import Answers
    from regulars.application.reports.scope import Scope
    from regulars.domain.result import Result

_NAMES = {"mau": ("Monthly", MONTH), "wau": ("Weekly", WEEK), "dau": ("Daily", DAY)}


def _monthly(scope: Scope, answers: Answers) -> str:
    return moved("Monthly active users", compare(scope, answers["mau"], "active_users", MONTH))


ACTIVE = Section(
    "active",
    "How many people are active?",
    lambda scope: {name: actives_question(window)(scope) for name, (_, window) in _NAMES.items()},
    _monthly,
    lambda _, answers: every_week(
        answers,
        [(name, "active_users", f"{label.lower()} ({window} d)") for name, (label, window) in _NAMES.items()],
        "People active within 30, 7 and 1 days, every seventh day",
    ),
    Exhibit("lines", tuple(Line(n, "active_users", label) for n, (label, _) in _NAMES.items()), "people",
            "Monthly, weekly and daily active users by day"),
)  # fmt: skip


def _sticky(scope: Scope, answers: Answers) -> str:
    return moved("Stickiness", compare(scope, answers["stickiness"], "stickiness", MONTH))


STICKY = Section(
    "stickiness",
    "How much of the month are they active?",
    lambda scope: {"stickiness": stickiness_question(scope)},
    _sticky,
    lambda _, answers: every_week(
        answers,
        [("stickiness", "numerator", "mean daily actives"), ("stickiness", "denominator", "monthly actives"),
         ("stickiness", "stickiness", "stickiness")],
        "Mean daily actives of 30 days over the people active in them, every seventh day",
    ),
    Exhibit("lines", (Line("stickiness", "stickiness", "Stickiness"),), "",
            "Stickiness by day: mean daily actives of 30 days over their monthly actives"),
)  # fmt: skip


def _new(scope: Scope, answers: Answers) -> str:
    result = answers["periods"]
    change = compare(scope, result, "new", 1)
    row = result.rows[change.row]
    share = f" That is {row['new'] / row['active_users']:.1%} of all active." if row["active_users"] else ""
    return f"{moved('People active for the first time', change)}{share}"


NEW = Section(
    "new",
    "How many are new?",
    lambda scope: {
        "weeks": scope.query("new_vs_returning", scope.weeks_first, grain="week"),
        "periods": scope.periods("new_vs_returning"),
    },
    _new,
    lambda _, answers: by_week(
        "weeks", answers["weeks"], {"new": "new", "returning": "returning", "active_users": "active"},
        "People active in each week: for the first time ever, and the others",
    ),
    Exhibit("stack", (Line("weeks", "returning", "Returning"), Line("weeks", "new", "New")), "people",
            "New and returning people by week"),
)  # fmt: skip


def _growth(scope: Scope, answers: Answers) -> str:
    result = answers["periods"]
    change = compare(scope, result, "active_users", 1)
    row = result.rows[change.row]
    if change.direction == "none":
        came = counted(row["new"], "person was new", "people were new")
        return f"{came} ({change.when}); who stayed cannot be said, as {change.why_not}."
    before = row["retained"] + row["churned"]
    stayed = f"{row['retained']:,} ({row['retained'] / before:.1%}) came again in {change.when}"
    return (
        f"Of the {before:,} people active in {change.when_before}, {stayed} and {row['churned']:,} did not; "
        f"{row['new']:,} were new and {row['resurrected']:,} came back after a break."
    )


GROWTH = Section(
    "growth",
    "Where does growth come from?",
    lambda scope: {
        "weeks": scope.query("lifecycle", scope.weeks_first, grain="week"),
        "periods": scope.periods("lifecycle"),
    },
    _growth,
    lambda _, answers: by_week(
        "weeks", answers["weeks"],
        {"active_users": "active", "retained": "stayed", "new": "new", "resurrected": "came back",
         "churned": "fell silent", "quick_ratio": "quick ratio"},
        "Growth accounting by week: active = stayed + new + came back; quick ratio = (new + came back) / fell silent",
    ),
    Exhibit("flows", (Line("weeks", "active_users"),), "people",
            "People who stayed, came, came back and fell silent, by week"),
)  # fmt: skip


def slices_of(property: str) -> Section:
    """Monthly active users by a property, now and 30 days before."""
    name = property.replace("_", " ").replace(".", " ")

    def ask(scope: Scope) -> Mapping[str, Any]:
        first = max(quoted_first(scope), scope.coverage.first_day)
        return {"slices": scope.query("active_users", first, window=MONTH, breakdown=(property,), limit=8)}

    return Section(
        f"by_{property}",
        f"Who are they, by {name}?",
        ask,
        lambda _, answers: _largest(answers["slices"], name),
        lambda _, answers: two_dates(
            "slices", answers["slices"], "active_users", MONTH, f"People active within 30 days, by {name}"
        ),
        Exhibit("slices", (Line("slices", "active_users"),), "people", f"Monthly active users by {name}"),
        absent=f"No person or event has a value of {property}.",
    )


def quoted_first(scope: Scope) -> Any:
    """The day 30 days before the one that is quoted."""
    return scope.settled.fromordinal(scope.settled.toordinal() - MONTH)


def _largest(result: Result, name: str) -> str:
    last, _ = quoted_days(result, MONTH)
    quoted = {
        slice_name: next(result.rows[i] for i in rows if result.rows[i]["date"] == last)
        for slice_name, rows in slice_rows(result).items()
        if any(result.rows[i]["date"] == last for i in rows)
    }
    named = {key: row["active_users"] for key, row in quoted.items() if "other" not in row["flags"]}
    best = min(named, key=lambda key: (-named[key], key))
    return (
        f"{best} is the largest {name}, with {counted(named[best], 'person', 'people')} active within 30 days "
        f"(to {day(last)})."
    )
