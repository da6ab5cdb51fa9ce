"""Charts of a report: Vega-Lite specifications in one style, rendered to SVG without a browser or a network."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from regulars.application.reports.conversion import bin_name
from regulars.application.reports.tables import quoted_days, row_name, slice_name
from regulars.application.reports.words import SHARES, number
from regulars.domain.charts import chart
from regulars.domain.showing import all_showable, showable
from regulars.errors import MissingExtraError
from regulars.interfaces.reports.palette import ACCENT, INK, MUTED, OF_CHARTS, PALE, RULE, SECOND, THIRD, WARM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regulars.application.reports.parts import Answered, Exhibit, Line
    from regulars.domain.result import Result

Spec = dict[str, Any]
WIDTH, HEIGHT = 640, 190
_BAR_STEP, _MOST_LABELS, _NAME_HIGH = 26, 9, 14
_NAME_WIDE, _LETTER_WIDE = 180, 7
_PADDING = {"left": 10, "right": 10, "top": 4, "bottom": 4}  # fonts differ from machine to machine
_SERIES = [ACCENT, SECOND, THIRD, WARM, PALE]
_UTC = {"scale": {"type": "utc"}, "type": "temporal"}  # days are dates: no time zone of the machine may move them
_OVER = {"filter": "!datum.is_incomplete && !datum.is_warming"}
_FIT = {"type": "fit-x", "contains": "padding"}
_FLOWS = {"retained": "stayed", "new": "new", "resurrected": "came back", "churned": "fell silent"}
_FADED = {"condition": {"test": "datum.is_incomplete || datum.is_warming", "value": 0.35}, "value": 1}


def svg_of(section: Answered, font: str) -> str:
    """The chart of a section as SVG text, in the colors of the light palette; empty where there is none.

    Raises:
        MissingExtraError: vl-convert-python is not installed.
    """
    exhibit = section.exhibit
    if exhibit.form == "none":
        return ""
    try:
        import vl_convert  # noqa: PLC0415 -- optional
    except ImportError as exc:
        raise MissingExtraError("vl-convert-python", "report", "a report with charts") from exc
    spec = _FORMS[exhibit.form](exhibit, section.answers)
    drawn: str = vl_convert.vegalite_to_svg(
        {**all_showable(spec), "autosize": _FIT, "config": _config(font)}, allowed_base_urls=[]
    )
    return _recolored(_plain(drawn))


def _config(font: str) -> Spec:
    text = {"labelFont": font, "titleFont": font, "labelColor": MUTED, "titleColor": MUTED, "labelFontSize": 11,
            "titleFontSize": 11, "titleFontWeight": "normal"}  # fmt: skip
    axis = {**text, "gridColor": RULE, "domainColor": RULE, "tickColor": RULE, "domain": False, "ticks": False,
            "labelPadding": 6, "titlePadding": 8, "labelLimit": _NAME_WIDE}  # fmt: skip
    return {
        "background": None,
        "padding": _PADDING,
        "font": font,
        "view": {"stroke": None},
        "axis": axis,
        "axisX": {"grid": False, "domain": True, "labelAngle": 0},
        "legend": {**text, "orient": "top", "title": None, "symbolType": "square", "offset": 6},
        "range": {"category": _SERIES},
        "bar": {"color": ACCENT},
        "line": {"color": ACCENT, "strokeWidth": 2},
        "point": {"color": ACCENT},
        "area": {"color": ACCENT},
        "text": {"color": INK, "font": font, "fontSize": 11},
    }


def _plain(svg: str) -> str:
    """Without what only a reader that can point needs: the figure around it says in words what it shows."""
    svg = re.sub(r' (?:aria-\w+|role|pointer-events|class|xmlns:xlink)="[^"]*"', "", svg)
    return re.sub(r"^<svg ", '<svg role="presentation" ', svg)


def _recolored(svg: str) -> str:
    for theirs, ours in OF_CHARTS.items():
        svg = svg.replace(theirs, ours)
    return svg


def _row(result: Result, row: Mapping[str, Any]) -> Spec:
    found = {key: value.isoformat() if isinstance(value, date) else value for key, value in row.items()}
    found["is_incomplete"] = "incomplete" in row["flags"]
    found["is_warming"] = "warming_up" in row["flags"]
    found.pop("flags")
    if result.query.breakdown:
        found["slice"] = slice_name(result, row)
    return found


def _quantity(result: Result, line: Line, title: str) -> Spec:
    """The axis of numbers; its title stands above it, to be read without turning one's head."""
    unit = next((each.unit for each in result.columns if each.name == line.column), "")
    above = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleY": -12, "titleX": -32}
    axis = {"tickCount": 4, "format": ".0%" if unit in SHARES else ",~f", **above}
    return {"field": line.column, "type": "quantitative", "title": title or None, "axis": axis}


