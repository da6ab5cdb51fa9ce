# ruff: noqa: INP001 -- part of a script
"""A log that is small enough to count by hand, and what each metric makes of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import regulars

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.domain.result import Result
    from regulars.workspace import Workspace

PEOPLE = {
    "ada": {
        2: "09:00 sign_up, 09:01 experiment_viewed A, 09:05 search, 09:20 like",
        3: "18:00 search, 18:10 purchase 20",
        5: "08:00 search",
        9: "09:00 search, 12:00 like, 12:01 nps_response 9",
        10: "09:30 like",
    },
    "bob": {
        2: "10:00 sign_up, 10:01 experiment_viewed B, 10:30 search",
        4: "10:00 search",
        11: "20:00 search, 20:05 like, 20:06 nps_response 6",
    },
    "cy": {
        3: "12:00 sign_up, 12:01 like, 12:02 experiment_viewed A",
        9: "12:00 search, 12:30 purchase 50",
        15: "07:00 like, 07:01 nps_response 10",
    },
    "dee": {
        9: "23:50 sign_up, 23:51 experiment_viewed B",
        10: "00:05 search, 00:20 like, 22:00 purchase 10",
        12: "21:00 search, 21:01 nps_response 8",
    },
    "eve": {4: "16:00 sign_up, 16:01 experiment_viewed B"},
}
PLANS = {"ada": "paid", "bob": "free", "cy": "paid", "dee": "free", "eve": "free"}
MOST_ROWS = 8
# What stands behind an action is a number of money, unless it is one of these.
SAID = {"nps_response": "score", "experiment_viewed": "variant"}
FORTNIGHT = {"start": "2026-03-02", "end": "2026-03-15"}
# The question about each metric, then the row and the column of the cell that is looked at.
WORKED: dict[str, tuple[dict[str, Any], int, str | None]] = {
    "active_users": ({"window": 7, "start": "2026-03-09", "end": "2026-03-12"}, 1, None),
    "new_vs_returning": ({"grain": "week", **FORTNIGHT}, 1, "returning"),
    "stickiness": ({"window": 7, "start": "2026-03-09", "end": "2026-03-12"}, 1, "denominator"),
    "stickiness_by_cohort": ({"start": "2026-03-02", "end": "2026-03-05"}, 2, "active_users"),
    "active_days": ({"window": 14, "end": "2026-03-15"}, 2, None),
    "lifecycle": ({"grain": "week", **FORTNIGHT}, 1, "churned"),
    "retention": ({"grain": "week", "horizon": 1, **FORTNIGHT}, 1, "retention_users"),
    "tiers": ({"window": 14, "start": "2026-03-12", "end": "2026-03-12"}, 0, None),
    "tier_transitions": ({"start": "2026-03-05", "end": "2026-03-12"}, 0, None),
    "sessions": ({"start": "2026-03-09", "end": "2026-03-12"}, 1, "users"),
    "depth": ({"grain": "week", **FORTNIGHT}, 0, "users"),
    "actions": ({"start": "2026-03-02", "end": "2026-03-04", "by": "action"}, 0, None),
    "feature_adoption": ({"window": 7, "start": "2026-03-09", "end": "2026-03-10"}, 0, "users"),
    "funnel": ({"steps": "sign_up -> search -> purchase", "within": "2 days", **FORTNIGHT}, 1, "users"),
    "funnel_trend": (
        {"steps": "sign_up -> purchase", "within": "2 days", "grain": "week", **FORTNIGHT},
        0,
        "converted",
    ),
    "time_to_convert": (
        {"steps": "sign_up -> search", "within": "1 day", "bins": [0, 600, 3600], **FORTNIGHT},
        1,
        None,
    ),
    "conversion_rate": ({"grain": "week", **FORTNIGHT}, 0, "converted"),
    "paths": ({"steps": 2, **FORTNIGHT}, 0, None),
    "usage_interval": (FORTNIGHT, 0, None),
    "survival": ({"silent_days": 4, **FORTNIGHT}, 1, "at_risk"),
    "churn_risk": ({"show": "people", "top": 5}, 0, None),
    "onboarding": ({"milestones": "search -> purchase", "days": 3, **FORTNIGHT}, 1, "users"),
    "revenue": ({"events": "purchase", "grain": "week", **FORTNIGHT}, 1, "paying_users"),
    "nps": ({"grain": "week", **FORTNIGHT}, 1, "promoters"),
    "experiment": ({"experiment": "checkout", "event": "purchase", "within": "7 days", **FORTNIGHT}, 0, "converted"),
    "cohort_size": ({"by": "segment", "start": "2026-03-15", "end": "2026-03-15"}, 0, None),
}


def workspace() -> Workspace:
    """The log, loaded; all of its days are over."""
    ws = regulars.open(clock=lambda: datetime(2026, 3, 16, 12, tzinfo=UTC))
    people = (
        {"user_id": name, "plan": plan, "registration_date": _day(min(PEOPLE[name]))} for name, plan in PLANS.items()
    )
    ws.load(list(people), kind="users")
    ws.load(list(_events()))
    return ws


def _day(number: int) -> str:
    return f"2026-03-{number:02d}"


def _events() -> Iterator[dict[str, Any]]:
    for name, days in PEOPLE.items():
        for day, done in days.items():
            for one in done.split(", "):
                at, action, *said = one.split()
                yield {
                    "user_id": name,
                    "event_type": action,
                    "timestamp": f"{_day(day)}T{at}:00Z",
                    **({SAID.get(action, "amount"): said[0] if action in SAID else float(said[0])} if said else {}),
                    **({"experiment": "checkout"} if action == "experiment_viewed" else {}),
                    **({"feature": "finder"} if action == "search" else {}),
                }


def log_rows() -> list[tuple[str, ...]]:
    """The log as a table: one row per person and day."""
    return [
        (name, PLANS[name], f"{date(2026, 3, day):%a %Y-%m-%d}", done)
        for name, days in PEOPLE.items()
        for day, done in days.items()
    ]


def answer(ws: Workspace, name: str) -> tuple[str, Result, str]:
    """The question about a metric as it is typed, its result, and one cell of it in words."""
    asked, row, column = WORKED[name]
    result = ws.metric(name, **asked)
    typed = ", ".join(f"{key}={value!r}".replace("'", '"') for key, value in asked.items())
    told = result.explain(result.rows[row], column) if result.rows and _counts_people(result) else ""
    return f"ws.{name}({typed})", result, told[told.index("For example") :].split("\n\n")[0] if told else ""


def _counts_people(result: Result) -> bool:
    return any(column.counts_people for column in result.columns)
