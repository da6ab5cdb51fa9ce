"""Identities that stored rows must keep: nothing is lost between facts, days, arrivals and aggregates."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from regulars.domain.quality.record import CURRENT, EVENTS, Check, Look
from regulars.domain.quality.rows import IMPORTS
from regulars.domain.rollups.aggregates import AGGREGATES, Rows

if TYPE_CHECKING:
    from regulars.domain.rollups.aggregates import Aggregate
    from regulars.domain.sql import Values

_REBUILD = "run `regulars rebuild`, and report this if it comes back"
_ARRIVALS = Rows("(SELECT activity, user_key, day, days_since_prior, TRUE AS counts FROM arrivals)", "sliced_arrivals")


def _unequal_loads(look: Look, _: Values) -> str:
    return f"""SELECT l.load_id, l.source, 1 AS found, l.rows_read, l.rows_loaded, l.duplicates, l.rejected
FROM loads l WHERE l.rows_read <> l.rows_loaded + l.duplicates + l.rejected AND {look.loads()}"""


def _loads(look: Look, _: Values) -> str:
    return f"SELECT count(*) FROM loads l WHERE {look.loads()}"


def _unequal_days(look: Look, _: Values) -> str:
    return f"""SELECT coalesce(f.day, d.day) AS day, 1 AS found, f.events AS facts, d.events AS counted
FROM (SELECT e.day, count(*) AS events FROM fact_user_actions e GROUP BY e.day) f
FULL JOIN event_days d ON d.day = f.day
WHERE coalesce(f.events, 0) <> coalesce(d.events, 0) AND {look.raw_days("coalesce(f.day, d.day)")}"""


def _days(look: Look, _: Values) -> str:
    return f"SELECT count(*) FROM event_days d WHERE {look.raw_days('d.day')}"


def _unequal_activity(look: Look, _: Values) -> str:
    return f"""SELECT coalesce(f.day, d.day) AS day, coalesce(f.user_key, d.user_key) AS user_key, 1 AS found,
  f.actions AS facts, d.total_actions AS stored, f.core AS core_facts, d.core_actions AS stored_core
FROM (
  SELECT i.user_key, e.day, count(*) AS actions, count(CASE WHEN a.is_core_action THEN 1 END) AS core
  FROM fact_user_actions e JOIN dim_identities i ON i.identity_key = e.identity_key
  JOIN dim_actions a ON a.action_key = e.action_key WHERE NOT a.is_marker GROUP BY i.user_key, e.day
) f FULL JOIN daily_activity d ON d.user_key = f.user_key AND d.day = f.day
WHERE (coalesce(f.actions, 0) <> coalesce(d.total_actions, 0) OR coalesce(f.core, 0) <> coalesce(d.core_actions, 0))
  AND {look.raw_days("coalesce(f.day, d.day)")}"""


def _active_days(look: Look, _: Values) -> str:
    return f"SELECT count(*) FROM daily_activity d WHERE {look.raw_days('d.day')}"


def _unequal_arrivals(look: Look, _: Values) -> str:
    return f"""SELECT coalesce(r.activity, d.activity) AS activity, coalesce(r.day, d.day) AS day,
  coalesce(r.user_key, d.user_key) AS user_key, 1 AS found, r.actions AS arrival, d.actions AS daily_activity
