"""Paths: the nodes that a person passes one after the other, within a session or until a long pause."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from regulars.domain.calendar import epoch_day
from regulars.domain.relations import moments, rows, slices, visits
from regulars.domain.relations.cohorts import ORDER
from regulars.domain.relations.occurrences import at_entry
from regulars.domain.relations.scope import day_number, listed, where

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.properties import Property
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

_EVER = 10**17  # longer than any pause, in microseconds
_AFTER = 1_000_000_000  # more paths than anybody has in a range
_SECOND = 1_000_000
_DAY = 86_400


@dataclass(frozen=True)
class Way:
    """What makes a path: its nodes, where it begins and ends, and how much of it is looked at.

    ``pause`` is the longest pause in seconds within a path, or None where sessions are the paths. ``opens`` and
    ``closes`` are conditions on the events that anchor it; with ``closes`` alone its steps count back from there.
    """

    node: Property
    steps: int
    collapses: bool
    pause: int | None = None
    opens: str | None = None
    closes: str | None = None

    @property
    def is_backward(self) -> bool:
        """Whether steps count back from the end."""
        return self.closes is not None and self.opens is None

    @property
    def marks(self) -> dict[str, str]:
        """The conditions of the anchors by the name of their column."""
        given = {"opens": self.opens, "closes": self.closes}
        return {name: test for name, test in given.items() if test is not None}


@dataclass(frozen=True)
class _Columns:
    """The columns that go along: whose stream of events it is, and in which part of the breakdown."""

    stream: tuple[str, ...]
    own: tuple[str, ...]
    is_sliced: bool
    is_dated: bool

    @property
    def table(self) -> str:
        return "sliced" if self.is_sliced else "stream"

    @property
    def part(self) -> tuple[str, ...]:
        """The slice, where each has paths of its own."""
        return self.own if self.is_sliced else ()

    @property
    def every(self) -> tuple[str, ...]:
        return (*self.stream, *self.own)

    @property
    def counted(self) -> tuple[str, ...]:
        """The number of the path and the place in it, and where it matters the day on which the path begins."""
        return ("path", "place", *(["begun_on"] if self.is_dated else []))


def seated(statement: Statement, source: Source, way: Way) -> dict[str, str]:
    """The relations up to ``seated``: a row per path and step, with its node and the one on the next step.

    Columns: ``user_key``, ``slice``, ``step``, ``node``, ``next_node`` (missing where the path is over).
    """
    scope, context = statement.scope, statement.context
    named = moments.validities(scope, statement.frame)
    if way.pause is None:
        named |= visits.user_sessions(context, statement.values, source)
    named["stream"] = _stream(statement, way)
    by_client = way.pause is None and context.sessions.by_client
    own = ("slice",) if scope.by_event else tuple(dict(scope.stored_segments()))
    columns = _Columns(("user_key", *(["client"] if by_client else [])), own, scope.by_event, bool(scope.moments))
    if scope.by_event:
        named |= _sliced(statement)
    named["numbered"] = (
        _by_session(statement, way, columns) if way.pause is None else _by_pause(statement, way, columns, way.pause)
    )
    named["nodes"] = _in_range(statement, way, columns)
    named |= _steps(way, columns)
    return named | _seats(statement)


def _stream(statement: Statement, way: Way) -> str:
    """Events that are nodes, and those with which a session begins."""
    scope, values = statement.scope, statement.values
    is_node = " AND ".join(f"coalesce({test}, FALSE)" for test in (scope.qualifies, *scope.event_conditions))
    node = f"CASE WHEN {is_node} THEN {_name(way.node)} END"
    labels = {name: found.label for name, found in scope.stored_segments()}
    columns = [f"{node} AS node", *(f"{label} AS {name}" for name, label in labels.items())]
    columns += [f"CASE WHEN {test} THEN 1 ELSE 0 END AS {name}" for name, test in way.marks.items()]
    first, last = (values.add(day) for day in _scanned(statement, way))
    tests = [*scope.users_condition(), f"{scope.day} >= {first}", f"{scope.day} <= {last}"]
    kept, join = f"{node} IS NOT NULL", ""
    if way.pause is None:
        columns += _session_columns(statement)
        join = f"LEFT JOIN user_sessions x ON x.session_key = e.event_hash AND x.day >= {first}"
        kept = f"(x.session_key IS NOT NULL OR {kept})"
    return f"""
