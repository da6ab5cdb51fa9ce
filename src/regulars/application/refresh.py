"""Bring derived rows up to date with the facts: incrementally after a load, or all of them.

Late events, merged identities, changed attributes and populations are one mechanism: arrival rows are removed and
inserted, and the aggregates follow by the difference. Both roads give the same rows, which a property test holds.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from regulars.domain.dialect import render
from regulars.domain.rollups import arrivals
from regulars.domain.rollups.daily import active_days, daily_activity
from regulars.domain.rollups.people import RESOLVED_LINKS, people
from regulars.domain.rollups.sessions import sessions
from regulars.domain.schema import AGG_ARRIVALS, ARRIVALS, DAILY_ACTIVITY, DIM_USERS, EVENT_DAYS, USER_SESSIONS
from regulars.domain.sql import Values
from regulars.domain.timezones import local_day_sql, local_time_key_sql

if TYPE_CHECKING:
    from regulars.application.ports import Engine
    from regulars.domain.context import ActivityRule, Context
    from regulars.domain.dialect import Dialect
    from regulars.settings import Settings

_TEMPORARY = (
    "touched", "moved", "since", "active_days", "new_users", "changed", "before", "after", "delta", "remade",
)  # fmt: skip
_BEGINNING = "DATE '1970-01-01'"


def refresh(engine: Engine, settings: Settings, context: Context, load_id: int) -> None:
    """Bring everything derived up to date with one load. Runs inside the load's transaction."""
    step = _Refresh(engine, settings, context)
    step.resolve_identities(load_id)
    step.find_dirty_people(load_id)
    step.find_changed_people()
    step.remake_sessions()
    step.count_days()
    step.aggregate("before")
    step.remake_arrivals()
    step.replace_people()
    step.aggregate("after")
    step.apply_difference()
    step.merge_event_days(load_id)
    step.clean_up()


def rebuild(engine: Engine, settings: Settings, context: Context) -> None:
    """Compute everything derived anew from the facts, with the present settings."""
    step = _Refresh(engine, settings, context)
    step.redefine_facts()
    step.rebuild_people()
    step.rebuild_sessions()
    step.rebuild_arrivals()
    rebuild_event_days(engine)
    step.remember_definitions()
    step.clean_up()


def rebuild_event_days(engine: Engine) -> None:
    """First and last event of every day."""
    engine.execute("DELETE FROM event_days")
    engine.execute(f"INSERT INTO {EVENT_DAYS.name} {arrivals.EVENT_DAYS_ALL} ORDER BY day")


@lru_cache(maxsize=256)
def _rendered(text: str, values: Values, dialect: Dialect) -> str:
    # A workspace that loads often repeats the same few statements, and spelling one costs milliseconds.
    return render(values.bind(text), dialect, pretty=False)


