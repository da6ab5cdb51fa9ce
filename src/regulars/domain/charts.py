"""A result as a chart: a Vega-Lite specification, which is plain data, so nothing here draws.

:meth:`regulars.domain.result.Result.plot` gives it to Altair. What is not over yet is drawn hollow or faded; shares
have an axis in percent; everything beyond the limit of a breakdown is the slice ``other``.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from regulars.domain.metrics import find_metric
from regulars.domain.showing import all_showable
from regulars.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.domain.metrics.record import ResultColumn
    from regulars.domain.result import Result

Spec = dict[str, Any]
_WIDTH = 560
SHARES = ("ratio", "share")
_LIFECYCLE = {"retained": "#4c78a8", "new": "#54a24b", "resurrected": "#72b7b2", "churned": "#e45756"}
_FADED = {"condition": {"test": "datum.is_incomplete", "value": 0.4}, "value": 1}


def chart(result: Result, column: str | None = None) -> Spec:
    """The specification of a result's chart; ``column`` chooses what is drawn where there is a choice."""
    form = find_metric(result.query.metric).chart
    if form == "line" and not any(each.name == "date" for each in result.columns):
        form = "bars"
    body = _FORMS[form](result, _drawn(result, column, form))
    spec: Spec = all_showable(
        {
            "title": {"text": _title(result), "subtitle": _subtitle(result), "anchor": "start"},
            "data": {"values": [_values(result, row) for row in result.rows]},
            **body,
        }
    )
    return spec


def _drawn(result: Result, name: str | None, form: str) -> ResultColumn:
    numbers = [each for each in result.columns if each.type in ("integer", "number")]
    if name is None and form == "paths":
        return next(each for each in numbers if each.unit in SHARES)
    if name is None and form == "effects":
        return next(each for each in numbers if each.name == "lift")
    if name is None:
        people = [each for each in numbers if each.counts_people]
        own = [each for each in numbers if result.query.metric.startswith(each.name)]
        return ([*people, *own] if form == "bars" else [*own, *people, *numbers])[0]
    for each in numbers:
        if each.name == name:
            return each
    raise UnknownNameError("column", name, [each.name for each in numbers], code="unknown_column")


def _title(result: Result) -> str:
    query = result.query
    parts = [find_metric(query.metric).title]
    parts += [f"{query.window}-day window"] if query.window else []
    parts += [f"calendar {query.calendar}"] if query.calendar else []
    return ", ".join(parts)


def _subtitle(result: Result) -> str:
    return f"Days in {result.timezone}; complete through {result.complete_through}; {result.query.population} users"


