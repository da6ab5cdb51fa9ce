"""Engagement tiers: how many people are casual, regular, core or power users, and who moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.habits import DEFAULT_WINDOW
from regulars.domain.metrics.options import Option
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, counts, habits, slices, visits
from regulars.domain.relations.scope import day_number, where
from regulars.domain.rules import RISK_DAYS, TIER_WINDOW, TIERS_BY_DAYS
from regulars.domain.sql import with_relations
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

TIERS = (*(tier for tier, _ in TIERS_BY_DAYS), "at_risk", "dormant")
NOT_YET_SEEN = "not_yet_seen"
_STORED_AS = {"scheme": "days", "with_risk": False, "averages": False}
_OPTIONS = (
    Option("scheme", "Tiers by active days alone, or with depth for power", "days", ("days", "depth")),
    Option("depth_threshold", "Actions per active day from which on a person is power", 10, largest=1000),
    Option("with_risk", "Put people without a visit in the last 7 days apart", default=False, choices=(False, True)),
)


def _option(statement: Statement, name: str) -> object:
    return statement.metric.option(statement.query, name)


def tier_of(scheme: str, depth_threshold: int, *, with_risk: bool) -> str:
    """The tier of a person (alias ``h``: active days, actions, latest day; NULL when not active in the window)."""
    cases = ["WHEN h.active IS NULL THEN 'dormant'"]
    if with_risk:
        cases.append(f"WHEN h.latest < e.last_day - {RISK_DAYS} THEN 'at_risk'")
    if scheme == "depth":
        cases.append(f"WHEN CAST(h.actions AS DOUBLE) / h.active >= {depth_threshold} THEN 'power'")
    by_days = [(tier, least) for tier, least in reversed(TIERS_BY_DAYS) if not (scheme == "depth" and tier == "power")]
    cases += [f"WHEN h.active >= {least} THEN '{tier}'" for tier, least in by_days]
    return f"CASE {' '.join(cases)} END"


def _shape(query: Query) -> Shape:
    window = query.window or DEFAULT_WINDOW
    averages = ("sessions_per_active_day", "actions_per_active_day")
    names = ("tier", "users", *(averages if TIERS_METRIC.option(query, "averages") else ()))
    return Shape(
        (Measure("users", "rolling", window),),
        {name: name for name in names},
        window=window,
        people={"users": ("users",)},
        needs_history=True,
    )


def _members(statement: Statement, source: Source) -> dict[str, str]:
    """Per tick everybody who was active by then, with tier, active days and actions in the window."""
    scope, query = statement.scope, statement.query
    named = habits.ticks(statement, source, every_bucket=True)
    named["habits"] = habits.habits(scope, query.window or DEFAULT_WINDOW)
    named["ever"] = habits.ever(scope)
    tier = tier_of(
        str(_option(statement, "scheme")),
        int(str(_option(statement, "depth_threshold"))),
        with_risk=bool(_option(statement, "with_risk")),
    )
    own = habits.own_columns(scope)
    same = "".join(f" AND h.{name} = e.{name}" for name in own)
    named["placed"] = f"""
SELECT e.date, e.last_day, e.user_key, {"".join(f"e.{name}, " for name in own)}{tier} AS tier, h.active, h.actions
FROM ever e LEFT JOIN habits h ON h.date = e.date AND h.user_key = e.user_key{same}"""
    named["members"] = habits.judged(scope, "placed", "h.tier, h.active, h.actions")
    return named | habits.rank(scope, "members")


def _select(statement: Statement, source: Source) -> str:
    scope = statement.scope
    named = _sizes_from_changes(statement) if source == "aggregates" else _sizes(statement, source)
    averages = """,
  coalesce(s.sessions, 0) / nullif(s.days, 0) AS sessions_per_active_day,
  s.actions / nullif(s.days, 0) AS actions_per_active_day"""
    shown = TIERS if _option(statement, "with_risk") else tuple(tier for tier in TIERS if tier != "at_risk")
    listed = " UNION ALL ".join(f"SELECT {place} AS place, '{tier}' AS tier" for place, tier in enumerate(shown))
    return with_relations(
        named,
        f"""