SELECT i.user_key, {day_number(scope.day)} AS day, rg_epoch_us(e.action_timestamp) AS at, e.sequence, e.event_id,
  {", ".join(columns)}
{rows.event_tables(*labels.values(), *tests, node, *way.marks.values())}
{join}
{where([*tests, kept])}"""


def _session_columns(statement: Statement) -> list[str]:
    """What an event says about the session that begins with it, and until when others can belong to that."""
    rule = statement.context.sessions
    return [
        *(["coalesce(e.client_session_id, '') AS client"] if rule.by_client else []),
        "x.session_key IS NOT NULL AS begins",
        f"{day_number('x.day')} AS begun_on",
        f"rg_epoch_us(x.session_end) + {rule.gap_minutes * 60 * _SECOND} AS until",
    ]


def _name(node: Property) -> str:
    return f"rg_text({node.expression})" if node.numeric else node.expression


def _scanned(statement: Statement, way: Way) -> tuple[date, date]:
    """The days whose events may belong to a path that begins in the range, or tell that one began before it."""
    frame, rule = statement.frame, statement.context.sessions
    if way.pause is not None:
        return frame.first - timedelta(days=way.pause // _DAY + 2), frame.scan_to
    if rule.by_client:
        return frame.first, frame.scan_to
    # A session lasts a day at most.
    longest = timedelta(days=2 + rule.gap_minutes * 60 // _DAY)
    return frame.first, min(frame.last + longest, frame.scan_to)


def _sliced(statement: Statement) -> dict[str, str]:
    """Slices of an event property, by the people who met them in the range, and the nodes of each slice."""
    scope, frame = statement.scope, statement.frame
    in_range = f"day BETWEEN {epoch_day(frame.first)} AND {epoch_day(frame.last)}"
    met = f"(SELECT * FROM stream WHERE node IS NOT NULL AND {in_range}) met"
    matches = " AND ".join(f"k.{name} = s.{name}" for name in scope.segments)
    return {
        "slices": slices.ranked(scope, "count(DISTINCT user_key)", "1", met),
        "sliced": f"""
SELECT s.*, coalesce(k.slice, {scope.limit + 1}) AS slice
FROM stream s LEFT JOIN slices k ON {matches}""",
    }


def _by_session(statement: Statement, way: Way, columns: _Columns) -> str:
    """Every event with the number of the session that began last before it."""
    order = f"PARTITION BY {', '.join(columns.stream)} ORDER BY {ORDER}"
    running = f"OVER ({order} ROWS UNBOUNDED PRECEDING)"
    carried = {"path": f"sum({_number(statement, 'begins', 'begun_on')})"}
    carried |= {"begun_on": "max(begun_on)"} if statement.scope.moments else {}
    carried |= {"until": "max(until)"} if _has_guests(statement) else {}
    told = ", ".join(f"CAST({text} {running} AS BIGINT) AS {name}" for name, text in carried.items())
    return f"""
SELECT {listed(columns.every)}{listed(tuple(way.marks))}node, at, row_number() OVER ({order}) AS place, {told}
FROM {columns.table}"""


def _has_guests(statement: Statement) -> bool:
    """Whether nodes can be events of which sessions are not made."""
    return statement.scope.activity != "core"


def _number(statement: Statement, begins: str, day: str) -> str:
    """What an event adds to the number of its path: paths before the range have none, those after it a high one."""
    first, last = epoch_day(statement.frame.first), epoch_day(statement.frame.last)
    return f"CASE WHEN NOT {begins} OR {day} < {first} THEN 0 WHEN {day} > {last} THEN {_AFTER} ELSE 1 END"


def _by_pause(statement: Statement, way: Way, columns: _Columns, pause: int) -> str:
    """Every node with the number of the long pauses before it."""
    partition = ", ".join((*columns.stream, *columns.part))
    order = f"PARTITION BY {partition} ORDER BY {ORDER}"
    running = f"OVER (PARTITION BY {partition} ORDER BY place ROWS UNBOUNDED PRECEDING)"
    is_late = f"at - lag(at, 1, {-_EVER}) OVER ({order}) > {pause * _SECOND}"
    begun_on = f", max(CASE WHEN begins THEN day END) {running} AS begun_on" if statement.scope.moments else ""
    return f"""
SELECT {listed(columns.every)}{listed(tuple(way.marks))}node, place,
  CAST(sum({_number(statement, "begins", "day")}) {running} AS BIGINT) AS path{begun_on}
FROM (
  SELECT *, {is_late} AS begins, row_number() OVER ({order}) AS place
  FROM {columns.table}
) paused"""


def _in_range(statement: Statement, way: Way, columns: _Columns) -> str:
    tests = ["node IS NOT NULL", f"path BETWEEN 1 AND {_AFTER - 1}"]
    if way.pause is None and _has_guests(statement):
        # A guest belongs to a session while it lasts, and as long after as the session would have gone on.
        tests.append("(client <> '' OR at <= until)" if "client" in columns.stream else "at <= until")
    return f"""