def _lines(exhibit: Exhibit, answers: Mapping[str, Result]) -> Spec:
    """Lines over days or weeks, each named at its end; what is not over is hollow, what warms up is dotted."""
    values, first = [], answers[exhibit.lines[0].answer]
    for line in exhibit.lines:
        values += [
            {**_row(answers[line.answer], row), "value": row[line.column], "line": line.label}
            for row in answers[line.answer].rows
        ]
    y = {**_quantity(first, exhibit.lines[0], exhibit.label), "field": "value"}
    x = {"field": "date", **_UTC, "title": None, "axis": {"format": "%-d %b", "values": _labelled(first)}}
    color = {"field": "line", "type": "nominal", "legend": None, "sort": None}
    layers: list[Spec] = [
        {"transform": [_OVER], "mark": "line"},
        {"transform": [{"filter": "datum.is_warming"}],
         "mark": {"type": "line", "strokeDash": [2, 3], "strokeWidth": 1.5}},
        {"transform": [{"filter": "datum.is_incomplete"}], "mark": {"type": "point", "filled": False, "size": 36}},
    ]  # fmt: skip
    if len(exhibit.lines) > 1:
        name = {"type": "text", "align": "left", "dx": 6, "fontWeight": 600}
        beside = {"y": {**y, "field": "beside"}, "text": {"field": "line"}}
        layers.append({"data": {"values": _ends(values)}, "mark": name, "encoding": beside})
    return {
        "data": {"values": values}, "width": WIDTH, "height": HEIGHT,
        "encoding": {"x": x, "y": y, "color": color}, "layer": layers,
    }  # fmt: skip


def _ends(values: list[Spec]) -> list[Spec]:
    """The last point of each line, with a place beside it for its name, where names do not cover each other."""
    last = {each["line"]: each for each in values if each["value"] is not None}
    line_high = _NAME_HIGH / HEIGHT * max((each["value"] for each in values if each["value"] is not None), default=1)
    found: list[Spec] = []
    for each in sorted(last.values(), key=lambda one: (one["value"], -list(last).index(one["line"]))):
        lowest = found[-1]["beside"] + line_high if found else each["value"]
        found.append({**each, "beside": max(each["value"], lowest)})
    return found


