"""How many events there are: unusual days, too few to say anything, people who all stayed or all left."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regulars.domain.quality.record import CURRENT, EVENTS, Check, Look, complete_days

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.sql import Values

JUDGED_DAYS = 28
BASE_WEEKS = 8
LEAST_WEEKS = 3
USUAL_AT_LEAST = 20
MAD_TO_SIGMA = 1.4826
SCALE_FLOOR = 0.1
_SILENCE = 30
_HISTORY_DAYS = 7 * (LEAST_WEEKS + 1)


def _end(look: Look) -> date:
    return look.through or look.now.date()


def _unusual(look: Look, _: Values) -> str:
    """Same-weekday median and MAD of the weeks before; the scale has a floor, so that a flat series can move a little.

    A day without any event is a day with 0 events, from the first day of its type on.
    """
    end = _end(look)
    begin = look.since or end - timedelta(days=JUDGED_DAYS - 1)
    scale = f"greatest({MAD_TO_SIGMA} * spread, {SCALE_FLOOR} * usual, sqrt(usual))"
    return f"""WITH counted AS (
  SELECT e.action_key, e.day, count(*) AS n FROM fact_user_actions e
  WHERE e.day <= DATE '{end}' GROUP BY e.action_key, e.day
), series AS (
  SELECT a.action_type AS event_type, c.day, c.n FROM counted c JOIN dim_actions a ON a.action_key = c.action_key
  UNION ALL SELECT '(all)' AS event_type, day, sum(n) AS n FROM counted GROUP BY day
), begun AS (
  SELECT event_type, min(day) AS first_day FROM series GROUP BY event_type
), filled AS (
  SELECT b.event_type, d.full_date AS day, coalesce(s.n, 0) AS n
  FROM begun b JOIN dim_dates d ON d.full_date >= b.first_day
  LEFT JOIN series s ON s.event_type = b.event_type AND s.day = d.full_date
  WHERE d.full_date <= DATE '{end}' AND d.full_date >= DATE '{begin - timedelta(weeks=BASE_WEEKS)}'
), judged AS (
  SELECT x.event_type, x.day, x.n, median(y.n) AS usual, mad(y.n) AS spread
  FROM filled x CROSS JOIN (SELECT unnest(range(1, {BASE_WEEKS + 1})) AS weeks) k
  JOIN filled y ON y.event_type = x.event_type AND y.day = x.day - CAST(7 * k.weeks AS INTEGER)
  WHERE x.day >= DATE '{begin}' GROUP BY x.event_type, x.day, x.n HAVING count(*) >= {LEAST_WEEKS}
)
SELECT event_type, day, 1 AS found, n AS events, usual, round((n - usual) / {scale}, 1) AS z
FROM judged WHERE usual >= {USUAL_AT_LEAST} AND abs(n - usual) > {look.limit} * {scale}"""


def _judged(look: Look, _: Values) -> str:
    return f"SELECT count(*) * {min(JUDGED_DAYS, look.complete_days())} FROM dim_actions"


def _few(look: Look, _: Values) -> str:
    return f"""SELECT events, people, 1 AS found FROM (
  SELECT (SELECT count(*) FROM fact_user_actions) AS events, (SELECT count(*) FROM dim_users) AS people
) counted WHERE events < {look.limit}"""


def _one(_look: Look, _: Values) -> str:
    return "SELECT 1"


def _extreme(look: Look, _: Values) -> str:
    end = _end(look)
    return f"""SELECT people, gone, 1 AS found,
  CASE WHEN gone = 0 THEN 'nobody left' ELSE 'everybody left' END AS problem
FROM (
  SELECT count(*) AS people, count(CASE WHEN last_day <= DATE '{end - timedelta(days=_SILENCE)}' THEN 1 END) AS gone
  FROM (SELECT user_key, max(day) AS last_day FROM daily_activity WHERE day <= DATE '{end}' GROUP BY user_key) x
) counted WHERE people >= {look.limit} AND (gone = 0 OR gone = people)"""


CHECKS = (
    Check(
        name="volume_anomalies",
        title="Days with unusually many or few events",
        words=f"Complete days of the last {JUDGED_DAYS} (or from `since` on) whose number of events, in all or of one "
        f"type, is far from the median of the same weekday in up to {BASE_WEEKS} weeks before. The distance is "
        f"measured in robust standard deviations: the greatest of {MAD_TO_SIGMA} MAD, {SCALE_FLOOR:.0%} of the "
        f"median, and its square root. Usual days of fewer than {USUAL_AT_LEAST} events are not judged.",
        fix="look for an outage, a release or a campaign on that day; note a known one by `since` in the settings",
        severity="warning",
        rows=_unusual,
        whole=_judged,
        noun="days",
        order="abs(z) DESC, day, event_type",
        limit=6.0,
        limit_words="robust standard deviations from the median",
        needs=(EVENTS, complete_days(_HISTORY_DAYS)),
    ),
    Check(
        name="few_events",
        title="Too few events",
        words="A workspace with so few events that shares, intervals and models say little.",
        fix="import more history, or generate more users or days",
        severity="info",
        rows=_few,
        whole=_one,
        noun="workspace",
        limit=1000.0,
        limit_words="events in the workspace",
        needs=(EVENTS,),
    ),
    Check(
        name="churn_extremes",
        title="Nobody left, or everybody did",
        words=f"Of the people with any action, none or all were silent in the last {_SILENCE} complete days, so that "
        "churn has nothing to learn from.",
        fix="import a longer history; all gone means that the export ends early, or stopped coming",
        severity="info",
        rows=_extreme,
        whole=_one,
        noun="workspace",
        limit=20.0,
        limit_words="people, below which nothing is said",
        needs=(EVENTS, CURRENT, complete_days(2 * _SILENCE, stored=True)),
    ),
)
