"""Paths: what people do one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.activity import chosen_events
from regulars.domain.metrics.options import EVENTS_FORM, Option, read_events, read_name, read_seconds
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.properties import resolve
from regulars.domain.relations import cells, paths, slices
from regulars.domain.relations.paths import Way
from regulars.domain.relations.scope import where
from regulars.domain.sql import with_relations
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.metrics.record import Row, Rows
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

_DAY = 86_400
_AHEAD = 366 * 100  # a path that begins in the range may go on for as long as there are data
_COLUMNS = {
    "flow": ("step", "from_node", "to_node", "paths", "users", "share", "from_kind", "to_kind"),
    "matrix": ("step", "node", "paths", "users", "share", "kind"),
}
_NODE, _REST, _OVER = range(3)


def _option(query: Query, name: str) -> Any:
    return PATHS.option(query, name)


def _shape(query: Query) -> Shape:
    if _option(query, "gap") is not None and _option(query, "unit") == "session":
        raise QueryError(
            "sessions end by the rules in the settings, so gap is for unit=user; add that, or leave gap out",
            code="bad_option",
        )
    return Shape(
        (Measure("users", "period"),),
        {name: name for name in _COLUMNS[_option(query, "view")]},
        ahead_days=_AHEAD,
        people={"users": ("users",)},
        dated=False,
        many_entries=True,
    )


def _way(statement: Statement) -> Way:
    query, context, values, scope = statement.query, statement.context, statement.values, statement.scope
    if scope.min_events > 1 or scope.max_events is not None:
        raise QueryError(
            f"activity {scope.activity!r} is about whole days (min_events, max_events), so its events make no path; "
            "take an activity without them",
            code="bad_events",
        )
    node = resolve(_option(query, "node"), context.names, values)
    if node.scope != "event":
        raise QueryError(
            f"node must be an event property, and {node.name} is a {node.words}; "
            "name it as event.x, device.x, geo.x or feature.x, e.g. event.context",
            code="wrong_scope",
        )
    anchors = {
        name: chosen_events(given, context, values) if given else None
        for name, given in (("opens", _option(query, "from_event")), ("closes", _option(query, "to_event")))
    }
    pause = None if _option(query, "unit") == "session" else _option(query, "gap") or _DAY
    return Way(node, _option(query, "steps"), _option(query, "collapse"), pause, **anchors)


def _needs_events(statement: Statement) -> bool:
    """Whether sessions do not matter."""
    return bool(_option(statement.query, "unit") == "user")


def _shown(statement: Statement, source: Source) -> dict[str, str]:
    """The relations up to ``shown``: who is where, in which slice, on which step."""
    way = _way(statement)
    named = paths.seated(statement, source, way)
    named["tops"] = paths.tops(_option(statement.query, "top"))
    is_matrix = _option(statement.query, "view") == "matrix"
    return named | {"shown": paths.places(way.steps) if is_matrix else paths.transitions(way.steps)}


def _is_backward(query: Query) -> bool:
    return _option(query, "to_event") is not None and _option(query, "from_event") is None


def _names(query: Query) -> dict[str, str]:
    """The columns of the result by those of the relation; a path that is seen from its end is read the other way."""
    if _option(query, "view") == "matrix":
        return {"near": "node"}
    near, far = ("to", "from") if _is_backward(query) else ("from", "to")
    return {"near": f"{near}_node", "far": f"{far}_node"}


def _kind(name: str) -> str:
    """The hidden column that says what a node is."""
    return name.replace("node", "kind")


def _select(statement: Statement, source: Source) -> str:
    scope, names = statement.scope, _names(statement.query)
    named = _shown(statement, source)
    keys = ", ".join(["slice", "step", *(f"{each}, {each}_kind" for each in names)])
    named["counted"] = f"""
SELECT {keys}, count(*) AS paths, count(DISTINCT user_key) AS users FROM shown GROUP BY {keys}"""
    own = {name: f"r.{each}" for each, name in names.items()}
    own |= {_kind(name): f"r.{each}_kind" for each, name in names.items()}
    own |= {name: f"r.{name}" for name in ("step", "paths", "users")}
    own["share"] = "CAST(r.paths AS DOUBLE) / sum(r.paths) OVER (PARTITION BY r.slice, r.step)"
    columns = ", ".join(f"{own[column.name]} AS {column.name}" for column in PATHS.columns if column.name in own)
    join = f"LEFT JOIN ({slices.axis(scope)}) k ON k.slice = r.slice" if scope.breakdown else ""
    is_other = f"r.slice > {scope.limit}" if scope.breakdown else "FALSE"
    order = ", ".join(["r.slice", "r.step", "r.paths DESC", *(f"r.{each}_kind, r.{each}" for each in names)])
    return with_relations(
        named,
        f"""
