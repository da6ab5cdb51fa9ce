"""``user_daily``: every user on every day of the window, a row even where nothing happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from regulars.domain.actions import MARKERS
from regulars.errors import SourceError
from regulars.synthetic.events_clean import ACTOR, WHO_ACTED
from regulars.synthetic.users_clean import PEOPLE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    import duckdb

    from regulars.synthetic.write import TableFile

DAYS: Final = "active_days"
ROWS_AT_ONCE: Final = 1_000_000
MOST_DAYS: Final = 3660
_COUNTED = {
    "logins_count": "login",
    "enroll_count": "course_enroll",
    "quiz_attempts_count": "quiz_attempt",
    "payment_success_count": "payment_success",
    "payment_failed_count": "payment_failed",
    "support_ticket_count": "support_ticket",
}


@dataclass(frozen=True)
class Window:
    """The days that get rows, both ends included."""

    start: dt.date
    end: dt.date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.end - self.start).days + 1


@dataclass(frozen=True)
class DailyAccount:
    """What the rows of ``user_daily`` add up to."""

    rows: int
    active_rows: int
    outside: int  # events of known users on days without rows


def count_days(connection: duckdb.DuckDBPyConnection, day: str) -> None:
    """Make the table ``active_days``: what each user did on each day with events; ``day`` is SQL of an event's day.

    Sums are of decimals, so that they do not depend on the order in which threads add them up.
    """
    counts = ", ".join(f"count(*) FILTER (event_type = '{kind}') AS {name}" for name, kind in _COUNTED.items())
    exact = "CAST({} AS DECIMAL(18, 6))"
    connection.execute(f"""
        CREATE TABLE {DAYS} AS
        SELECT rank, {day} AS day, count(*) AS total_events, {counts},
            CAST(coalesce(sum({exact.format("watch_minutes")}), 0) AS DOUBLE) AS watch_minutes_sum,
            round(CAST(sum({exact.format("quiz_score")}) AS DOUBLE) / count(quiz_score), 6) AS quiz_avg_score
        FROM (SELECT {ACTOR} AS actor, event_time, event_type, watch_minutes, quiz_score
              {WHO_ACTED} AND event_type NOT IN {MARKERS})
        JOIN {PEOPLE} ON user_id = actor
        GROUP BY ALL ORDER BY rank, day""")


def find_window(connection: duckdb.DuckDBPyConnection, day: str, start: dt.date | None, end: dt.date | None) -> Window:
    """From the first to the last day with events, unless the ends are given.

    Raises:
        SourceError: ``bad_window``: it ends before it begins, or is so long that a wrong time must be behind it.
    """
    first, last = connection.execute(f"SELECT min({day}), max({day}) {WHO_ACTED}").fetchall()[0]
    window = Window(start or first, end or last)
    if window.days < 1:
        raise SourceError(
            f"the window ends on {window.end}, before it begins on {window.start}; events are from {first} to {last}",
            code="bad_window",
        )
    if window.days > MOST_DAYS and not (start and end):
        raise SourceError(
            f"events are from {window.start} to {window.end}, {window.days:,} days, so some time is probably wrong; "
            "name the days you want with --start and --end",
            code="bad_window",
        )
    return window


def write_days(
    connection: duckdb.DuckDBPyConnection,
    table: TableFile,
    window: Window,
    *,
    whole_ids: bool,
    from_signup: bool,
    progress: Callable[[int, int], None] | None = None,
) -> DailyAccount:
    """Write the rows, as many users at a time as fit into memory."""
    ((users,),) = connection.execute(f"SELECT count(*) FROM {PEOPLE}").fetchall()
    step = max(1, ROWS_AT_ONCE // window.days)
    for first in range(1, max(users, 1) + 1, step):
        table.append_rows(_select(window, first, first + step, whole_ids=whole_ids, from_signup=from_signup))
        if progress:
            progress(min(first + step - 1, users), users)
    inside = f"day BETWEEN DATE '{window.start}' AND DATE '{window.end}'"
    shown = f"{inside} AND (day >= signup_date OR signup_date IS NULL)" if from_signup else inside
    active, outside = connection.execute(f"""
        SELECT count(*) FILTER ({shown}), coalesce(sum(total_events) FILTER (NOT ({inside})), 0)
        FROM {DAYS} JOIN {PEOPLE} USING (rank)""").fetchall()[0]
    return DailyAccount(table.rows, active, int(outside))


def _select(window: Window, first: int, until: int, *, whole_ids: bool, from_signup: bool) -> str:
    counts = [f"coalesce(d.{name}, 0) AS {name}" for name in ("total_events", "logins_count", "enroll_count")]
    rest = [f"coalesce(d.{name}, 0) AS {name}" for name in list(_COUNTED)[3:]]
    lived = "WHERE as_of_date >= p.signup_date OR p.signup_date IS NULL" if from_signup else ""
    block = f"rank >= {first} AND rank < {until}"
    return f"""
        SELECT {"CAST(p.user_id AS BIGINT)" if whole_ids else "p.user_id"} AS user_id, as_of_date, p.signup_date,
            date_diff('day', p.signup_date, as_of_date) AS days_since_signup, p.plan, p.is_paid, p.country,
            p.marketing_source, d.rank IS NOT NULL AS is_active_day, {", ".join(counts)},
            coalesce(d.watch_minutes_sum, 0) AS watch_minutes_sum,
            coalesce(d.quiz_attempts_count, 0) AS quiz_attempts_count, d.quiz_avg_score, {", ".join(rest)}
        FROM (FROM {PEOPLE} WHERE {block}) AS p
        CROSS JOIN (SELECT DATE '{window.start}' + CAST(unnest(range({window.days})) AS INTEGER) AS as_of_date)
        LEFT JOIN (FROM {DAYS} WHERE {block}) AS d ON d.rank = p.rank AND d.day = as_of_date
        {lived}
        ORDER BY p.rank, as_of_date"""
