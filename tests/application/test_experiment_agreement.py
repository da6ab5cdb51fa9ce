"""Experiments: the engine against the oracle, and the effects against scipy on single values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st
from scipy import stats

from regulars.application.query import names_in, read_context
from regulars.domain.dialect import render
from regulars.domain.metrics.experiment_effects import SUMS
from regulars.domain.plan import plan
from regulars.domain.query import Query
from regulars.domain.result import finished_rows
from regulars.errors import QueryError
from tests.application.test_agreement import REFUSED_BY_DESIGN, workspace_of
from tests.oracle import RefusedError
from tests.oracle.experiment import experiment_rows
from tests.oracle.questions import days, filters, names, ranges
from tests.strategies import perhaps, worlds

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from regulars.workspace import Workspace
    from tests.oracle.world import Event, World

VARIANTS = ("CONTROL", "b", "it's")
PEOPLE = ("users", "converted", "immature")
MEASURES: tuple[dict[str, Any], ...] = (
    {}, {"event": "any"}, {"event": "like", "cuped": 3}, {"measure": "count", "event": "any"},
    {"measure": "count", "event": "any", "cuped": 30, "winsorize": 50}, {"measure": "active_days", "event": "any"},
    {"measure": "active_days", "cuped": 7}, {"measure": "retention", "day": 1, "event": "any"},
    {"measure": "retention", "day": 3, "cuped": 7},
    {"measure": "sum", "property": "duration_seconds", "event": "any", "winsorize": 90},
    {"measure": "sum", "property": "duration_seconds", "event": "any", "cuped": 14},
    {"measure": "ratio", "event": "like", "per_event": "any"},
    {"measure": "ratio", "event": "any", "property": "duration_seconds", "per_event": "any",
     "per_property": "duration_seconds"},
)  # fmt: skip


@st.composite
def trial_worlds(draw: DrawFn) -> World:
    """Worlds in which many events are exposures, most of them to the variant of their person."""
    world = draw(worlds())
    return replace(world, events=[draw(exposed(event)) if draw(st.booleans()) else event for event in world.events])


@st.composite
def exposed(draw: DrawFn, event: Event) -> Event:
    """An event as an exposure."""
    own = VARIANTS[sum(map(ord, event.user)) % 3]
    variant = draw(st.sampled_from((*[own] * 12, *VARIANTS, None, 7)))
    spelled = draw(st.sampled_from(("variant", "variation_id")))
    given = {
        draw(st.sampled_from(("experiment", "experiment_id"))): draw(st.sampled_from(("e", "e", "e", "other"))),
        **({} if variant is None else {spelled: variant}),
    }
    kind = draw(st.sampled_from(("experiment_viewed", "Experiment Viewed")))
    return replace(event, type=kind, properties=event.properties | given)


@st.composite
def trials(draw: DrawFn, world: World) -> Query:
    """A question about the experiment."""
    options = {"experiment": "e", **draw(st.sampled_from(MEASURES))}
    if options.get("measure") != "retention":
        options["within"] = draw(st.sampled_from((1, 3, 14, 30)))
    options["variants"] = draw(perhaps(({"b": 1, "CONTROL": 3}, {"CONTROL": 1.0, "b": 1.0, "it's": 1.0})))
    options["only_complete"] = draw(perhaps((True,)))
    at = draw(st.sampled_from([event.at for event in world.events])) if world.events else None
    bound = draw(st.sampled_from((None, None, None, "since", "until")))
    if bound and at:
        options[bound] = at.isoformat() + "+00:00"
    asked = draw(ranges(world, "day").filter(lambda found: found.start and found.end and found.every == 1))
    return Query(
        metric="experiment", range=msgspec.structs.replace(asked, anchor=None),
        population=draw(st.sampled_from(("production", "production", "all"))),
        breakdown=tuple(draw(st.lists(st.sampled_from(names(world)), max_size=draw(st.sampled_from((0, 0, 1, 2))),
                                      unique=True))),
        filters=draw(st.just(()) | st.just(()) | st.lists(filters(world), max_size=1).map(tuple)),
        limit=draw(st.sampled_from((1, 2, 12))), as_of=draw(st.one_of(*[st.none()] * 5, days(world))),
        options={name: value for name, value in options.items() if value is not None},
    )  # fmt: skip


def found_rows(ws: Workspace, query: Query) -> list[dict[str, Any]]:
    """The finished rows with the sums that the result hides."""
    context = read_context(ws.engine, ws.settings, ws.now(), names_in(query))
    planned = plan(query, context)
    if planned.statement is None:
        return []
    return finished_rows(planned, ws.engine.query(render(planned.statement, ws.engine.dialect)).rows, ws.settings.timezone)


@given(world=trial_worlds(), data=st.data())
def test_the_sums_of_each_variant_are_those_of_the_oracle(world: World, data: st.DataObject) -> None:
    """By any measure, slice and filter; with the people behind them and what does not count."""
    query = data.draw(trials(world))
    note(msgspec.json.encode(query).decode())
    try:
        expected, left_out = experiment_rows(world, query)
    except RefusedError:
        assume(False)
    with workspace_of(world) as ws:
        try:
            result, rows = ws.query(query), found_rows(ws, query)
        except QueryError as exc:
            assume(exc.code not in (*REFUSED_BY_DESIGN, "unknown_property"))
            raise
        assert sorted(map(told, rows), key=repr) == sorted(map(wanted, expected), key=repr)
        text = " ".join(result.warnings)
        assert [f": {count}" in text for count in left_out.values()] == [True] * len(left_out)
        by_place = {place(row, query): row for row in expected}
        for row in result.rows:
            oracle = by_place[place(row | {"is_other": "other" in row["flags"]}, query)]
            for column in PEOPLE:
                assert result.users(row, column) == sorted(oracle[column])


def place(row: dict[str, Any], query: Query) -> tuple[Any, ...]:
    """What tells a row from the others."""
    return (*(row[name] for name in query.breakdown), row["variant"], row["is_other"])


def told(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the engine: its place, people and sums."""
    hidden = {"mean", "reason", "flags", "difference", "low", "high", "p_value", "p_adjusted", "lift", "lift_low",
              "lift_high", "chance_to_win", "expected_loss"}  # fmt: skip
    kept = {name: value for name, value in row.items() if name not in hidden} | {"is_other": "other" in row["flags"]}
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in sorted(kept.items())}