class _Refresh:
    """The steps of a refresh; what changed is kept in temporary tables between them."""

    def __init__(self, engine: Engine, settings: Settings, context: Context) -> None:
        self.engine = engine
        self.settings = settings
        self.context = context
        self.rules: list[ActivityRule] = [context.activities[name] for name in settings.stored_activities]
        self.dimensions = sorted(settings.rollups.dimensions)
        self.clean_up()

    def run(self, text: str, values: Values | None = None) -> None:
        """Execute one canonical statement in the engine's dialect."""
        self.engine.execute(_rendered(text, values or Values(), self.engine.dialect))

    def keep(self, name: str, text: str, values: Values | None = None) -> None:
        """Keep the rows of a SELECT in a temporary table."""
        self.run(f"CREATE TEMPORARY TABLE {name} AS {text}", values)

    def clean_up(self) -> None:
        """Drop the temporary tables of this refresh, or of one that failed before."""
        for name in _TEMPORARY:
            self.engine.execute(f"DROP TABLE IF EXISTS temp.{name}")

    def resolve_identities(self, load_id: int) -> None:
        """Follow the links that came with the load; anonymous identities may move to another person."""
        self.keep(
            "moved",
            f"""SELECT i.identity_key, i.user_key AS old_user, r.user_key AS new_user
FROM dim_identities i JOIN ({RESOLVED_LINKS}) r ON r.identity_key = i.identity_key
WHERE r.user_key <> i.user_key
  AND i.identity_key IN (SELECT anonymous_key FROM fact_identity_links WHERE load_id = {load_id})""",
        )
        self.run(
            """UPDATE dim_identities SET user_key = moved.new_user FROM moved
WHERE moved.identity_key = dim_identities.identity_key"""
        )

    def find_dirty_people(self, load_id: int) -> None:
        """From which day and instant on each person's rows must be made anew, and whose attributes may differ.

        A session can only change from the start of the run before the first new event on; who moved starts over.
        """
        self.keep(
            "delta",
            f"""SELECT i.user_key, min(e.day) AS day, min(e.action_timestamp) AS instant
FROM fact_user_actions e JOIN dim_identities i ON i.identity_key = e.identity_key
WHERE e.load_id = {load_id} AND i.identity_key NOT IN (SELECT identity_key FROM moved) GROUP BY i.user_key
UNION ALL SELECT new_user, {_BEGINNING}, CAST({_BEGINNING} AS TIMESTAMP) FROM moved
UNION ALL SELECT old_user, {_BEGINNING}, CAST({_BEGINNING} AS TIMESTAMP) FROM moved""",
        )
        from_start = "TRUE" if self.context.sessions.by_client else "FALSE"
        self.keep(
            "since",
            f"""WITH first AS (SELECT user_key, min(day) AS day, min(instant) AS instant FROM delta GROUP BY user_key),
run AS (
  SELECT f.user_key, max(x.run_start) AS run_start FROM first f JOIN user_sessions x ON x.user_key = f.user_key
  WHERE x.run_start <= f.instant GROUP BY f.user_key
), run_day AS (
  SELECT r.user_key, min(x.day) AS day FROM run r JOIN user_sessions x ON x.user_key = r.user_key
  WHERE x.session_start >= r.run_start GROUP BY r.user_key
)
SELECT f.user_key,
  CASE WHEN {from_start} THEN {_BEGINNING} WHEN d.day < f.day THEN d.day ELSE f.day END AS day,
  CASE WHEN {from_start} THEN CAST({_BEGINNING} AS TIMESTAMP) ELSE coalesce(r.run_start, f.instant) END AS instant
FROM first f LEFT JOIN run r ON r.user_key = f.user_key LEFT JOIN run_day d ON d.user_key = f.user_key""",
        )
        self.run("DROP TABLE delta")
        self.keep(
            "touched",
            f"""SELECT user_key FROM since
UNION SELECT i.user_key FROM fact_user_attributes f
JOIN dim_identities i ON i.identity_key = f.identity_key WHERE f.load_id = {load_id}
UNION SELECT i.user_key FROM fact_identity_links l
JOIN dim_identities i ON i.identity_key = l.known_key WHERE l.load_id = {load_id}
UNION SELECT i.user_key FROM fact_identity_links l
JOIN dim_identities i ON i.identity_key = l.anonymous_key WHERE l.load_id = {load_id}
UNION SELECT i.user_key FROM dim_identities i LEFT JOIN dim_users u ON u.user_key = i.user_key
WHERE i.identity_key = i.user_key AND u.user_key IS NULL""",
        )

    def find_changed_people(self) -> None:
        """New rows of touched people, and those among them whose slices or population differ from the stored ones."""
        values = Values()
        self.keep("new_users", people(self.context, values, only_touched=True), values)
        columns = ("population", *self.dimensions)
        same = " AND ".join(f"o.{name} IS NOT DISTINCT FROM n.{name}" for name in columns)
        self.keep(
            "changed",
            f"""SELECT t.user_key FROM touched t
LEFT JOIN dim_users o ON o.user_key = t.user_key LEFT JOIN new_users n ON n.user_key = t.user_key
WHERE NOT ({same}) OR (o.user_key IS NULL) <> (n.user_key IS NULL)""",
        )

    def remake_sessions(self) -> None:
        """Sessions of dirty people from their instant on."""
        values = Values()
        self.keep("remade", sessions(self.context, values, only_since=True), values)
        self.run(
            """DELETE FROM user_sessions USING since
WHERE since.user_key = user_sessions.user_key AND user_sessions.session_start >= since.instant"""
        )
        self.run(f"INSERT INTO {USER_SESSIONS.name} SELECT * FROM remade ORDER BY day, user_key, session_start")
        self.run("DROP TABLE remade")

    def count_days(self) -> None:
        """What dirty people did on each day since their first dirty one."""
        values = Values()
        self.keep("active_days", active_days(self.rules, self.context, values, only_since=True), values)
        self.run(
            """DELETE FROM daily_activity USING since
WHERE since.user_key = daily_activity.user_key AND daily_activity.day >= since.day"""
        )
        self.run(f"INSERT INTO {DAILY_ACTIVITY.name} {daily_activity(only_since=True)}")

    def aggregate(self, name: str) -> None:
        """What the rows that change, or may change, add to the aggregates."""
        rows = """FROM arrivals r JOIN dim_users u ON u.user_key = r.user_key
LEFT JOIN since s ON s.user_key = r.user_key LEFT JOIN changed c ON c.user_key = r.user_key
WHERE (c.user_key IS NOT NULL OR r.day >= s.day)"""
        self.keep(name, arrivals.histogram(self.dimensions, rows))

    def remake_arrivals(self) -> None:
        """Remove arrivals since the first dirty day, insert them as they are now."""
        self.keep("delta", "SELECT * FROM arrivals WHERE FALSE")
        for number, rule in enumerate(self.rules):
            values = Values()
            text = arrivals.changed_arrivals(rule, number, values)
            self.run(f"INSERT INTO delta SELECT * FROM ({text}) changed_rows", values)
        self.run(
            """DELETE FROM arrivals USING since
WHERE since.user_key = arrivals.user_key AND arrivals.day >= since.day"""
        )
        self.run(f"INSERT INTO {ARRIVALS.name} SELECT * FROM delta ORDER BY activity, day, user_key")

    def replace_people(self) -> None:
        """Put the new rows of touched people in the place of the old ones."""
        self.run("DELETE FROM dim_users WHERE user_key IN (SELECT user_key FROM touched)")
        self.run(f"INSERT INTO {DIM_USERS.name} SELECT * FROM new_users ORDER BY user_key")

    def apply_difference(self) -> None:
        """Add to the aggregates what came and take away what went."""
        key = "activity, population, dimension, value, day, gap"
        self.engine.execute("DROP TABLE temp.delta")
        self.keep(
            "delta",
            f"""SELECT {key}, CAST(sum(users) AS BIGINT) AS users FROM (
  SELECT {key}, users FROM after UNION ALL SELECT {key}, -users FROM before
) both_sides GROUP BY {key} HAVING sum(users) <> 0""",
        )
        same = " AND ".join(f"x.{name} = d.{name}" for name in key.split(", ")[:-1])
        matches = f"{same} AND coalesce(x.gap, -1) = coalesce(d.gap, -1)"
        self.run("DROP TABLE before")
        self.keep(
            "before",
            f"SELECT x.{key.replace(', ', ', x.')}, x.users FROM agg_arrivals x JOIN delta d ON {matches}",
        )
        self.run(f"DELETE FROM agg_arrivals AS x USING delta AS d WHERE {matches}")
        self.run(
            f"""INSERT INTO {AGG_ARRIVALS.name} SELECT {key}, CAST(sum(users) AS BIGINT) AS users FROM (
  SELECT {key}, users FROM before UNION ALL SELECT {key}, users FROM delta
) summed GROUP BY {key} HAVING sum(users) <> 0 ORDER BY activity, population, dimension, day"""
        )

    def merge_event_days(self, load_id: int) -> None:
        """Count the load's events into their days."""
        self.engine.execute("DROP TABLE temp.delta")
        new = arrivals.EVENT_DAYS_ALL.replace("GROUP BY", f"WHERE load_id = {load_id} GROUP BY")
        self.keep("delta", new)
        self.run(
            """INSERT INTO delta SELECT x.day, x.events, x.first_timestamp, x.last_timestamp
FROM event_days x WHERE x.day IN (SELECT day FROM delta)"""
        )
        self.run("DELETE FROM event_days WHERE day IN (SELECT day FROM delta)")
        self.run(
            f"""INSERT INTO {EVENT_DAYS.name}
SELECT day, CAST(sum(events) AS BIGINT), min(first_timestamp), max(last_timestamp)
FROM delta GROUP BY day ORDER BY day"""
        )

    def redefine_facts(self) -> None:
        """Local days and action flags under the present settings."""
        if "timezone" in self.context.stale:
            day = local_day_sql("action_timestamp", self.context)
            time_key = local_time_key_sql("action_timestamp", self.context)
            self.run(f"UPDATE fact_user_actions SET day = {day}, time_key = {time_key}")
        for action in self.context.actions.values():
            values = Values()
            self.run(
                f"""UPDATE dim_actions SET category = {values.add(action.category)},
  engagement_weight = {values.add(float(action.engagement_weight))},
  is_core_action = {values.add(action.is_core_action)},
  is_conversion_event = {values.add(action.is_conversion_event)}
WHERE action_type = {values.add(action.action_type)}""",
                values,
            )
        features = self.context.core_features
        values = Values()
        listed = f"feature_name IN ({values.add_all(features)})" if features else "FALSE"
        self.run(f"UPDATE dim_features SET is_core_feature = {listed}", values)

    def rebuild_people(self) -> None:
        """Resolve every link and every attribute."""
        self.run("UPDATE dim_identities SET user_key = identity_key")
        self.run(
            f"""UPDATE dim_identities SET user_key = r.user_key FROM ({RESOLVED_LINKS}) r
WHERE r.identity_key = dim_identities.identity_key"""
        )
        values = Values()
        self.keep("new_users", people(self.context, values, only_touched=False), values)
        self.run("DELETE FROM dim_users")
        self.run(f"INSERT INTO {DIM_USERS.name} SELECT * FROM new_users ORDER BY user_key")

    def rebuild_sessions(self) -> None:
        """Every session and every person's day."""
        values = Values()
        self.run("DELETE FROM user_sessions")
        self.keep("remade", sessions(self.context, values, only_since=False), values)
        self.run(f"INSERT INTO {USER_SESSIONS.name} SELECT * FROM remade ORDER BY day, user_key, session_start")
        self.run("DROP TABLE remade")
        own = Values()
        self.keep("active_days", active_days(self.rules, self.context, own, only_since=False), own)
        self.run("DELETE FROM daily_activity")
        self.run(f"INSERT INTO {DAILY_ACTIVITY.name} {daily_activity(only_since=False)}")

    def rebuild_arrivals(self) -> None:
        """Every arrival and every aggregate."""
        self.run("DELETE FROM arrivals")
        for number, rule in enumerate(self.rules):
            own = Values()
            self.run(f"INSERT INTO {ARRIVALS.name} {arrivals.all_arrivals(rule, number, own)}", own)
        self.run("DELETE FROM agg_arrivals")
        rows = "FROM arrivals r JOIN dim_users u ON u.user_key = r.user_key"
        self.run(f"INSERT INTO {AGG_ARRIVALS.name} {arrivals.histogram(self.dimensions, rows)}")

    def remember_definitions(self) -> None:
        """Note which definitions the derived rows were built with."""
        values = Values()
        text = values.add(json.dumps(self.settings.definitions(), sort_keys=True))
        self.run("DELETE FROM workspace_state WHERE name = 'definitions'")
        self.run(f"INSERT INTO workspace_state SELECT 'definitions', {text}", values)