FROM (SELECT activity, user_key, day, actions FROM arrivals WHERE activity IN ('any', 'core')) r
FULL JOIN (
  SELECT 'any' AS activity, user_key, day, total_actions AS actions FROM daily_activity
  UNION ALL
  SELECT 'core' AS activity, user_key, day, core_actions AS actions FROM daily_activity WHERE core_actions > 0
) d ON d.activity = r.activity AND d.user_key = r.user_key AND d.day = r.day
WHERE coalesce(r.actions, 0) <> coalesce(d.actions, 0) AND {look.days("coalesce(r.day, d.day)")}"""


def _arrivals(look: Look, _: Values) -> str:
    return f"SELECT count(*) FROM arrivals r WHERE {look.days('r.day')}"


def _unequal_gaps(look: Look, _: Values) -> str:
    return f"""SELECT activity, day, user_key, 1 AS found, days_since_prior AS stored, gap AS counted FROM (
  SELECT r.activity, r.day, r.user_key, r.days_since_prior,
    date_diff('day', lag(r.day) OVER (PARTITION BY r.activity, r.user_key ORDER BY r.day), r.day) AS gap
  FROM arrivals r
) chains WHERE gap IS DISTINCT FROM days_since_prior AND {look.days("day")}"""


def _unequal_lifecycle(look: Look, _: Values) -> str:
    """Who came and who stayed by the stored gap of the day; who left by looking for the person on the next day."""
    return f"""SELECT activity, day, 1 AS found, active, new + retained + resurrected AS by_state, active_before,
  retained + churned AS by_fate
FROM (
  SELECT x.activity, x.day, sum(x.active) AS active, sum(x.new) AS new, sum(x.retained) AS retained,
    sum(x.resurrected) AS resurrected, sum(x.active_before) AS active_before, sum(x.churned) AS churned
  FROM (
    SELECT activity, day, count(*) AS active, count(CASE WHEN days_since_prior IS NULL THEN 1 END) AS new,
      count(CASE WHEN days_since_prior = 1 THEN 1 END) AS retained,
      count(CASE WHEN days_since_prior > 1 THEN 1 END) AS resurrected, 0 AS active_before, 0 AS churned
    FROM arrivals GROUP BY activity, day
    UNION ALL
    SELECT activity, day + 1 AS day, 0 AS active, 0 AS new, 0 AS retained, 0 AS resurrected, count(*) AS active_before,
      count(CASE WHEN next_day IS NULL OR next_day <> day + 1 THEN 1 END) AS churned
    FROM (SELECT activity, day, lead(day) OVER (PARTITION BY activity, user_key ORDER BY day) AS next_day
          FROM arrivals) followed GROUP BY activity, day
  ) x GROUP BY x.activity, x.day
) days_of_life
WHERE (active <> new + retained + resurrected OR active_before <> retained + churned) AND {look.days("day")}"""


def _unequal_slices(look: Look, _: Values) -> str:
    names = look.dimensions.of_people
    listed = ", ".join(f"'{name}'" for name in names)
    members = f"dimension = 'overall' OR dimension IN ({listed})" if names else "FALSE"
    return f"""SELECT coalesce(s.dimension, o.dimension) AS dimension, coalesce(s.activity, o.activity) AS activity,
  coalesce(s.population, o.population) AS population, coalesce(s.day, o.day) AS day, 1 AS found, o.users AS whole,
  s.users AS slices
FROM (
  SELECT dimension, activity, population, day, sum(users) AS users FROM agg_arrivals
  WHERE dimension <> 'overall' AND ({members}) GROUP BY dimension, activity, population, day
) s FULL JOIN (
  SELECT n.dimension, x.activity, x.population, x.day, sum(x.users) AS users FROM agg_arrivals x
  CROSS JOIN (SELECT unnest(CAST([{listed}] AS VARCHAR[])) AS dimension) n
  WHERE x.dimension = 'overall' GROUP BY n.dimension, x.activity, x.population, x.day
) o ON o.dimension = s.dimension AND o.activity = s.activity AND o.population = s.population AND o.day = s.day
WHERE coalesce(s.users, 0) <> coalesce(o.users, 0) AND {look.days("coalesce(s.day, o.day)")}"""


def _slices(look: Look, _: Values) -> str:
    return f"SELECT count(*) FROM agg_arrivals a WHERE {look.days('a.day')}"


def _unequal_aggregate(aggregate: Aggregate, look: Look, _: Values) -> str:
    """Rows that only the stored table has, or only the sum over all arrivals."""
    table, key = aggregate.table.name, ", ".join(aggregate.key)
    day = "day" if "day" in aggregate.key else "cohort_day"
    return f"""SELECT {key}, 1 AS found, CAST(sum(stored) AS BIGINT) AS stored, CAST(sum(counted) AS BIGINT) AS counted
