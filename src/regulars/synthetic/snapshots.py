"""What is known about each user at the end of a day, and what happened after it.

Features read nothing that happened later, and nothing that only became known later: what a visitor did before an
identify event is the user's from the day of that event on.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from regulars.domain.actions import MARKERS, describe
from regulars.synthetic.events_clean import ACTOR, PARSED, WHO_ACTED
from regulars.synthetic.spelling import utc_time
from regulars.synthetic.sql import literal
from regulars.synthetic.users_clean import PEOPLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

ACTS: Final = "acts"
WINDOWS: Final = (7, 14, 30)
_KINDS = {
    "logins": "login",
    "enrollments": "course_enroll",
    "videos": "video_watch",
    "quizzes": "quiz_attempt",
    "payments": "payment_success",
    "payment_failures": "payment_failed",
    "support_tickets": "support_ticket",
}
_COUNTS: Final = ("events", "core_actions", "watch_minutes", *_KINDS)
_TRENDS: Final = ("active_days", "core_actions", "watch_minutes")
PROFILE: Final = ("plan", "is_paid", "country", "marketing_source")
FEATURES: Final = (
    "tenure_days",
    *PROFILE,
    *(f"{name}_{days}d" for name in ("active_days", *_COUNTS) for days in WINDOWS),
    "quiz_avg_score_30d",
    *(f"{name}_trend_7d" for name in _TRENDS),
    "payment_failures_ever",
    "days_since_event",
    "days_since_core_action",
)
"""The columns that a model may learn from, in their order."""


@dataclass(frozen=True)
class Labelling:
    """What is predicted: no core action within ``horizon`` days, of users with one in the ``lookback`` days before."""

    horizon: int
    lookback: int
    last_day: dt.date  # of the events: no later day is known

    def is_censored(self, as_of: dt.date) -> bool:
        """Whether the horizon goes beyond what is known."""
        return as_of + dt.timedelta(days=self.horizon) > self.last_day


def count_acts(connection: duckdb.DuckDBPyConnection, day: str, linked_day: str) -> None:
    """Make the table ``acts``: what each user did on each day, and since which day that is known.

    ``day`` is SQL of an event's day, ``linked_day`` of the day on which a visitor's id was linked to the user.
    """
    types = connection.execute(f"SELECT DISTINCT event_type FROM {PARSED} WHERE reason IS NULL").fetchall()
    core = ", ".join(literal(name) for (name,) in types if describe(name).is_core_action) or "NULL"
    counts = ", ".join(f"count(*) FILTER (event_type = '{kind}') AS {name}" for name, kind in _KINDS.items())
    exact = "sum(CAST({} AS DECIMAL(18, 6)))"
    connection.execute(f"""
        CREATE TABLE {ACTS} AS
        SELECT rank, day, known_day, count(*) AS events, count(*) FILTER (event_type IN ({core})) AS core_actions,
            {counts}, coalesce({exact.format("watch_minutes")}, 0) AS watch_minutes,
            {exact.format("quiz_score")} AS score_sum, count(quiz_score) AS scores, max(event_time) AS last_time
        FROM (SELECT {ACTOR} AS actor, {day} AS day, greatest({day}, {linked_day}) AS known_day,
                  e.event_type, e.event_time, e.watch_minutes, e.quiz_score
              {WHO_ACTED} AND e.event_type NOT IN {MARKERS})
        JOIN {PEOPLE} ON user_id = actor
        GROUP BY ALL ORDER BY rank, day, known_day""")


def select_snapshot(as_of: dt.date, labelling: Labelling, *, whole_ids: bool, text: bool) -> str:
    """SELECT of one row per user who is known at the end of a day, with the ``rank`` of the user."""
    t0 = f"DATE '{as_of}'"
    horizon, lookback = labelling.horizon, labelling.lookback
    columns = [*_in_windows(t0), *_trends(t0)]
    censored = labelling.is_censored(as_of)
    churned = "NULL" if censored else "CASE WHEN coalesce(eligible, false) THEN next.rank IS NULL END"
    listed = ", ".join(name if name in PROFILE else _filled(name) for name in FEATURES)
    return f"""
        SELECT rank, {"CAST(user_id AS BIGINT)" if whole_ids else "user_id"} AS user_id, {t0} AS as_of_date, {listed},
            {utc_time("last_time_used", text=text)} AS last_event_time_used,
            coalesce(eligible, false) AS is_eligible, {str(censored).lower()} AS is_censored,
            CAST({churned} AS BOOLEAN) AS churned
        FROM (SELECT *, date_diff('day', signup_date, {t0}) AS tenure_days FROM {PEOPLE}) AS person
        LEFT JOIN (
            SELECT rank, {", ".join(columns)},
                CAST(sum(score_sum) FILTER ({_within(t0, 30)}) AS DOUBLE)
                    / sum(scores) FILTER ({_within(t0, 30)}) AS quiz_avg_score_30d,
                sum(payment_failures) AS payment_failures_ever,
                date_diff('day', max(day), {t0}) AS days_since_event,
                date_diff('day', max(day) FILTER (core_actions > 0), {t0}) AS days_since_core_action,
                max(last_time) AS last_time_used,
                coalesce(bool_or(core_actions > 0 AND {_within(t0, lookback)}), false) AS eligible
            FROM {ACTS} WHERE day <= {t0} AND known_day <= {t0} GROUP BY rank
        ) AS past USING (rank)
        LEFT JOIN (
            SELECT DISTINCT rank FROM {ACTS} WHERE core_actions > 0 AND day > {t0} AND day <= {t0} + {horizon}
        ) AS next USING (rank)
        WHERE signup_date <= {t0} OR past.rank IS NOT NULL"""


def _within(t0: str, days: int, before: int = 0) -> str:
    """SQL that a day is one of so many that end ``before`` days before t0."""
    until = f" AND day <= {t0} - {before}" if before else ""
    return f"day > {t0} - {days + before}{until}"


def _in_windows(t0: str) -> Iterable[str]:
    for days in WINDOWS:
        inside = _within(t0, days)
        yield f"count(DISTINCT day) FILTER ({inside}) AS active_days_{days}d"
        for name in _COUNTS:
            yield f"sum({name}) FILTER ({inside}) AS {name}_{days}d"


def _trends(t0: str) -> Iterable[str]:
    """The last seven days less the seven before them."""
    for name in _TRENDS:
        now, before = (
            f"count(DISTINCT day) FILTER ({inside})"
            if name == "active_days"
            else f"coalesce(sum({name}) FILTER ({inside}), 0)"
            for inside in (_within(t0, 7), _within(t0, 7, 7))
        )
        yield f"{now} - {before} AS {name}_trend_7d"


def _filled(name: str) -> str:
    """Counts and sums are 0 where nothing happened; recency, mean score and tenure are missing."""
    if name in ("tenure_days", "days_since_event", "days_since_core_action"):
        return name
    if name == "quiz_avg_score_30d":
        return f"round({name}, 6) AS {name}"
    kind = "DOUBLE" if name.startswith("watch_minutes") else "BIGINT"
    return f"CAST(coalesce({name}, 0) AS {kind}) AS {name}"