def _labelled(result: Result) -> list[float]:
    """The days that an axis names: evenly spread back from the last, of a chart by weeks whole weeks."""
    dates = [row["date"] for row in result.rows]
    step = max(1, -(-len(dates) // _MOST_LABELS))
    step = step if result.query.grain != "day" or step <= 1 else -(-step // 7) * 7
    return [datetime(each.year, each.month, each.day, tzinfo=UTC).timestamp() * 1000 for each in dates[::-step]]


def _weeks() -> Spec:
    axis = {"format": "%-d %b", "labelOverlap": "greedy", "labelFlush": False}
    return {"field": "date", "type": "ordinal", "timeUnit": "utcyearmonthdate", "title": None, "axis": axis}


def _stack(exhibit: Exhibit, answers: Mapping[str, Result]) -> Spec:
    """Columns by week, one part upon the other; what is not over is faded."""
    result = answers[exhibit.lines[0].answer]
    values = [
        {**_row(result, row), "value": row[line.column], "line": line.label, "order": place}
        for row in result.rows
        for place, line in enumerate(exhibit.lines)
    ]
    labels = [line.label for line in exhibit.lines]
    legend: Spec = {"legend": None} if len(labels) == 1 else {}
    title = exhibit.label if len(labels) == 1 else ""  # a legend says what is drawn
    color = {"field": "line", "type": "nominal", "sort": labels, "scale": {"domain": labels, "range": [ACCENT, PALE]}}
    return {
        "data": {"values": values}, "width": WIDTH, "height": HEIGHT, "mark": "bar",
        "encoding": {
            "x": _weeks(),
            "y": {**_quantity(result, exhibit.lines[0], title), "field": "value"},
            "color": {**color, **legend}, "order": {"field": "order"}, "opacity": _FADED,
        },
    }  # fmt: skip


def _flows(exhibit: Exhibit, answers: Mapping[str, Result]) -> Spec:
    """Growth accounting, as the metric draws itself."""
    spec = _restyled(answers, exhibit)
    spec["encoding"]["x"] = _weeks()
    spec["encoding"]["y"] = {**_quantity(answers[exhibit.lines[0].answer], exhibit.lines[0], ""), "field": "signed"}
    spec["encoding"]["color"]["legend"] = {"labelExpr": f"{json.dumps(_FLOWS)}[datum.label]"}
    return spec


def _restyled(answers: Mapping[str, Result], exhibit: Exhibit) -> Spec:
    """A metric's own chart, without its title and what only a pointer would find, in the size of a report."""
    line = exhibit.lines[0]
    spec: Spec = _without_tooltips(chart(answers[line.answer], line.column if exhibit.form != "flows" else None))
    return {**{key: value for key, value in spec.items() if key != "title"}, "width": WIDTH, "height": HEIGHT}


def _without_tooltips(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _without_tooltips(value) for key, value in part.items() if key != "tooltip"}
    return [_without_tooltips(each) for each in part] if isinstance(part, list) else part


def _columns(exhibit: Exhibit, answers: Mapping[str, Result]) -> Spec:
    """Columns over numbers or stretches of time, in their order."""
    line = exhibit.lines[0]
    result = answers[line.answer]
    key = result.columns[0].name
    used = [i for i, row in enumerate(result.rows) if row[line.column]]
    rows = result.rows[used[0] : used[-1] + 1] if used and key == "lower_seconds" else result.rows
    values = [
        {**_row(result, row), "name": bin_name(row) if key == "lower_seconds" else row_name(result, row, key)}
        for row in rows
    ]
    title = None if key == "lower_seconds" else key.replace("_", " ")
    axis = {"labelOverlap": "greedy"}
    x = {"field": "name", "type": "ordinal", "sort": None, "title": title, "axis": axis}
    return {
        "data": {"values": values}, "width": WIDTH, "height": HEIGHT, "mark": "bar",
        "encoding": {"x": x, "y": _quantity(result, line, exhibit.label), "opacity": _FADED},
    }  # fmt: skip


def _bars(exhibit: Exhibit, answers: Mapping[str, Result]) -> Spec:
    """Bars beside names, in the order of the answer, each with its number."""
    line = exhibit.lines[0]
    result = answers[line.answer]
    key = next(each.name for each in result.columns if each.type == "text")
    named = [(row_name(result, row, key), row) for row in result.rows]
    return _bars_of([{**_row(result, row), "name": name} for name, row in named], result, line)


def _slices(exhibit: Exhibit, answers: Mapping[str, Result]) -> Spec:
    """Bars for the slices on the last settled day, the largest first, the rest last."""
    line = exhibit.lines[0]
    result = answers[line.answer]
    last, _ = quoted_days(result, 0)
    rows = [row for row in result.rows if row["date"] == last]
    rows.sort(key=lambda row: ("other" in row["flags"], -(row[line.column] or 0), slice_name(result, row)))
    return _bars_of([{**_row(result, row), "name": slice_name(result, row)} for row in rows], result, line)


def _bars_of(values: list[Spec], result: Result, line: Line) -> Spec:
    x = {**_quantity(result, line, ""), "axis": None}
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelColor": INK, "domain": False}}
    # The reader's font may be a fifth wider than the one that names are measured with here.
    widest = min(_NAME_WIDE, _LETTER_WIDE * max((len(each["name"]) for each in values), default=0))
    return {
        "data": {"values": values}, "width": WIDTH, "height": {"step": _BAR_STEP},
        "padding": {**_PADDING, "left": _PADDING["left"] + widest // 5},
        "encoding": {"x": x, "y": y},
        "layer": [
            {"mark": {"type": "bar", "height": {"band": 0.7}}, "encoding": {"opacity": _FADED}},
            {"mark": {"type": "text", "align": "left", "dx": 5},
             "encoding": {"text": {"field": line.column, "type": "quantitative", "format": ","}}},
        ],
    }  # fmt: skip


def _funnel(exhibit: Exhibit, answers: Mapping[str, Result]) -> Spec:
    """The steps with their people, and the share of the first step."""
    line = exhibit.lines[0]
    result = answers[line.answer]
    values = [
        {**_row(result, row), "said": f"{row['users']:,}  ({number(row['conversion_from_first'], 'ratio')})"}
        for row in result.rows
    ]
    spec = _bars_of(values, result, line)
    spec["layer"][1]["encoding"] = {"text": {"field": "said"}}
    spec["encoding"]["y"]["field"] = "step"
    labels = {str(row["step"]): showable(row["name"]) for row in result.rows}
    spec["encoding"]["y"]["axis"]["labelExpr"] = f"{json.dumps(labels)}[datum.label]"
    return spec


def _curve(exhibit: Exhibit, answers: Mapping[str, Result]) -> Spec:
    """A share over time since the start, within its band."""
    line = exhibit.lines[0]
    result = answers[line.answer]
    pooled = bool(result.averages) and "period" in result.averages[0]
    rows = result.averages if pooled else result.rows
    across = "period" if pooled else "day"
    values = [{k: v for k, v in row.items() if k in (across, line.column, "low", "high")} for row in rows]
    step = {} if pooled else {"interpolate": "step-after"}
    x = {"field": across, "type": "quantitative", "title": exhibit.label,
         "axis": {"format": "d", "tickMinStep": 1, "labelFlush": True}}  # fmt: skip
    y = {**_quantity(result, line, ""), "scale": {"domain": [0, 1]}}
    layers: list[Spec] = [
        {"transform": [{"filter": "isValid(datum.low)"}], "mark": {"type": "area", "opacity": 0.18, **step},
         "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}}},
        {"mark": {"type": "line", **step, "point": pooled and {"color": ACCENT, "size": 30}}, "encoding": {"y": y}},
    ]  # fmt: skip
    return {"data": {"values": values}, "width": WIDTH, "height": HEIGHT, "encoding": {"x": x}, "layer": layers}


_FORMS: dict[str, Callable[[Exhibit, Mapping[str, Result]], Spec]] = {
    "lines": _lines,
    "stack": _stack,
    "flows": _flows,
    "columns": _columns,
    "bars": _bars,
    "slices": _slices,
    "funnel": _funnel,
    "curve": _curve,
}
