"""Experiments: the engine against the oracle, and the effects against scipy on single values."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st
from scipy import stats

from regulars.application.query import names_in, read_context
from regulars.domain.dialect import render
from regulars.domain.metrics.experiment_effects import SUMS
from regulars.domain.plan import plan
from regulars.domain.query import Query, Range
from regulars.domain.result import finished_rows
from regulars.errors import QueryError
from tests.application.test_agreement import REFUSED_BY_DESIGN, workspace_of
from tests.oracle import RefusedError
from tests.oracle.experiment import experiment_rows
from tests.oracle.questions import days, filters, names, ranges
from tests.oracle.world import Event, Scalar, World
from tests.strategies import ACTIONS, ANONYMOUS, COUNTRIES, DEVICES, FIRST_DAYS, KNOWN, clocks, perhaps, user
from tests.strategies import settings as world_settings

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from regulars.workspace import Workspace

VARIANTS = ("CONTROL", "b", "it's")
PROPERTIES: tuple[dict[str, Scalar], ...] = ({}, {"score": 2}, {"score": "7.5"}, {"score": "x", "label": "paid"})
PEOPLE = ("users", "converted", "immature")
MEASURES: tuple[dict[str, Any], ...] = (
    {}, {"event": "any"}, {"event": "like", "cuped": 3}, {"measure": "count", "event": "any"},
    {"measure": "count", "event": "any", "cuped": 30, "winsorize": 50}, {"measure": "active_days", "event": "any"},
    {"measure": "active_days", "cuped": 7}, {"measure": "retention", "day": 1, "event": "any"},
    {"measure": "retention", "day": 3, "cuped": 7},
    {"measure": "sum", "property": "event.score", "event": "any", "winsorize": 90},
    {"measure": "sum", "property": "event.score", "event": "any", "cuped": 14},
    {"measure": "ratio", "event": "like", "per_event": "any"},
    {"measure": "ratio", "event": "any", "property": "event.score", "per_event": "any",
     "per_property": "event.score"},
)  # fmt: skip


@st.composite
def trial_worlds(draw: DrawFn) -> World:
    """Worlds in which most people are exposed and do something before and after; times fall together often."""
    chosen, rng = draw(world_settings()), Random(draw(st.integers(0, 2**32)))
    first = draw(st.sampled_from(FIRST_DAYS))
    start = datetime.combine(first, time(0)) + timedelta(days=10)
    people = rng.sample((*KNOWN, *ANONYMOUS), 6)
    instants = [start + timedelta(hours=rng.choice((0, 1, 12, 24)) * rng.randint(-20, 20)) for _ in range(25)]
    is_messy, is_foreign = draw(st.booleans()), draw(st.booleans())
    events = []
    for number in range(rng.randint(20, 60)):
        who = rng.choice(people)
        made = Event(
            who, rng.choice(ACTIONS), rng.choice(instants), f"e{number * 7 % 64:02}", rng.choice((None, None, 0, 1)),
            country=rng.choice((*COUNTRIES[:2], None)), device_type=rng.choice((*DEVICES, None)),
            feature=rng.choice(("editor", "search", None)), duration_seconds=rng.choice((None, 0.0, 1.5, 60.0)),
            properties=rng.choice(PROPERTIES), anonymous=who in ANONYMOUS,
        )  # fmt: skip
        is_shown = rng.random() < 0.25
        events.append(exposed(made, rng, is_messy=is_messy, is_foreign=is_foreign) if is_shown else made)
    known = {user_id: draw(user(user_id, [first])) for user_id in people if user_id in KNOWN and rng.random() < 0.5}
    return World(events, known, chosen, draw(clocks([event.at for event in events])))


def exposed(event: Event, rng: Random, *, is_messy: bool, is_foreign: bool) -> Event:
    """An event as an exposure; in a messy world sometimes to another variant, to none, or in another experiment."""
    variant: str | int | None = VARIANTS[sum(map(ord, event.user)) % 3]
    experiment = "e"
    if is_messy and rng.random() < 0.3:
        variant, experiment = rng.choice((*VARIANTS, None, 7)), rng.choice(("e", "e", "other"))
    names = ("experiment_id", "variation_id") if is_foreign else ("experiment", "variant")
    given: dict[str, Scalar] = {names[0]: experiment, **({} if variant is None else {names[1]: variant})}
    kind = "Experiment Viewed" if is_foreign else "experiment_viewed"
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
    bound = draw(st.sampled_from((*[None] * 8, "since", "until")))
    if bound and at:
        options[bound] = at.isoformat() + "+00:00"
    some = ranges(world, "day", dated=False).filter(lambda found: found.start and found.end)
    asked = draw(st.one_of(*[st.just(all_days(world))] * 3, some) if world.events else some)
    return Query(
        metric="experiment", range=msgspec.structs.replace(asked, anchor=None),
        population=draw(st.sampled_from(("production", "production", "all"))),
        breakdown=tuple(draw(st.lists(st.sampled_from(names(world)), max_size=draw(st.sampled_from((0, 0, 1, 1, 2))),
                                      unique=True))),
        filters=draw(st.one_of(*[st.just(())] * 9, filters(world).map(lambda one: (one,)))),
        limit=draw(st.sampled_from((1, 2, 12))), as_of=draw(st.one_of(*[st.none()] * 9, days(world))),
        options={name: value for name, value in options.items() if value is not None},
    )  # fmt: skip


def all_days(world: World) -> Range:
    """A range that every event lies in, or nearly every one."""
    seen = sorted(event.at.date() for event in world.events)
    return Range(start=seen[0], end=seen[-1])


def found_rows(ws: Workspace, query: Query) -> list[dict[str, Any]]:
    """The finished rows with the sums that the result hides."""
    context = read_context(ws.engine, ws.settings, ws.now(), names_in(query))
    planned = plan(query, context)
    if planned.statement is None:
        return []
    return finished_rows(
        planned, ws.engine.query(render(planned.statement, ws.engine.dialect)).rows, ws.settings.timezone
    )


@settings(max_examples=60)
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
              "lift_high", "chance_to_win", "expected_loss", "verdict", "several"}  # fmt: skip
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


@settings(max_examples=40)
@given(world=trial_worlds())
def test_differences_are_those_of_a_test_on_single_values(world: World) -> None:
    """Welch's, where the experiment has the size that was planned."""
    assume(world.events)
    options = {"experiment": "e", "measure": "count", "event": "any", "planned_size": 1, "within": 30}
    query = Query(metric="experiment", options=options, range=all_days(world))
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
