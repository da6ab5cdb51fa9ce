"""Sections about conversion: a funnel, how it develops, how long it takes, who converts, and what is paid."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from regulars.application.reports.comparison import compare, moved
from regulars.application.reports.figures import MONTH
from regulars.application.reports.parts import Cell, Exhibit, Head, Line, Section, Table
from regulars.application.reports.tables import by_name, by_week, every_week, number_cell, slice_name
from regulars.application.reports.words import DASH, counted, day, days, duration, number
from regulars.domain.metrics.options import SECONDS, read_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from regulars.application.reports.parts import Answers
    from regulars.application.reports.scope import Scope
    from regulars.domain.actions import Action
    from regulars.domain.query import Query
    from regulars.domain.result import Result

_STAGES = (("onboarding",), ("access",), ("consumption",), ("social", "creation", "participation"))
_ENDS_A_VISIT = ("logout", "sign_out")
_MOST_SLICES = 8


def kinds_question(scope: Scope) -> Query:
    """Which actions people of the period do, whether they make them active or not."""
    return scope.query("actions", scope.first, scope.settled, activity="any", every=scope.days, anchor=scope.first,
                       breakdown=("event.action",), limit=1000)  # fmt: skip


def likely_steps(people: Mapping[str, int], actions: Mapping[str, Action]) -> tuple[str, ...]:
    """A funnel from what people do: of each kind of action the one most people do, from signing up to converting.

    The kinds are, in this order: onboarding, access, consumption, contribution (social, creation, participation), and
    conversion. Where fewer than two are present there is no funnel.

    >>> from regulars.domain.actions import describe
    >>> people = {"login": 90, "view": 80, "click": 70, "purchase": 9, "dance": 50}
    >>> likely_steps(people, {name: describe(name) for name in people})
    ('login', 'view', 'purchase')
    """
    known = {name: actions[name] for name, count in people.items() if count and name in actions}
    kept = {name: action for name, action in known.items() if name not in _ENDS_A_VISIT}
    stages = [[n for n, a in kept.items() if a.category in stage and not a.is_conversion_event] for stage in _STAGES]
    stages.append([name for name, action in kept.items() if action.is_conversion_event])
    found = tuple(min(names, key=lambda name: (-people[name], name)) for names in stages if names)
    return found if len(found) > 1 else ()


def entries(scope: Scope) -> tuple[Any, Any]:
    """The days on which attempts begin: the period, moved back as far as the last attempt needs to be over."""
    needed = -(-read_seconds(scope.chosen.within) // SECONDS["day"])
    late = max((scope.settled + timedelta(days=needed) - scope.coverage.complete_through).days, 0)
    first, last = scope.settled - timedelta(days=late + scope.days - 1), scope.settled - timedelta(days=late)
    if last < scope.coverage.first_day:  # nobody could be followed to the end: show what there is, as not over
        return scope.first, scope.settled
    return max(first, scope.coverage.first_day), last


def _funnel(scope: Scope, metric: str = "funnel", **fields: Any) -> Query:
    first, last = entries(scope)
    return _asked(scope, metric, first, last, **fields)


def _asked(scope: Scope, metric: str, first: Any, last: Any, **fields: Any) -> Query:
    options = {"steps": list(scope.chosen.steps), "within": scope.chosen.within}
    return scope.query(metric, first, last, options=options, **fields)


def no_steps(scope: Scope) -> str:
    """Why there is no funnel, if so."""
    if scope.chosen.steps:
        return ""
    return (
        "The data do not show two kinds of action that follow one another, such as a login and a purchase; "
        "name the steps with --step."
    )


def _reached(scope: Scope, answers: Answers) -> str:
    rows = answers["funnel"].rows
    first, last = entries(scope)
    when = days(first, last)
    if not rows or not rows[0]["users"]:
        return f"Nobody took the first step in {when}."
    worst = max(range(len(rows) - 1), key=lambda index: (rows[index]["dropped"], -index))
    lost = f"most were lost between {rows[worst]['name']} and {rows[worst + 1]['name']} ({rows[worst]['dropped']:,})"
    return (
        f"Of {counted(rows[0]['users'], 'person', 'people')} who began in {when}, {rows[-1]['users']:,} "
        f"({number(rows[-1]['conversion_from_first'], 'ratio')}) reached {rows[-1]['name']} within "
        f"{scope.chosen.within}; {lost if rows[worst]['dropped'] else 'nobody was lost on the way'}."
    )


FUNNEL = Section(
    "funnel",
    "How far do they get?",
    lambda scope: {"funnel": _funnel(scope)},
    _reached,
    lambda _, answers: by_name(
        "funnel", answers["funnel"], "name",
        {"users": "people", "conversion_from_first": "of the first", "conversion_from_previous": "of the one before",
         "low": "95% from", "high": "to", "seconds_median": "median time"},
        caption="People by the steps they reached; the interval is of the share of the first step, and the time is "
        "that from the first step", head="step",
    ),
    Exhibit("funnel", (Line("funnel", "users"),), "people", "People by the steps they reached"),
    refuse=no_steps,
)  # fmt: skip


def _trend(_: Scope, answers: Answers) -> str:
    rows = [row for row in answers["trend"].rows if "incomplete" not in row["flags"] and row["conversion"] is not None]
    if not rows:
        return "No week of entry is over yet."
    best = max(rows, key=lambda row: row["conversion"])
    last = rows[-1]
    return (
        f"Of the {last['entered']:,} people who began in the week of {day(last['date'])}, the last that "
        f"is over, {last['conversion']:.1%} converted; the best week was that of {day(best['date'])} "
        f"with {best['conversion']:.1%}."
    )


TREND = Section(
    "trend",
    "Does conversion improve?",
    lambda scope: {"trend": _asked(scope, "funnel_trend", scope.weeks_first, scope.shown_last, grain="week")},
    _trend,
    lambda _, answers: by_week(
        "trend", answers["trend"],
        {"entered": "began", "converted": "converted", "conversion": "conversion", "low": "95% from", "high": "to"},
        "By the week in which people began: those who reached the last step",
    ),
    Exhibit("lines", (Line("trend", "conversion", "Conversion"),), "", "Conversion by week of entry"),
    refuse=no_steps,
)  # fmt: skip


def _speed(_: Scope, answers: Answers) -> str:
    rows = answers["funnel"].rows
    converted = sum(row["users"] for row in answers["times"].rows)
    if not converted:
        return "Nobody went through all steps in these days."
    last = rows[-1]
    return (
        f"Half of the {counted(converted, 'person', 'people')} who converted took {duration(last['seconds_median'])} "
        f"or less from the first step to the last, nine in ten {duration(last['seconds_p90'])} or less."
    )


def _bins(_: Scope, answers: Answers) -> Table:
    result = answers["times"]
    used = [index for index, row in enumerate(result.rows) if row["users"]]
    shown = range(used[0], used[-1] + 1) if used else range(0)
    lines = [(Cell(bin_name(result.rows[i])), number_cell("times", result, i, "users")) for i in shown]
    caption = "People who converted, by the time from the first step to the last; none took less or more"
    return Table((Head("time", is_number=False), Head("people")), tuple(lines), caption)


def bin_name(row: Mapping[str, Any]) -> str:
    """A stretch of time in words."""
    return f"{duration(row['lower_seconds'])} {DASH} {duration(row['upper_seconds'])}"


SPEED = Section(
    "speed",
    "How long does it take?",
    lambda scope: {"times": _funnel(scope, "time_to_convert"), "funnel": _funnel(scope)},
    _speed,
    _bins,
    Exhibit("columns", (Line("times", "users"),), "people", "People who converted, by the time they took"),
    refuse=no_steps,
)


def _rate(scope: Scope, answers: Answers) -> str:
    return moved("Conversion rate", compare(scope, answers["rate"], "conversion_rate", MONTH))


RATE = Section(
    "rate",
    "How many of the active convert?",
    lambda scope: {"rate": scope.query("conversion_rate", scope.context_first, window=MONTH)},
    _rate,
    lambda _, answers: every_week(
        answers,
        [("rate", "converted", "converted"), ("rate", "active_users", "active"), ("rate", "conversion_rate", "rate"),
         ("rate", "low", "95% from"), ("rate", "high", "to")],
        "People with a conversion within 30 days over the people active in them, every seventh day",
    ),
    Exhibit("lines", (Line("rate", "conversion_rate", "Conversion rate"),), "", "Conversion rate of 30 days, by day"),
)  # fmt: skip


def _paid(scope: Scope, answers: Answers) -> str:
    result = answers["periods"]
    change = compare(scope, result, "revenue", 1)
    row = result.rows[change.row]
    if not row["payments"]:
        return "Nobody paid in the period."
    each = number(row["revenue_per_paying_user"], "amount")
    payers = counted(row["paying_users"], "person", "people")
    return f"{moved('Revenue', change)} {payers} paid, {each} each on average."


def payments_question(scope: Scope) -> Query:
    """What was paid in this period and the ones before it."""
    return scope.periods("revenue", scope.whole_periods())


REVENUE = Section(
    "revenue",
    "What do they pay?",
    lambda scope: {
        "weeks": scope.query("revenue", scope.weeks_first, grain="week"), "periods": scope.periods("revenue"),
    },
    _paid,
    lambda _, answers: by_week(
        "weeks", answers["weeks"],
        {"revenue": "revenue", "payments": "payments", "paying_users": "payers",
         "revenue_per_active_user": "per active", "revenue_per_paying_user": "per payer",
         "failed_payment_rate": "failed"},
        "Payments by week, in the currency of the data; failed is the share of payments tried",
    ),
    Exhibit("stack", (Line("weeks", "revenue", "Revenue"),), "revenue", "Revenue by week"),
    absent="No event carries a payment with an amount.",
)  # fmt: skip


def funnel_of(property: str) -> Section:
    """The funnel by a property of the entry."""
    name = property.replace("_", " ").replace(".", " ")

    def finding(_: Scope, answers: Answers) -> str:
        result = answers["slices"]
        ends = [row for row in last_steps(result) if row["conversion_from_first"] is not None]
        named = [row for row in ends if "other" not in row["flags"]]
        best = max(named, key=lambda row: row["conversion_from_first"])
        return f"{best[property]} converts best: {best['conversion_from_first']:.1%} of those who began."

    return Section(
        f"by_{property}",
        f"Who converts, by {name}?",
        lambda scope: {"slices": _funnel(scope, breakdown=(property,), limit=_MOST_SLICES)},
        finding,
        lambda _, answers: _by_slice(answers["slices"], property, name),
        Exhibit("none"),
        refuse=no_steps,
        absent=f"No person or event has a value of {property}.",
    )


def last_steps(result: Result) -> Iterable[Mapping[str, Any]]:
    """The rows of the last step."""
    last = max((row["step"] for row in result.rows), default=0)
    return [row for row in result.rows if row["step"] == last]


def _by_slice(result: Result, property: str, name: str) -> Table:
    last = max((row["step"] for row in result.rows), default=0)
    ends = [index for index, row in enumerate(result.rows) if row["step"] == last]
    starts = {row[property]: index for index, row in enumerate(result.rows) if row["step"] == 1}
    lines = []
    for index in ends:
        row = result.rows[index]
        begun = number_cell("slices", result, starts[row[property]], "users")
        shares = [number_cell("slices", result, index, c) for c in ("users", "conversion_from_first", "low", "high")]
        lines.append((Cell(slice_name(result, row)), begun, *shares))
    heads = (Head(name, is_number=False), *map(Head, ("began", "converted", "conversion", "95% from", "to")))
    return Table(heads, tuple(lines), f"People who began and who reached the last step, by {name} at the entry")
