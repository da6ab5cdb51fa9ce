"""Sections about how people use the product: how often, how much, what, and who may leave."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regulars.application.reports.comparison import compare, moved
from regulars.application.reports.figures import MONTH
from regulars.application.reports.parts import Exhibit, Line, Section
from regulars.application.reports.tables import by_name, by_week, matrix
from regulars.application.reports.words import counted, day, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from regulars.application.reports.parts import Answers
    from regulars.application.reports.scope import Scope
    from regulars.domain.query import Query

_RANKS = {"dormant": 0, "at_risk": 1, "casual": 2, "regular": 3, "core": 4, "power": 5}
_POWER_DAYS = 20
_SHOWN_DAYS = (1, 2, 3, 5, 7, 10, 15, 20, 25, 30)


def _at_end(scope: Scope, metric: str, **fields: Any) -> Query:
    return scope.query(metric, scope.settled, scope.settled, **fields)


def _tiers(_: Scope, answers: Answers) -> str:
    rows = answers["tiers"].rows
    found = {row["tier"]: row["users"] for row in rows}
    active = sum(people for tier, people in found.items() if tier not in ("dormant", "not_yet_seen"))
    share = f" ({found['power'] / active:.1%} of the active)" if active else ""
    return (
        f"{counted(found['power'], 'person is a power user', 'people are power users')}{share}: active on 20 or more "
        f"of the 30 days to {day(rows[0]['date'])}; {found['at_risk']:,} were last active more than 7 days before."
    )


TIERS = Section(
    "tiers",
    "How engaged are they?",
    lambda scope: {"tiers": _at_end(scope, "tiers", options={"with_risk": True})},
    _tiers,
    lambda _, answers: by_name(
        "tiers", answers["tiers"], "tier",
        {"users": "people", "sessions_per_active_day": "sessions per active day",
         "actions_per_active_day": "actions per active day"},
        caption="People by active days of the last 30: casual 1 to 5, regular 6 to 15, core 16 to 19, power 20 or "
        "more; at risk: silent for more than 7 days; dormant: silent for 30",
    ),
    Exhibit("bars", (Line("tiers", "users"),), "people", "People by engagement tier"),
)  # fmt: skip


def _risk(_: Scope, answers: Answers) -> str:
    rows = answers["risk"].rows
    found = {row["level"]: row for row in rows}
    high, total = found["high"], sum(row["users"] for row in rows)
    share = "" if high["share"] is None else f" ({high['share']:.1%})"
    return f"Of the {total:,} people active in the last 90 days, {high['users']:,}{share} have a high churn risk."


RISK = Section(
    "risk",
    "Who may leave?",
    lambda scope: {"risk": _at_end(scope, "churn_risk")},
    _risk,
    lambda _, answers: by_name(
        "risk", answers["risk"], "level",
        {"users": "people", "share": "share"},
        caption="People by churn risk, a score from 0 to 1 by rules: high is 0.6 or more, medium 0.3 or more",
    ),
    Exhibit("bars", (Line("risk", "users"),), "people", "People by churn risk"),
)  # fmt: skip


def _power(_: Scope, answers: Answers) -> str:
    rows = answers["curve"].rows
    active = sum(row["users"] for row in rows)
    if not active:
        return "Nobody was active within the last 30 days."
    often = sum(row["users"] for row in rows if row["active_days"] >= _POWER_DAYS)
    once = rows[0]["users"]
    return (
        f"Of the {active:,} people active within 30 days, {often:,} ({often / active:.1%}) were active on 20 days or "
        f"more, and {once:,} ({once / active:.1%}) on one only."
    )


POWER = Section(
    "power",
    "On how many days do they come?",
    lambda scope: {
        "curve": _at_end(scope, "active_days", window=MONTH),
        "at_least": _at_end(scope, "active_days", window=MONTH, options={"at_least": True}),
    },
    _power,
    lambda _, answers: by_name(
        "at_least", answers["at_least"], "active_days", {"users": "people", "share": "share"},
        caption="People with at least so many active days within 30 (power-user curve)", head="at least",
        rows=[index for index, row in enumerate(answers["at_least"].rows) if row["active_days"] in _SHOWN_DAYS],
    ),
    Exhibit("columns", (Line("curve", "users"),), "people", "People by number of active days within 30"),
)  # fmt: skip


def _movers(_: Scope, answers: Answers) -> str:
    rows = answers["movers"].rows
    up, down, stayed = (_moves(rows, sign) for sign in (1, -1, 0))
    before = up + down + stayed
    if not before:
        return "Nobody was active before the period, so nobody moved between tiers."
    return (
        f"Of the {before:,} people known at the beginning, {up:,} moved up a tier or more ({up / before:.1%}), "
        f"{down:,} moved down ({down / before:.1%}) and {stayed:,} stayed."
    )


def _moves(rows: Sequence[Mapping[str, Any]], sign: int) -> int:
    """People who moved up (1), down (-1) or not at all (0); newcomers had no tier to move from."""
    return sum(
        row["users"] for row in rows if row["from_tier"] in _RANKS
        and _sign(_RANKS[row["to_tier"]] - _RANKS[row["from_tier"]]) == sign
    )  # fmt: skip


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def _before(scope: Scope) -> str:
    first = scope.settled - timedelta(days=scope.days)
    if first < scope.coverage.first_day:
        return f"The data begin on {day(scope.coverage.first_day, year=True)}, so nobody has a tier before the period."
    return ""


MOVERS = Section(
    "movers",
    "Who moved up, who moved down?",
    lambda scope: {
        "movers": scope.query("tier_transitions", scope.settled - timedelta(days=scope.days), scope.settled),
    },
    _movers,
    lambda _, answers: matrix(
        "movers", answers["movers"], ("from_tier", "to_tier"), "users",
        "People by tier before the period (down) and at its end (across); shaded by the share of each line",
    ),
    Exhibit("none"),
    refuse=_before,
)  # fmt: skip


def _sessions(scope: Scope, answers: Answers) -> str:
    result = answers["periods"]
    change = compare(scope, result, "sessions_per_user", 1)
    row = result.rows[change.row]
    if row["duration_median"] is None:
        return "There were no sessions in the period."
    half = number(row["duration_median"], "seconds")
    return f"{moved('Sessions per person', change)} Half of them lasted {half} or less."


SESSIONS = Section(
    "sessions",
    "How do they visit?",
    lambda scope: {
        "weeks": scope.query("sessions", scope.weeks_first, grain="week"), "periods": scope.periods("sessions"),
    },
    _sessions,
    lambda _, answers: by_week(
        "weeks", answers["weeks"],
        {"sessions": "sessions", "users": "people", "sessions_per_user": "per person", "duration_median": "median",
         "duration_p90": "90% within", "actions_per_session": "actions each", "bounce_share": "bounces"},
        "Sessions by the week in which they start; median and 90% are of their duration; a bounce has one action",
    ),
    Exhibit("lines", (Line("weeks", "sessions_per_user", "Sessions per person"),), "sessions per person and week",
            "Sessions per person by week"),
)  # fmt: skip


def _depth(scope: Scope, answers: Answers) -> str:
    result = answers["periods"]
    change = compare(scope, result, "actions_per_user", 1)
    row = result.rows[change.row]
    spent = number(row["seconds_per_user"], "seconds")
    return f"{moved('Actions per active person', change)} Each spent {spent} in sessions on average."


DEPTH = Section(
    "depth",
    "How much do they do?",
    lambda scope: {"weeks": scope.query("depth", scope.weeks_first, grain="week"), "periods": scope.periods("depth")},
    _depth,
    lambda _, answers: by_week(
        "weeks", answers["weeks"],
        {"users": "people", "actions_per_user": "actions", "seconds_per_user": "time", "action_types_per_user": "kinds",
         "features_per_user": "features", "creation_share": "creation"},
        "Per active person and week: actions, time in sessions, kinds of action, features; creation is the share of "
        "creating among creating and consuming actions",
    ),
    Exhibit("lines", (Line("weeks", "actions_per_user", "Actions per person"),), "actions per person and week",
            "Actions per active person by week"),
)  # fmt: skip


def _features(_: Scope, answers: Answers) -> str:
    rows = answers["features"].rows
    best = max(rows, key=lambda row: (row["users"], row["feature"]))
    share = "" if best["adoption"] is None else f" ({best['adoption']:.1%} of them)"
    return f"{best['feature']} is used most: by {best['users']:,} of the {best['active_users']:,} people active{share}."


FEATURES = Section(
    "features",
    "Which features do they use?",
    lambda scope: {"features": _at_end(scope, "feature_adoption", window=MONTH)},
    _features,
    lambda _, answers: by_name(
        "features", answers["features"], "feature",
        {"users": "people", "active_users": "active", "adoption": "adoption"},
        caption="People active within 30 days who used a feature; one person may use several",
    ),
    Exhibit("bars", (Line("features", "users"),), "people", "People by the feature they used"),
)  # fmt: skip
