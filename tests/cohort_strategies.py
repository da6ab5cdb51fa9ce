"""Worlds that declare cohorts and segments, and questions that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from regulars.domain.cohorts import Cohort, Rule
from regulars.domain.query import EventCondition, Filter
from tests.oracle.questions import USER_LEVEL, conditions, queries, sliced_queries
from tests.strategies import worlds

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from regulars.domain.query import Query
    from tests.oracle.world import World

COHORTS = ("ones", "twos", "rest")
SCORED = EventCondition(("like", "purchase"), (Filter(property="event.score", op=">=", value=1),))
DONE = ("like", "purchase", "core", "any", "conversion", "core_feature", "premium", SCORED,
        EventCondition(None, (Filter(property="geo.country", op="in", value=("DE", "FR")),)),
        EventCondition(("dance",)))  # fmt: skip
BY_DAY = (*DONE, "busy", "once", "scored")
NUMBERS = st.integers(0, 4) | st.sampled_from((7, 30, 60))
WINDOWS = (None, None, 1, 2, 3, 7, 30, 366)


@st.composite
def cohort_worlds(draw: DrawFn) -> World:
    """A world with three cohorts, of which the later may name the earlier, and with some segments of its own."""
    world = draw(worlds())
    cohorts: dict[str, Cohort] = {}
    for name in COHORTS:
        rule = draw(rules(world, tuple(cohorts)))
        cohorts[name] = Cohort(**{field: getattr(rule, field) for field in Rule.__struct_fields__})
    own: dict[str, Cohort] = {}
    if draw(st.booleans()):
        own = {"fans": Cohort(cohort="ones"), "at_risk": Cohort(measure="days_since", at_least=draw(st.integers(1, 9)))}
    tried = draw(st.permutations(("new_user", "fans", "at_risk", "active_user"))) if own else ()
    kept = tuple(tried) if draw(st.booleans()) else ()
    world.settings = msgspec.structs.replace(world.settings, cohorts=cohorts, segments=own, segment_order=kept)
    return world


@st.composite
def rules(draw: DrawFn, world: World, known: tuple[str, ...], depth: int = 2) -> Rule:
    """A rule, mostly about what people did."""
    kind = draw(st.sampled_from(("done", "done", "done", "who", *(("group",) * 4 if depth else ()))))
    if kind == "group":
        word = draw(st.sampled_from(("all", "any", "not_")))
        members = st.lists(rules(world, known, depth - 1), min_size=1, max_size=3).map(tuple)
        return Rule(**{word: draw(rules(world, known, depth - 1) if word == "not_" else members)})
    if kind == "done":
        return draw(measured())
    refer = [Rule(cohort=name) for name in known] + [Rule(segment=name) for name in ("new_user", "at_risk") if known]
    tiers = st.lists(st.sampled_from(("casual", "regular", "dormant", "not_yet_seen")), min_size=1, max_size=2)
    return draw(st.one_of(tiers.map(lambda names: Rule(tier=tuple(names))), attributes(world), *map(st.just, refer)))


@st.composite
def measured(draw: DrawFn) -> Rule:
    """How often, on how many days, or how long ago something was done."""
    measure = draw(st.sampled_from((None, "times", "days", "days_since", "tenure")))
    low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
    bounds: dict[str, Any] = draw(st.sampled_from(({"at_least": low}, {"at_most": high}, {"exactly": low},
                                                   {"at_least": low, "at_most": high})))  # fmt: skip
    if measure == "tenure":
        return Rule(measure=measure, **bounds)
    if measure == "days_since":
        return Rule(measure=measure, did=draw(st.none() | st.sampled_from(BY_DAY)), **bounds)
    did = draw(st.sampled_from(BY_DAY if measure == "days" else DONE))
    bounds = draw(st.sampled_from((bounds, bounds, {})))
    return Rule(measure=measure, did=did, last_days=draw(st.sampled_from(WINDOWS)), **bounds)


def attributes(world: World) -> SearchStrategy[Rule]:
    """A condition on a person."""
    fitting = conditions(world, (*USER_LEVEL, "tenure_band", "user.age_band"))
    return fitting.map(lambda one: Rule(property=one.property, op=one.op, value=one.value))


def memberships() -> SearchStrategy[Filter]:
    """A condition on a cohort or segment, in every form in which it can be said."""
    cohorts = st.sampled_from([f"cohort.{name}" for name in COHORTS])
    said = st.sampled_from((("=", "yes"), ("=", "no"), ("=", True), ("!=", "yes"), ("in", ("yes",)), ("is_set", None),
                            ("is_not_set", None)))  # fmt: skip
    return st.builds(lambda name, how: Filter(property=name, op=how[0], value=how[1]), cohorts, said) | in_segments()


def in_segments() -> SearchStrategy[Filter]:
    """A condition on the segment, which every world has."""
    said = st.sampled_from((("=", "new_user"), ("!=", "at_risk"), ("not_in", ("at_risk", "active_user")),
                            ("is_set", None), ("is_not_set", None)))  # fmt: skip
    return said.map(lambda how: Filter(property="segment", op=how[0], value=how[1]))


@st.composite
def cohort_queries(draw: DrawFn, world: World) -> Query:
    """A question that is sliced or filtered by a cohort or segment, and perhaps by something else, too."""
    query = draw(queries(world) | sliced_queries(world))
    names = st.sampled_from(("segment", *(f"cohort.{name}" for name in COHORTS)))
    by = (*query.breakdown[:1], draw(names)) if draw(st.booleans()) else query.breakdown
    filters = (*query.filters, draw(memberships())) if by == query.breakdown or draw(st.booleans()) else query.filters
    return msgspec.structs.replace(query, breakdown=by, filters=filters)