def wanted(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the oracle in the same form."""
    now, other = ([pair[number] for pair in row["values"]] for number in (0, 1))
    products = [one * two for one, two in row["values"]]
    sums = (sum(now), sum(n * n for n in now), sum(other), sum(n * n for n in other), sum(products))
    kept = {name: value for name, value in row.items() if name != "values"}
    kept |= {name: len(row[name]) for name in PEOPLE}
    kept |= {name: round(float(value), 6) for name, value in zip(SUMS, sums, strict=True)}
    kept["cap"] = None if row["cap"] is None or not row["users"] else round(row["cap"], 6)
    return dict(sorted(kept.items()))


@given(world=trial_worlds())
def test_differences_are_those_of_a_test_on_single_values(world: World) -> None:
    """Welch's, where the experiment has the size that was planned."""
    start, end = (f(event.at.date() for event in world.events) if world.events else None for f in (min, max))
    assume(start is not None)
    options = {"experiment": "e", "measure": "count", "event": "any", "planned_size": 1, "within": 30}
    query = Query(metric="experiment", options=options)
    query = msgspec.structs.replace(query, range=msgspec.structs.replace(query.range, start=start, end=end))
    expected, _ = experiment_rows(world, query)
    values = {row["variant"]: [now for now, _ in row["values"]] for row in expected}
    with workspace_of(world) as ws:
        for row in ws.query(query).rows:
            if row["p_value"] is None:
                continue
            test = stats.ttest_ind(values[row["variant"]], values["CONTROL"], equal_var=False)
            assert row["p_value"] == pytest.approx(test.pvalue)
            low, high = test.confidence_interval()
            assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))