def _values(result: Result, row: dict[str, Any]) -> Spec:
    found = {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
    found["flags"] = ", ".join(row["flags"])
    found["is_incomplete"] = "incomplete" in row["flags"]
    if result.query.breakdown:
        is_other = "other" in row["flags"]
        found["slice"] = "other" if is_other else " / ".join(str(row[name]) for name in result.query.breakdown)
    return found


def _axis(column: ResultColumn) -> Spec:
    axis: Spec = {"format": "%"} if column.unit in SHARES else {}
    return {"field": column.name, "type": "quantitative", "title": column.name.replace("_", " "), "axis": axis}


def _tooltip(result: Result, dates: str = "temporal") -> list[Spec]:
    kinds = {"date": dates, "text": "nominal", "integer": "quantitative", "number": "quantitative"}
    days = {"timeUnit": "utcyearmonthdate"} if dates == "temporal" else {}
    named = [
        {"field": each.name, "type": kinds[each.type], **(days if each.type == "date" else {})}
        for each in result.columns
    ]
    return [*named, {"field": "flags", "type": "nominal"}]


def _slices(result: Result) -> Spec:
    if not result.query.breakdown:
        return {}
    return {"color": {"field": "slice", "type": "nominal", "title": ", ".join(result.query.breakdown)}}


def _dates(result: Result) -> Spec:
    """The axis of time. Days are read and shown as UTC, so that the zone of whoever looks does not move them."""
    title = None if result.query.bucket == "day" else result.query.bucket
    days = {} if result.query.grain == "hour" else {"scale": {"type": "utc"}}
    return {"field": "date", "type": "temporal", "title": title, **days}


def _steps(result: Result) -> Spec:
    return {**_dates(result), "type": "ordinal", "timeUnit": "utcyearmonthdate", "scale": {}}


def _line(result: Result, drawn: ResultColumn) -> Spec:
    own = [
        each for each in result.columns if each.type == "text" and each.name not in ("date", *result.query.breakdown)
    ]
    lines = {"color": {"field": own[0].name, "type": "nominal"}} if own else _slices(result)
    encoding = {"x": _dates(result), "y": _axis(drawn), **lines}
    over = {"filter": "!datum.is_incomplete"}
    return {
        "width": _WIDTH,
        "encoding": encoding,
        "layer": [
            {"transform": [over], "mark": {"type": "line", "point": True}, "encoding": {"tooltip": _tooltip(result)}},
            {
                "transform": [{"filter": "datum.is_incomplete"}],
                "mark": {"type": "point", "filled": False},
                "encoding": {"tooltip": _tooltip(result)},
            },
        ],
    }


def _curve(result: Result, drawn: ResultColumn) -> Spec:
    """A share that falls in steps from day to day, within its band."""
    band = {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
    return {
        "width": _WIDTH,
        "encoding": {"x": {"field": "day", "type": "quantitative"}, **_slices(result)},
        "layer": [
            {"mark": {"type": "area", "opacity": 0.15, "interpolate": "step-after"}, "encoding": band},
            {
                "mark": {"type": "line", "interpolate": "step-after"},
                "encoding": {"y": _axis(drawn), "tooltip": _tooltip(result)},
            },
        ],
    }


def _bars(result: Result, drawn: ResultColumn) -> Spec:
    own = [each for each in result.columns if each.name not in ("date", *result.query.breakdown, drawn.name)]
    label = next((each for each in own if each.type == "text"), own[0] if own else drawn)
    dated = any(each.name == "date" for each in result.columns)
    across = _steps(result) if dated else {"field": label.name, "type": "ordinal", "sort": None}
    color = {"color": {"field": label.name, "type": "nominal", "sort": None}} if dated else _slices(result)
    beside = {"xOffset": {"field": "slice"}} if result.query.breakdown and not dated else {}
    encoding = {"x": across, "y": _axis(drawn), **color, **beside, "opacity": _FADED, "tooltip": _tooltip(result)}
    return {"width": _WIDTH, "mark": "bar", "encoding": encoding}


def _funnel(result: Result, drawn: ResultColumn) -> Spec:
    """Steps down, people across, the share of the first step beside each bar."""
    name = {"field": "name", "type": "nominal", "sort": None, "title": None}
    share = {"field": "conversion_from_first", "type": "quantitative", "format": ".1%"}
    beside = {"yOffset": {"field": "slice"}} if result.query.breakdown else {}
    return {
        "width": _WIDTH,
        "encoding": {"y": name, "x": _axis(drawn), **beside, **_slices(result), "tooltip": _tooltip(result)},
        "layer": [
            {"mark": "bar", "encoding": {"opacity": _FADED}},
            {"mark": {"type": "text", "align": "left", "dx": 4}, "encoding": {"text": share}},
        ],
    }


def _flows(result: Result, _: ResultColumn) -> Spec:
    """What came upwards, what went downwards."""
    shown = [name for name in _LIFECYCLE if any(each.name == name for each in result.columns)]
    sign = "datum.part == 'churned' ? -datum.people : datum.people"
    color: Spec = {"field": "part", "type": "nominal", "title": None, "sort": shown}
    color["scale"] = {"domain": shown, "range": [_LIFECYCLE[name] for name in shown]}
    return {
        "transform": [{"fold": shown, "as": ["part", "people"]}, {"calculate": sign, "as": "signed"}],
        "width": _WIDTH,
        "mark": "bar",
        "encoding": {
            "x": _steps(result),
            "y": {"field": "signed", "type": "quantitative", "title": "people"},
            "color": color,
            "opacity": _FADED,
            "tooltip": _tooltip(result),
            **({"row": {"field": "slice", "type": "nominal"}} if result.query.breakdown else {}),
        },
    }


def _triangle(result: Result, drawn: ResultColumn) -> Spec:
    """Cohorts down, periods across; a cell that is not over is faded."""
    cell = {"field": drawn.name, "type": "quantitative", "title": drawn.name.replace("_", " ")}
    shade = {**cell, "scale": {"scheme": "blues"}, "legend": {"format": "%"} if drawn.unit in SHARES else {}}
    top = max((row[drawn.name] or 0 for row in result.rows), default=0)
    dark = f"datum['{drawn.name}'] > {0.6 * top} && !datum.is_incomplete"
    body: Spec = {
        "width": {"step": 32},
        "height": {"step": 20},
        "encoding": {
            "x": {"field": "period", "type": "ordinal", "axis": {"orient": "top", "labelAngle": 0}},
            "y": {"field": "date", "type": "ordinal", "title": "cohort"},
            "tooltip": _tooltip(result, "nominal"),
        },
        "layer": [
            {"mark": "rect", "encoding": {"color": shade, "opacity": _FADED}},
            {
                "mark": {"type": "text", "fontSize": 9},
                "encoding": {
                    "text": {**cell, "format": ".0%" if drawn.unit in SHARES else ","},
                    "color": {
                        "condition": {"test": dark, "value": "white"},
                        "value": "black",
                    },
                },
            },
        ],
    }
    if not result.query.breakdown:
        return body
    return {"facet": {"row": {"field": "slice", "type": "nominal"}}, "spec": body}


def _matrix(result: Result, drawn: ResultColumn) -> Spec:
    """Where people come from down, where they go across."""
    text = [each.name for each in result.columns if each.type == "text"]
    return {
        "width": {"step": 64},
        "height": {"step": 28},
        "encoding": {
            "y": {"field": text[0], "type": "nominal", "sort": None},
            "x": {"field": text[1], "type": "nominal", "sort": None, "axis": {"orient": "top", "labelAngle": 0}},
            "tooltip": _tooltip(result),
        },
        "layer": [
            {"mark": "rect", "encoding": {"color": {"field": drawn.name, "type": "quantitative"}}},
            {"mark": "text", "encoding": {"text": {"field": drawn.name, "type": "quantitative", "format": ","}}},
        ],
    }


def _paths(result: Result, drawn: ResultColumn) -> Spec:
    """Where paths are down; beside each other where they go on, step by step, or the steps themselves."""
    names = [each.name for each in result.columns if each.unit == "node"]
    named = [{"calculate": _node_label(result, name), "as": name} for name in names]
    axis = {"orient": "top", "labelAngle": -40 if len(names) > 1 else 0}
    shade = {"field": drawn.name, "type": "quantitative", "title": drawn.name, "scale": {"scheme": "blues"}}
    shade["legend"] = {"format": "%"} if drawn.unit in SHARES else {}
    across = {"field": names[-1], "type": "nominal", "title": names[-1].replace("_", " ")}
    if len(names) == 1:
        across = {"field": "step", "type": "ordinal"}
    cell = {
        "mark": "rect",
        "width": {"step": 28},
        "height": {"step": 20},
        "encoding": {
            "y": {"field": names[0], "type": "nominal", "title": names[0].replace("_", " ")},
            "x": {**across, "axis": axis},
            "color": shade,
            "tooltip": _tooltip(result),
        },
    }
    facet = {"column": {"field": "step", "type": "ordinal"}} if len(names) > 1 else {}
    facet |= {"row": {"field": "slice", "type": "nominal"}} if result.query.breakdown else {}
    if not facet:
        return {"transform": named, **cell}
    independent = {"scale": {"x": "independent", "y": "independent"}}
    return {"transform": named, "facet": facet, "spec": cell, "resolve": independent}


def _node_label(result: Result, name: str) -> str:
    """A node by its name; the rest and the ends in brackets, with which no label of a name begins."""
    node, over = f"datum['{name}']", "start" if any("start" in row["flags"] for row in result.rows) else "end"
    own = f"(substring({node}, 0, 1) == '[' ? ' ' + {node} : {node})"
    return f"isValid({node}) ? {own} : indexof(datum.flags, '{name}_other') < 0 ? '[{over}]' : '[other]'"


def _effects(result: Result, drawn: ResultColumn) -> Spec:
    """Variants down, how far each is from the control across, with its interval around it and zero as a line."""
    beside = {"yOffset": {"field": "slice"}} if result.query.breakdown else {}
    place = {"y": {"field": "variant", "type": "nominal", "sort": None, "title": None}, **beside, **_slices(result)}
    bounds = {"lift": ("lift_low", "lift_high"), "difference": ("low", "high")}.get(drawn.name)
    layers: list[Spec] = [{"mark": {"type": "rule", "color": "#999"}, "encoding": {"x": {"datum": 0}}}]
    if bounds:
        reach = {"x": {"field": bounds[0], "type": "quantitative"}, "x2": {"field": bounds[1]}}
        layers.append({"mark": "rule", "encoding": {**place, **reach}})
    point = {**place, "x": _axis(drawn), "tooltip": _tooltip(result)}
    layers.append({"mark": {"type": "point", "filled": True, "size": 60}, "encoding": point})
    return {"width": _WIDTH, "layer": layers}


_FORMS: dict[str, Callable[[Result, ResultColumn], Spec]] = {
    "line": _line,
    "curve": _curve,
    "bars": _bars,
    "funnel": _funnel,
    "flows": _flows,
    "triangle": _triangle,
    "matrix": _matrix,
    "paths": _paths,
    "effects": _effects,
}