SELECT {listed(columns.every)}{listed(tuple(way.marks))}{", ".join(columns.counted)}, node
FROM numbered
{where(tests)}"""


def _steps(way: Way, columns: _Columns) -> dict[str, str]:
    """From nodes to steps: cut at the anchors, repeats taken as one, counted."""
    partition = ", ".join((*columns.stream, "path", *columns.part))
    order = f"PARTITION BY {partition} ORDER BY place{' DESC' if way.is_backward else ''}"
    every = f"{listed(columns.every)}{listed(columns.counted)}node"
    named, table = {}, "nodes"
    if way.marks:
        named["anchored"] = _anchored(way, order, every)
        table = "anchored"
    if way.collapses:
        named["marked"] = f"SELECT {every}, lag(node) OVER ({order}) AS before FROM {table}"
        table = "marked WHERE before IS NULL OR before <> node"
    named["steps"] = f"""
SELECT user_key, {listed(columns.own)}{"begun_on AS day, " if columns.is_dated else ""}step, node, next_node
FROM (
  SELECT {every}, row_number() OVER ({order}) AS step, lead(node) OVER ({order}) AS next_node FROM {table}
) counted WHERE step <= {way.steps}"""
    return named


def _anchored(way: Way, order: str, every: str) -> str:
    first = "closes" if way.is_backward else "opens"
    kept = [f"max({first}) OVER ({order} ROWS UNBOUNDED PRECEDING) AS is_open"]
    if len(way.marks) > 1:
        kept.append(f"max(closes) OVER ({order} ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS goes_on")
    tests = " AND ".join(f"{one.rsplit(' ', 1)[1]} = 1" for one in kept)
    return f"SELECT {every} FROM (SELECT *, {', '.join(kept)} FROM nodes) cut WHERE {tests}"


def _seats(statement: Statement) -> dict[str, str]:
    """Steps with their slice; what changes with time is judged on the day on which the path begins."""
    scope, counted = statement.scope, "h.step, h.node, h.next_node"
    if scope.by_event:
        judged = at_entry(replace(scope, breakdown=()), "steps", f"h.slice, {counted}")
        return {"seated": judged if scope.moments else "SELECT * FROM steps"}
    named = {"hops": at_entry(scope, "steps", counted) if scope.moments else "SELECT * FROM steps"}
    slice_, join = "1", ""
    if scope.breakdown:
        named["slices"] = slices.ranked(scope, "count(DISTINCT user_key)", "1", "hops")
        slice_ = "k.slice"
        join = "JOIN slices k ON " + " AND ".join(f"k.{name} = h.{name}" for name in scope.segments)
    return named | {"seated": f"SELECT h.user_key, {slice_} AS slice, {counted} FROM hops h {join}"}


def tops(top: int) -> str:
    """Per slice and step every node, and whether it is among those with most paths (then by name)."""
    return f"""
SELECT slice, step, node, place <= {top} AS is_shown
FROM (
  SELECT slice, step, node, row_number() OVER (PARTITION BY slice, step ORDER BY paths DESC, node) AS place
  FROM (SELECT slice, step, node, count(*) AS paths FROM seated GROUP BY slice, step, node) counted
) placed"""


def transitions(steps: int) -> str:
    """Per path and step where it is and where it goes on, as far as these nodes are shown.

    ``near_kind`` and ``far_kind``: 0 a node, 1 one of the rest, 2 the end of the path.
    """
    return f"""
SELECT h.user_key, h.slice, CAST(h.step AS BIGINT) AS step, CASE WHEN f.is_shown THEN h.node END AS near,
  CASE WHEN f.is_shown THEN 0 ELSE 1 END AS near_kind, CASE WHEN t.is_shown THEN h.next_node END AS far,
  CASE WHEN h.next_node IS NULL THEN 2 WHEN t.is_shown THEN 0 ELSE 1 END AS far_kind
FROM seated h JOIN tops f ON f.slice = h.slice AND f.step = h.step AND f.node = h.node
LEFT JOIN tops t ON t.slice = h.slice AND t.step = h.step + 1 AND t.node = h.next_node
WHERE h.step < {steps}"""


def places(steps: int) -> str:
    """Per path and step where it is, or that it is over; kinds as in :func:`transitions`."""
    return f"""
SELECT h.user_key, h.slice, CAST(h.step AS BIGINT) AS step, CASE WHEN f.is_shown THEN h.node END AS near,
  CASE WHEN f.is_shown THEN 0 ELSE 1 END AS near_kind
FROM seated h JOIN tops f ON f.slice = h.slice AND f.step = h.step AND f.node = h.node
UNION ALL
SELECT h.user_key, h.slice, CAST(d.epoch_day AS BIGINT) AS step, CAST(NULL AS VARCHAR) AS near, 2 AS near_kind
FROM seated h CROSS JOIN dim_dates d
WHERE h.next_node IS NULL AND d.epoch_day > h.step AND d.epoch_day <= {steps}"""