SELECT t.date, {slices.shown_columns(scope)}n.tier, coalesce(s.users, 0) AS users{
            averages if _option(statement, "averages") else ""
        }, {slices.is_other(scope)} AS is_other
FROM ticks t CROSS JOIN ({slices.axis(scope)}) k CROSS JOIN ({listed}) n
LEFT JOIN sized s ON s.date = t.date AND s.slice = k.slice AND s.tier = n.tier
ORDER BY t.date, k.slice, n.place""",
    )


def _sizes(statement: Statement, source: Source) -> dict[str, str]:
    """People per tick, slice and tier, with their sessions, actions and active days."""
    scope, window = statement.scope, statement.query.window or DEFAULT_WINDOW
    named = _members(statement, source)
    # People's sessions, whatever the activity that places them.
    named |= visits.in_windows(statement.context, statement.values, window)
    slice_, join = habits.slice_of(scope, "m")
    named["sized"] = f"""
SELECT {slice_} AS slice, m.date, m.tier, count(DISTINCT m.user_key) AS users,
  CAST(sum(v.sessions) AS DOUBLE) AS sessions, CAST(sum(m.actions) AS DOUBLE) AS actions, sum(m.active) AS days
FROM members m LEFT JOIN visits v ON v.date = m.date AND v.user_key = m.user_key {join}
GROUP BY {slice_ + ", " if scope.breakdown else ""}m.date, m.tier"""
    return named


def _is_stored(statement: Statement) -> bool:
    """Whether the stored changes of tiers answer: of everybody, by active days of 30, without averages."""
    plain = all(_option(statement, name) == default for name, default in _STORED_AS.items())
    window = statement.query.window or DEFAULT_WINDOW
    return plain and window == TIER_WINDOW and not statement.scope.breakdown and not statement.query.filters


def _sizes_from_changes(statement: Statement) -> dict[str, str]:
    """The same sizes as running sums of who enters and leaves."""
    scope, frame, values = statement.scope, statement.frame, statement.values
    population = "" if scope.population == "all" else f" AND population = '{scope.population}'"
    return {
        "days": counts.days(frame, values),
        "ticks": "SELECT DISTINCT date, last_day FROM days",
        "changes": f"""
SELECT tier, {day_number("day")} AS day, sum(users) AS users FROM agg_tier_changes
WHERE activity = {values.add(scope.activity)} AND day <= {values.add(frame.last)}{population} GROUP BY tier, day""",
        "sized": """
