"""The prepared table ``user_daily`` beside the events it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.quality.record import EVENTS, Check, Look, needs_row

if TYPE_CHECKING:
    from regulars.domain.sql import Values

NAME = "user_daily"
COUNTS = {
    "logins_count": "login",
    "enroll_count": "course_enroll",
    "quiz_attempts_count": "quiz_attempt",
    "payment_success_count": "payment_success",
    "payment_failed_count": "payment_failed",
    "support_ticket_count": "support_ticket",
}
_TABLE = needs_row(
    "there is no table user_daily; it is checked in a folder that regulars prepare wrote",
    f"SELECT 1 FROM information_schema.tables WHERE table_name = '{NAME}'",
)


def _broken(_look: Look, _: Values) -> str:
    negative = " OR ".join(f"d.{name} < 0" for name in ("total_events", "watch_minutes_sum", *COUNTS))
    return f"""SELECT problem, count(*) AS found, min(user_id) AS user_id, min(as_of_date) AS as_of_date FROM (
  SELECT 'not unique' AS problem, user_id, as_of_date FROM user_daily GROUP BY user_id, as_of_date HAVING count(*) > 1
  UNION ALL SELECT 'a count below 0' AS problem, d.user_id, d.as_of_date FROM user_daily d WHERE {negative}
  UNION ALL SELECT 'is_active_day is not total_events > 0' AS problem, d.user_id, d.as_of_date FROM user_daily d
  WHERE d.is_active_day <> (d.total_events > 0)
  UNION ALL SELECT 'quiz_avg_score on a day without events' AS problem, d.user_id, d.as_of_date
  FROM user_daily d WHERE d.quiz_avg_score IS NOT NULL AND d.total_events = 0
  UNION ALL SELECT 'days_since_signup is not as_of_date - signup_date' AS problem, d.user_id, d.as_of_date
  FROM user_daily d WHERE d.days_since_signup <> date_diff('day', d.signup_date, d.as_of_date)
) broken GROUP BY problem"""


def _unequal(_look: Look, _: Values) -> str:
    counted = ", ".join(
        f"count(CASE WHEN a.action_type = '{kind}' THEN 1 END) AS {name}" for name, kind in COUNTS.items()
    )
    differs = " OR ".join(f"d.{name} <> coalesce(f.{name}, 0)" for name in ("total_events", *COUNTS))
    return f"""SELECT d.user_id, d.as_of_date, 1 AS found, d.total_events, f.total_events AS events
FROM user_daily d LEFT JOIN (
  SELECT u.user_id, e.day, count(*) AS total_events, {counted}
  FROM fact_user_actions e JOIN dim_identities i ON i.identity_key = e.identity_key
  JOIN dim_users u ON u.user_key = i.user_key JOIN dim_actions a ON a.action_key = e.action_key
  WHERE NOT a.is_marker GROUP BY u.user_id, e.day
) f ON f.user_id = CAST(d.user_id AS VARCHAR) AND f.day = d.as_of_date WHERE {differs}"""


def _rows(_look: Look, _: Values) -> str:
    return "SELECT count(*) FROM user_daily"


CHECKS = (
    Check(
        name="user_daily_rows",
        title="Rows of user_daily that contradict themselves",
        words="Rows of the prepared table `user_daily` that are there twice, count below 0, or whose flags and days "
        "do not follow from their other columns.",
        fix="run `regulars prepare` again",
        severity="error",
        rows=_broken,
        whole=_rows,
        noun="rows",
        needs=(_TABLE,),
    ),
    Check(
        name="user_daily_adds_up",
        title="user_daily against the events",
        words="Rows of `user_daily` whose counts are not those of the events of that person and day; markers such as "
        "`identify` are no events there.",
        fix="run `regulars prepare` again on the events that belong to it",
        severity="error",
        rows=_unequal,
        whole=_rows,
        noun="rows",
        order="as_of_date, user_id",
        needs=(_TABLE, EVENTS),
    ),
)