SELECT {slices.shown_columns(scope)}{columns}, {is_other} AS is_other
FROM counted r {join}
ORDER BY {order}""",
    )


def _people(statement: Statement, source: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    values, tests = statement.values, [f"r.step = {int(cells.key(row, 'step'))}"]
    for each, name in _names(statement.query).items():
        kind = _kind_of(row, name)
        tests.append(f"r.{each}_kind = {kind}")
        tests += [f"r.{each} = {values.add(str(row[name]))}"] if kind == _NODE else []
    if statement.scope.breakdown:
        chosen = where(cells.slice_tests(statement.scope, cell, values))
        rest = f"r.slice > {statement.scope.limit}"
        tests.append(rest if cell.slice is None else f"r.slice IN (SELECT k.slice FROM slices k {chosen})")
    return with_relations(
        _shown(statement, source),
        cells.ids(statement.scope, f"SELECT r.user_key FROM shown r {where(tests)}"),
    )


def _kind_of(row: Mapping[str, Any], name: str) -> int:
    """Whether a cell is a node, the rest of them, or the end of the path."""
    if row.get(name) is not None:
        return _NODE
    flags = row.get("flags") or ()
    if f"{name}_other" in flags:
        return _REST
    if "end" in flags or "start" in flags:
        return _OVER
    raise QueryError(f"the row lacks {name} and a flag that says why, so it is none of this result", code="no_such_row")


def _flags(plan: Plan, row: Row) -> list[str]:
    query, frame = plan.query, plan.frame
    names = _names(query).values()
    flags = ["incomplete"] if frame is not None and frame.complete_through < frame.asked_end else []
    flags += [f"{name}_other" for name in names if row[_kind(name)] == _REST]
    if any(row[_kind(name)] == _OVER for name in names):
        flags.append("start" if _is_backward(query) else "end")
    return flags


def _finish(_: Plan, rows: Rows) -> Rows:
    """Nothing is added; what is hidden falls out."""
    return rows


PATHS = Metric(
    name="paths",
    title="Paths",
    definition=(
        "What people do one after the other. A path is the nodes of one session, by the rules for sessions in the "
        "settings, or with unit=user those of one person until a pause longer than gap (a day by default). Events of "
        "the activity that pass the filters are its nodes, named by the property node; events without it are left "
        "out, markers are none, and repeats in a row are one node unless collapse=false. A passive action belongs to "
        "the session that began last before it, if that is not over for longer than the gap of sessions. The order is "
        "time, client sequence, event id. A path belongs to the local day on which its session, or its first node, "
        "begins. from_event cuts off what comes before the first such event, to_event what comes after the last; "
        "paths without one are left out; with to_event alone steps count back from it. Row by row: on a step, how "
        "many paths go from one node to the next, and how many end; view=matrix: how many are at which node, or over. "
        "On each step the top nodes by paths are shown, the others are one. The slice of an event property has paths "
        "of its own, of the events with that value."
    ),
    source="Path analysis as PostHog and Mixpanel draw it; the step matrix of Retentioneering",
    columns=(
        ResultColumn(
            "step", "integer", "steps", "Position in the path, from 1; from the end with to_event alone", names_row=True
        ),
        ResultColumn("from_node", "text", "node", "Node on which people are; missing: before the path, or the rest"),
        ResultColumn("to_node", "text", "node", "Node to which they go on; missing: the path ends, or the rest"),
        ResultColumn("node", "text", "node", "Node on that step; missing: over, or the rest (view=matrix only)"),
        ResultColumn("paths", "integer", "paths", "Paths that do so"),
        ResultColumn("users", "integer", "people", "Distinct people whose paths do so", counts_people=True),
        ResultColumn("share", "number", "share", "paths / all paths on that step"),
        ResultColumn("from_kind", "integer", "kind", "0 a node, 1 the rest, 2 beyond the path", is_hidden=True),
        ResultColumn("to_kind", "integer", "kind", "0 a node, 1 the rest, 2 beyond the path", is_hidden=True),
        ResultColumn("kind", "integer", "kind", "0 a node, 1 the rest, 2 beyond the path", is_hidden=True),
    ),
    takes_actor=False,
    shape=_shape,
    grains=("day",),
    options=(
        Option("view", "Transitions from node to node, or nodes per step", "flow", ("flow", "matrix")),
        Option(
            "unit", "What makes a path: a session, or a person's events until a pause", "session", ("session", "user")
        ),
        Option(
            "gap",
            "For unit=user: a longer pause begins a new path; 1 day by default",
            None,
            read=read_seconds,
            form="from 1 second to 366 days, e.g. 30 minutes",
        ),
        Option(
            "node",
            "The event property that names a node",
            "action",
            read=read_name,
            form="an event property",
            names_property=True,
        ),
        Option("collapse", "Whether repeats in a row are one node", default=True, choices=(True, False)),
        Option("from_event", "Paths begin with the first such event", None, read=read_events, form=EVENTS_FORM),
        Option("to_event", "Paths end with the last such event", None, read=read_events, form=EVENTS_FORM),
        Option("steps", "How many nodes of each path to look at", 5, smallest=2, largest=20),
        Option("top", "How many nodes per step are shown by themselves", 8, largest=100),
    ),
    composition=Composition(
        _select,
        _people,
        "sessions",
        shows_sessions=True,
        needs_events=_needs_events,
        finish=_finish,
        flags=_flags,
    ),
    chart="paths",
)
