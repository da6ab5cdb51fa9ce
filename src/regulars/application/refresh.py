"""Bring derived rows up to date with the facts: incrementally after a change, or all of them.

Late events, merged identities, erased people, changed attributes and populations are one mechanism: arrival rows are
removed and inserted, and the aggregates follow by the difference. Both roads give the same rows, which a property test
holds.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from regulars.application.canonical import execute
from regulars.application.raw_floor import raw_floor
from regulars.domain.calendar import day_ends_at
from regulars.domain.definitions import REBUILD_STEPS
from regulars.domain.rollups import dirty, frozen
from regulars.domain.rollups.aggregates import AGGREGATES, LOOK_BACK, Aggregate, Rows
from regulars.domain.rollups.arrivals import EVENT_DAYS_ALL, OF_PEOPLE, OF_SLICES, all_arrivals, changed_arrivals
from regulars.domain.rollups.daily import active_days, daily_activity
from regulars.domain.rollups.people import RESOLVED_LINKS, people
from regulars.domain.rollups.resumed import NOBODY_RESUMED, may_resume, resumed, resumed_sessions
from regulars.domain.rollups.sessions import sessions
from regulars.domain.rollups.slices import sliced_days
from regulars.domain.schema import DAILY_ACTIVITY, DIM_USERS, EVENT_DAYS, USER_SESSIONS
from regulars.domain.sql import Values
from regulars.domain.timezones import local_day_sql, local_time_key_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from regulars.application.ports import Engine
    from regulars.domain.context import ActivityRule, Context
    from regulars.domain.rollups.arrivals import Chains
    from regulars.settings import Settings

_TEMPORARY = (
    "moved", "gone", "news", "united", "frozen_since", "since", "resumed", "dirty", "touched", "new_users", "changed",
    "active_days", "sliced_days", "moving", "affected", "affected_slices", "remade", "delta", "kept",
    OF_PEOPLE.remade, OF_SLICES.remade, *(aggregate.before for aggregate in AGGREGATES),
)  # fmt: skip
_EVERY_ARRIVAL = Rows(
    "(SELECT activity, user_key, day, days_since_prior, TRUE AS counts FROM arrivals)", "sliced_arrivals"
)
_AFFECTED = Rows("affected", "affected_slices")


def refresh(engine: Engine, settings: Settings, context: Context, load_id: int, *, gone: Collection[int] = ()) -> None:
    """Bring everything derived up to date with one load, in its transaction; ``gone`` are people without facts now."""
    step = _Refresh(engine, settings, context)
    step.resolve_identities(load_id)
    step.find_dirty_people(load_id, gone)
    step.find_changed_people()
    step.remake_sessions()
    step.count_days()
    step.remake_arrivals()
    step.take_away()
    step.replace_arrivals()
    step.replace_people()
    step.add_back()
    step.merge_event_days(load_id)
    step.clean_up()


def rebuild(engine: Engine, settings: Settings, context: Context, only: Collection[str] = REBUILD_STEPS) -> None:
    """Compute what is derived anew from the facts, with the present settings: all of it, or only some steps."""
    step = _Refresh(engine, settings, context)
    for name in REBUILD_STEPS:
        if name in only:
            STEPS[name](step)
    step.remember_definitions()
    step.clean_up()


def rebuild_above(engine: Engine, settings: Settings, context: Context, floor: date) -> None:
    """Compute what is derived anew from the raw events there are; what was frozen below the floor stays."""
    step = _Refresh(engine, settings, context)
    step.rebuild_people()
    step.find_everybody(floor)
    step.remake_sessions()
    step.count_days()
    step.remake_arrivals()
    step.replace_arrivals()
    step.rebuild_aggregates()
    step.clean_up()


def rebuild_event_days(engine: Engine) -> None:
    """First and last event of every day whose raw events are here."""
    floor = raw_floor(engine.fetch)
    here = f"WHERE day >= DATE '{floor}'" if floor else ""
    engine.execute(f"DELETE FROM event_days {here}")
    text = EVENT_DAYS_ALL.replace("GROUP BY", f"{here} GROUP BY")
    engine.execute(f"INSERT INTO {EVENT_DAYS.name} {text} ORDER BY day")


class _Refresh:
    """The steps of a refresh and of a rebuild; what changed is kept in temporary tables between them."""

    def __init__(self, engine: Engine, settings: Settings, context: Context) -> None:
        self.engine = engine
        self.settings = settings
        self.context = context
        self.rules: list[ActivityRule] = [context.activities[name] for name in settings.stored_activities]
        self.by = settings.rollups.checked()
        self.floor = raw_floor(engine.fetch)
        self.first_day = date.max
        self.chains: list[Chains] = []
        self.touches = False  # whether anything is said about anybody
        self.moves = False  # whether anything changes that the aggregates count
        self.clean_up()

    def run(self, text: str, values: Values | None = None) -> None:
        """Execute one canonical statement in the engine's dialect."""
        execute(self.engine, text, values)

    def keep(self, name: str, text: str, values: Values | None = None) -> None:
        """Keep the rows of a SELECT in a temporary table."""
        self.engine.execute(f"DROP TABLE IF EXISTS temp.{name}")
        self.run(f"CREATE TEMPORARY TABLE {name} AS {text}", values)

    def first(self, text: str) -> Any:
        """The first value of a SELECT."""
        return self.engine.fetch(text)[0][0]

    def clean_up(self) -> None:
        """Drop the temporary tables of this refresh, or of one that failed before."""
        for name in _TEMPORARY:
            self.engine.execute(f"DROP TABLE IF EXISTS temp.{name}")

    def resolve_identities(self, load_id: int) -> None:
        """Follow the links that came with the load; anonymous identities may move to another person."""
        self.keep("moved", dirty.moved(load_id))
        self.run(
            """UPDATE dim_identities SET user_key = moved.new_user FROM moved
WHERE moved.identity_key = dim_identities.identity_key"""
        )

    def find_dirty_people(self, load_id: int, gone: Collection[int]) -> None:
        """From which day and instant on each person's rows must be made anew, and whose attributes may differ."""
        listed = ", ".join(map(str, gone)) or "NULL"
        self.keep("gone", f"SELECT user_key FROM dim_users WHERE user_key IN ({listed})")
        self.keep("news", dirty.news(load_id))
        self.keep("since", dirty.since(self.context.sessions, self.first("SELECT min(day) FROM news") or date.max))
        self.first_day = self.first("SELECT min(day) FROM since") or date.max
        if self.floor and self.first_day < self.floor:
            self.keep("united", frozen.united(self.floor))
            self._unite_sessions(self.floor)
            self._leave_frozen(self.floor)
            self.keep("resumed", NOBODY_RESUMED)
        else:
            self._find_resumed()
        self.keep("dirty", dirty.IDENTITIES)
        self.keep("touched", dirty.touched(load_id))

    def find_everybody(self, floor: date) -> None:
        """Everybody's rows must be made anew from the floor on."""
        for name in ("gone", "united"):
            self.keep(name, frozen.NOBODY)
        self.keep("since", frozen.EVERYBODY)
        self._leave_frozen(floor)
        self.keep("resumed", NOBODY_RESUMED)
        self.keep("dirty", dirty.IDENTITIES)

    def _leave_frozen(self, floor: date) -> None:
        """Let nothing be made anew whose raw events were dropped."""
        begins = day_ends_at(floor - timedelta(days=1), self.context.timezone)
        self.keep("frozen_since", frozen.since(floor, begins))
        self.keep("since", "SELECT * FROM frozen_since")
        self.first_day = self.first("SELECT min(day) FROM since") or date.max

    def _find_resumed(self) -> None:
        """Whose sessions go on from the stored ones: of those nothing but the last is taken away."""
        day, events = self.engine.fetch("SELECT min(day), coalesce(sum(events), 0) FROM news")[0]
        if day is None or not may_resume(self.context, events):
            self.keep("resumed", NOBODY_RESUMED)
            return
        self.keep("resumed", resumed(self.context.sessions, day))
        self.run(
            """UPDATE since SET instant = coalesce(r.session_start, r.resumes) FROM resumed r
WHERE r.user_key = since.user_key"""
        )

    def _unite_sessions(self, floor: date) -> None:
        self.run(
            f"""UPDATE user_sessions SET user_key = united.new_user FROM united
WHERE united.old_user = user_sessions.user_key AND user_sessions.day < DATE '{floor}'"""
        )

    def find_changed_people(self) -> None:
        """New rows of touched people, and those among them whose slices or population differ from the stored ones."""
        self.touches = bool(self.first("SELECT count(*) FROM touched"))
        if not self.touches:
            self.keep("changed", "SELECT user_key FROM touched")
            return
        values = Values()
        self.keep("new_users", people(self.context, values, only_touched=True), values)
        self.keep("changed", dirty.changed(("population", *self.by.read_attributes)))

    def remake_sessions(self) -> None:
        """Sessions of dirty people from their instant on."""
        self.keep("remade", f"SELECT * FROM {USER_SESSIONS.name} WHERE FALSE")
        if self.first("SELECT count(*) FROM dirty WHERE resumes IS NULL"):
            values = Values()
            self.run(f"INSERT INTO remade {sessions(self.context, values, since=self.first_day)}", values)
        if resumes := self.first("SELECT min(resumes) FROM resumed"):
            values = Values()
            text = resumed_sessions(self.context, values, since=self.first_day, resumes=resumes)
            self.run(f"INSERT INTO remade {text}", values)
        self.run(
            f"""DELETE FROM user_sessions USING since
WHERE since.user_key = user_sessions.user_key AND user_sessions.session_start >= since.instant
  AND user_sessions.day >= DATE '{self.first_day}'"""
        )
        self.run(f"INSERT INTO {USER_SESSIONS.name} SELECT * FROM remade ORDER BY day, user_key, session_start")

    def count_days(self) -> None:
        """What dirty people did on each day since their first dirty one."""
        values = Values()
        self.keep("active_days", active_days(self.rules, self.context, values, since=self.first_day), values)
        if self.floor and self.first_day < self.floor:
            values = Values()
            self.run(f"INSERT INTO active_days {frozen.active_days(self.rules, self.floor, values)}", values)
        self._forget_days("daily_activity")
        self.run(f"INSERT INTO {DAILY_ACTIVITY.name} {daily_activity(since=self.first_day)}")

    def _forget_days(self, table: str) -> None:
        self.run(
            f"""DELETE FROM {table} USING since
WHERE since.user_key = {table}.user_key AND {table}.day >= since.day AND {table}.day >= DATE '{self.first_day}'"""
        )

    def remake_arrivals(self) -> None:
        """Arrivals since the first dirty day as they are now, of people and inside the slices of event properties."""
        self.chains = [OF_PEOPLE]
        if self.by.events:
            self._count_slices(self.by.events, since=self.first_day)
            if self.floor and self.first_day < self.floor:
                values = Values()
                self.run(f"INSERT INTO sliced_days {frozen.sliced_days(self.rules, self.floor, values)}", values)
            self.chains.append(OF_SLICES)
        for chains in self.chains:
            self._remake(chains)

    def _count_slices(self, names: Sequence[str], *, since: date | None) -> None:
        values = Values()
        self.keep("sliced_days", sliced_days(names, self.rules, self.context, values, since=since), values)

    def _remake(self, chains: Chains) -> None:
        self.keep(chains.remade, f"SELECT * FROM {chains.table.name} WHERE FALSE")
        for number, rule in enumerate(self.rules):
            values = Values()
            text = changed_arrivals(chains, rule, number, values)
            self.run(f"INSERT INTO {chains.remade} SELECT * FROM ({text}) changed_rows", values)

    def take_away(self) -> None:
        """Note what the arrivals that will change, or change their slice, add to the aggregates."""
        self.keep("moving", dirty.moving(self.chains, self.first_day))
        self.moves = bool(self.first("SELECT (SELECT count(*) FROM moving) + (SELECT count(*) FROM changed)"))
        if not self.moves:
            return
        # A day after all others changes no arrival that is there, so there is nothing to look back from.
        ahead = not self.engine.fetch(f"SELECT 1 FROM arrivals WHERE day >= DATE '{self.first_day}' LIMIT 1")
        self._find_affected(look_back=0 if ahead else LOOK_BACK)
        for aggregate in AGGREGATES:
            self.keep(aggregate.before, aggregate.sums(_AFFECTED, self.by))

    def _find_affected(self, look_back: int = LOOK_BACK) -> None:
        self.keep("affected", dirty.affected(look_back, self.first_day))
        if self.by.events:
            self.keep("affected_slices", dirty.affected_slices(self.first_day))

    def replace_arrivals(self) -> None:
        """Put the new arrivals in the place of those since the first dirty day."""
        for chains in self.chains:
            self._forget_days(chains.table.name)
            self.run(f"INSERT INTO {chains.table.name} SELECT * FROM {chains.remade} ORDER BY {chains.order}")

    def replace_people(self) -> None:
        """Put the new rows of touched people in the place of the old ones."""
        if not self.touches:
            return
        self.run("DELETE FROM dim_users WHERE user_key IN (SELECT user_key FROM touched)")
        self.run(f"INSERT INTO {DIM_USERS.name} SELECT * FROM new_users ORDER BY user_key")

    def add_back(self) -> None:
        """Put the difference into the aggregates, now that arrivals and people are as they shall be."""
        if not self.moves:
            return
        self._find_affected()
        for aggregate in AGGREGATES:
            key = ", ".join(aggregate.key)
            self.keep(
                "delta",
                f"""SELECT {key}, CAST(sum(users) AS BIGINT) AS users FROM (
  SELECT {key}, users FROM ({aggregate.sums(_AFFECTED, self.by)}) counted_now
  UNION ALL SELECT {key}, -users FROM {aggregate.before}
) both_sides GROUP BY {key} HAVING sum(users) <> 0""",
            )
            self._apply_delta(aggregate, key)

    def _apply_delta(self, aggregate: Aggregate, key: str) -> None:
        name, listed = aggregate.table.name, ", ".join(f"x.{column}" for column in aggregate.key)
        matches = aggregate.matches("x", "d")
        self.keep("kept", f"SELECT {listed}, x.users FROM {name} x JOIN delta d ON {matches}")
        self.run(f"DELETE FROM {name} AS x USING delta AS d WHERE {matches}")
        self.run(
            f"""INSERT INTO {name} SELECT {key}, CAST(sum(users) AS BIGINT) AS users FROM (
  SELECT {key}, users FROM kept UNION ALL SELECT {key}, users FROM delta
) summed GROUP BY {key} HAVING sum(users) <> 0 ORDER BY {key}"""
        )

    def merge_event_days(self, load_id: int) -> None:
        """Count the load's events into their days."""
        self.keep("delta", EVENT_DAYS_ALL.replace("GROUP BY", f"WHERE load_id = {load_id} GROUP BY"))
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

    def rebuild_facts(self) -> None:
        """Local days and action flags under the present settings."""
        if "timezone" in self.context.stale:
            day = local_day_sql("action_timestamp", self.context)
            time_key = local_time_key_sql("action_timestamp", self.context)
            self.run(f"UPDATE fact_user_actions SET day = {day}, time_key = {time_key}")
            rebuild_event_days(self.engine)
        for action in self.context.actions.values():
            values = Values()
            self.run(
                f"""UPDATE dim_actions SET category = {values.add(action.category)},
  engagement_weight = {values.add(float(action.engagement_weight))},
  is_core_action = {values.add(action.is_core_action)},
  is_conversion_event = {values.add(action.is_conversion_event)}, is_marker = {values.add(action.is_marker)}
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
        """Every session."""
        values = Values()
        made = sessions(self.context, values, since=None)
        self.run("DELETE FROM user_sessions")
        self.run(f"INSERT INTO {USER_SESSIONS.name} SELECT * FROM ({made}) made ORDER BY day, user_key", values)

    def rebuild_days(self) -> None:
        """Every person's day."""
        values = Values()
        self.keep("active_days", active_days(self.rules, self.context, values, since=None), values)
        self.run("DELETE FROM daily_activity")
        self.run(f"INSERT INTO {DAILY_ACTIVITY.name} {daily_activity(since=None)}")

    def rebuild_arrivals(self) -> None:
        """Every arrival, from the days counted just before."""
        self.run("DELETE FROM arrivals")
        self._insert_all(OF_PEOPLE)

    def rebuild_slices(self) -> None:
        """Every arrival inside the slices of event properties, one property after the other."""
        self.run("DELETE FROM sliced_arrivals")
        for name in self.by.events:
            self._count_slices([name], since=None)
            self._insert_all(OF_SLICES)

    def _insert_all(self, chains: Chains) -> None:
        for number, rule in enumerate(self.rules):
            values = Values()
            self.run(f"INSERT INTO {chains.table.name} {all_arrivals(chains, rule, number, values)}", values)

    def rebuild_aggregates(self) -> None:
        """Every aggregate."""
        for aggregate in AGGREGATES:
            self.run(f"DELETE FROM {aggregate.table.name}")
            self.run(f"INSERT INTO {aggregate.table.name} {aggregate.sums(_EVERY_ARRIVAL, self.by)}")

    def remember_definitions(self) -> None:
        """Note which definitions the derived rows were built with."""
        values = Values()
        text = values.add(json.dumps(self.settings.definitions(), sort_keys=True))
        self.run("DELETE FROM workspace_state WHERE name = 'definitions'")
        self.run(f"INSERT INTO workspace_state SELECT 'definitions', {text}", values)


STEPS: Mapping[str, Callable[[_Refresh], None]] = {
    "facts": _Refresh.rebuild_facts,
    "people": _Refresh.rebuild_people,
    "sessions": _Refresh.rebuild_sessions,
    "days": _Refresh.rebuild_days,
    "arrivals": _Refresh.rebuild_arrivals,
    "slices": _Refresh.rebuild_slices,
    "aggregates": _Refresh.rebuild_aggregates,
}