FROM (
  SELECT {key}, users AS stored, 0 AS counted FROM {table}
  UNION ALL SELECT {key}, 0 AS stored, users AS counted FROM ({aggregate.sums(_ARRIVALS, look.dimensions)}) sums
) both_sides WHERE {look.days(day)} GROUP BY {key} HAVING sum(stored) <> sum(counted)"""


def _size_of(aggregate: Aggregate, _look: Look, _: Values) -> str:
    return f"SELECT count(*) FROM {aggregate.table.name}"


def _of_aggregate(aggregate: Aggregate) -> Check:
    name = aggregate.table.name
    return Check(
        name=f"{name}_recomputed",
        title=f"{name} against its facts",
        words=f"Rows of the stored sums `{name}` that differ from the sums over all arrivals, computed anew.",
        fix=_REBUILD,
        severity="error",
        rows=partial(_unequal_aggregate, aggregate),
        whole=partial(_size_of, aggregate),
        noun="rows",
        order=", ".join(aggregate.key),
        needs=(EVENTS, CURRENT),
    )


CHECKS = (
    Check(
        name="loads_add_up",
        title="Imports that do not add up",
        words="Imports whose rows read are not the rows loaded, known already and rejected together.",
        fix="please report this; the rows are in the table `loads`",
        severity="error",
        rows=_unequal_loads,
        whole=_loads,
        noun="imports",
        order="load_id",
        needs=(IMPORTS,),
        is_cheap=True,
    ),
    Check(
        name="days_add_up",
        title="Days that do not add up",
        words="Days whose stored number of events, `event_days`, is not the number of facts.",
        fix=_REBUILD,
        severity="error",
        rows=_unequal_days,
        whole=_days,
        noun="days",
        order="day",
        needs=(EVENTS, CURRENT),
    ),
    Check(
        name="daily_activity_adds_up",
        title="Daily activity against its facts",
        words="Days of people whose stored actions and core actions, `daily_activity`, are not those of the facts.",
        fix=_REBUILD,
        severity="error",
        rows=_unequal_activity,
        whole=_active_days,
        noun="days of people",
        order="day, user_key",
        needs=(EVENTS, CURRENT),
    ),
    Check(
        name="arrivals_add_up",
        title="Arrivals against daily activity",
        words="Days of people on which the arrivals of the activities `any` and `core` do not count the actions of "
        "`daily_activity`.",
        fix=_REBUILD,
        severity="error",
        rows=_unequal_arrivals,
        whole=_arrivals,
        noun="arrivals",
        order="day, activity, user_key",
        needs=(EVENTS, CURRENT),
    ),
    Check(
        name="gaps_add_up",
        title="Gaps between active days",
        words="Arrivals whose stored gap is not the distance to the active day before.",
        fix=_REBUILD,
        severity="error",
        rows=_unequal_gaps,
        whole=_arrivals,
        noun="arrivals",
        order="day, activity, user_key",
        needs=(EVENTS, CURRENT),
    ),
    Check(
        name="lifecycle_adds_up",
        title="Lifecycle identities",
        words="Days on which active is not new + retained + resurrected, or the day before's active is not retained + "
        "churned, for any stored activity.",
        fix=_REBUILD,
        severity="error",
        rows=_unequal_lifecycle,
        whole=_arrivals,
        noun="days",
        order="day, activity",
        needs=(EVENTS, CURRENT),
    ),
    Check(
        name="slices_add_up",
        title="Slices that do not add up to the whole",
        words="Days on which the slices by an attribute of people, as stored in `agg_arrivals`, are not the whole "
        "together.",
        fix=_REBUILD,
        severity="error",
        rows=_unequal_slices,
        whole=_slices,
        noun="days of slices",
        order="day, dimension, activity",
        needs=(EVENTS, CURRENT),
    ),
    *(_of_aggregate(aggregate) for aggregate in AGGREGATES),
)