SELECT 1 AS slice, t.date, c.tier, CAST(sum(c.users) AS BIGINT) AS users
FROM ticks t JOIN changes c ON c.day <= t.last_day GROUP BY t.date, c.tier""",
    }


def _people(statement: Statement, source: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    scope, values = statement.scope, statement.values
    tests = [f"m.last_day = {cell.at}", f"m.tier = {values.add(str(cells.key(row, 'tier')))}"]
    tests += cells.slice_tests(scope, cell, values)
    return with_relations(
        _members(statement, source),
        cells.ids(scope, f"SELECT m.user_key FROM members m {cells.slice_join(scope, 'm')} {where(tests)}"),
    )


TIERS_METRIC = Metric(
    name="tiers",
    title="Engagement tiers",
    definition=(
        "People by active days in the window (30 days) that ends on the bucket's last day: casual 1-5, regular 6-15, "
        "core 16-19, power 20 or more, dormant none but active before. scheme=depth: power are those with at least "
        "depth_threshold (10) actions per active day, core those with 16 or more active days who are not power. "
        "with_risk=true puts those whose last active day lies more than 7 days back into at_risk first. averages=false "
        "leaves out the averages, and is the quickest."
    ),
    source="Two practices exist, so both ship; days is the default because it needs no tuning",
    columns=(
        DATE,
        ResultColumn("tier", "text", "tier", "Engagement tier"),
        ResultColumn("users", "integer", "people", "People in it", counts_people=True),
        ResultColumn("sessions_per_active_day", "number", "sessions per day", "Over the window of its people"),
        ResultColumn("actions_per_active_day", "number", "actions per day", "Over the window of its people"),
    ),
    takes_actor=False,
    shape=_shape,
    options=(
        *_OPTIONS,
        Option("averages", "Add sessions and actions per active day", default=True, choices=(True, False)),
    ),
    takes_window=True,
    scopes=("user", "moment"),
    composition=Composition(_select, _people, "arrivals", shows_sessions=True, is_stored=_is_stored),
    chart="bars",
)


def _transition_shape(query: Query) -> Shape:
    if query.breakdown:
        raise QueryError("tier_transitions takes no breakdown; filter instead", code="bad_breakdown")
    return Shape(
        (Measure("users", "rolling", query.window or DEFAULT_WINDOW),),
        {"from_tier": "from_tier", "to_tier": "to_tier", "users": "users"},
        window=query.window or DEFAULT_WINDOW,
        people={"users": ("users",)},
        needs_history=True,
        dated=False,
        compares_ends=True,
    )


def _moves(statement: Statement, source: Source) -> dict[str, str]:
    named = _members(statement, source)
    ends = "(SELECT min(last_day) FROM days)", "(SELECT max(last_day) FROM days)"
    named["moves"] = f"""
SELECT b.user_key, coalesce(a.tier, '{NOT_YET_SEEN}') AS from_tier, b.tier AS to_tier
FROM (SELECT user_key, tier FROM members WHERE last_day = {ends[1]}) b
LEFT JOIN (SELECT user_key, tier FROM members WHERE last_day = {ends[0]}) a ON a.user_key = b.user_key"""
    named["ticks"] = named["ticks"] + f" WHERE last_day IN ({ends[0]}, {ends[1]})"
    return named


def _select_moves(statement: Statement, source: Source) -> str:
    order = " ".join(f"WHEN '{tier}' THEN {place}" for place, tier in enumerate((*TIERS, NOT_YET_SEEN)))
    return with_relations(
        _moves(statement, source),
        f"""
SELECT from_tier, to_tier, count(*) AS users, FALSE AS is_other
FROM moves GROUP BY from_tier, to_tier
ORDER BY CASE from_tier {order} END, CASE to_tier {order} END""",
    )


def _movers(statement: Statement, source: Source, _: Cell, row: Mapping[str, Any]) -> str:
    values = statement.values
    tests = [
        f"m.from_tier = {values.add(str(cells.key(row, 'from_tier')))}",
        f"m.to_tier = {values.add(str(cells.key(row, 'to_tier')))}",
    ]
    return with_relations(
        _moves(statement, source),
        cells.ids(statement.scope, f"SELECT m.user_key FROM moves m {where(tests)}"),
    )


TIER_TRANSITIONS = Metric(
    name="tier_transitions",
    title="Tier transitions",
    definition=(
        "People by their tier on the first day of the range and on its last; the rows of one tier add up to its size "
        "on the first day, so filters on what changes with time choose people by the value they had on that day. "
        "not_yet_seen are people whose first activity came between. The people of a row are those who moved that way."
    ),
    source="Movement between engagement tiers",
    columns=(
        ResultColumn("from_tier", "text", "tier", "Tier on the first day"),
        ResultColumn("to_tier", "text", "tier", "Tier on the last day"),
        ResultColumn("users", "integer", "people", "People who moved, or stayed, so", counts_people=True),
    ),
    shape=_transition_shape,
    grains=("day",),
    options=_OPTIONS,
    takes_window=True,
    scopes=("user", "moment"),
    composition=Composition(_select_moves, _movers, "arrivals"),
    chart="matrix",
)
