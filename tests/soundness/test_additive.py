"""Where a result says that its slices add up, they do; it says so wherever nobody can count in two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

from regulars.domain.query import Query, Range
from regulars.errors import QueryError
from tests.application.test_agreement import workspace_of
from tests.application.test_experiment_agreement import trial_worlds, trials
from tests.application.test_membership_agreement import size_queries
from tests.application.test_nps_agreement import nps_queries, surveyed_worlds
from tests.cohort_strategies import cohort_worlds
from tests.domain.examples import did, workspace
from tests.every_metric import PARTS, Asked, Part
from tests.oracle.attributes import resolve
from tests.oracle.questions import TIME_LEVEL, names
from tests.session_strategies import session_worlds
from tests.strategies import FEWER

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy

    from regulars.domain.result import Result
    from tests.oracle.world import World

SESSION = ("session.type", "session.entry_action", "session.exit_action")
# Which nodes or features are shown by themselves is chosen slice by slice, so all of them are.
RANKED = {"paths": 100, "feature_adoption": 1000, "churn_risk": 1000}
REFUSED = ("wrong_scope", "mixed_breakdown", "mixed_filter", "bad_breakdown", "needs_as_of", "unknown_property")


@st.composite
def visits(draw: DrawFn, _: World) -> Query:
    """A question about sessions."""
    grain = draw(st.sampled_from(("day", "week", "month")))
    profiles = (None, "hour", "weekday") if grain == "day" else (None,)
    return Query(metric="sessions", range=Range(grain=grain), options={"profile": draw(st.sampled_from(profiles))})


def _unused(*_: Any) -> None:
    raise AssertionError("only the question is used")


def _of(worlds: Callable[[], SearchStrategy[World]], questions: Callable[[World], SearchStrategy[Query]]) -> Part:
    return Part(worlds, {"": Asked(questions, _unused)})


BESIDE = {
    "sessions": _of(session_worlds, visits),
    "cohort_size": _of(cohort_worlds, size_queries),
    "nps": _of(surveyed_worlds, nps_queries),
    "experiment": _of(trial_worlds, trials),
}
ASKED = {
    **{name: (part.worlds, asked) for part in PARTS.values() for name, asked in part.asked.items()},
    **{name: (part.worlds, part.asked[""]) for name, part in BESIDE.items()},
}


def sliceable(world: World, metric: str) -> list[str]:
    """The properties by which a metric could be sliced: mostly those that may add up, which events' never do."""
    told = [name for name in names(world) if resolve(world, name).level != "event"]
    return [*told, *TIME_LEVEL, *TIME_LEVEL, "segment", "action", *(SESSION if metric == "sessions" else ())]


@given(data=st.data())
@FEWER
def test_slices_that_are_said_to_add_up_do(data: st.DataObject) -> None:
    """Every metric, by one property or two: each count of people is the sum of the slices' counts."""
    worlds, asked = ASKED[data.draw(st.sampled_from(sorted(ASKED)))]
    world = data.draw(worlds())
    query = data.draw(asked.as_said(world))
    kinds = st.sampled_from(sliceable(world, query.metric))
    by = tuple(data.draw(st.lists(kinds, min_size=1, max_size=2, unique=True)))
    options = query.options | ({"top": RANKED[query.metric]} if query.metric in RANKED else {})
    query = msgspec.structs.replace(query, breakdown=(), options=options, limit=1000)
    note(f"{msgspec.json.encode(query).decode()} by {by}")
    with workspace_of(world) as ws:
        try:
            whole, sliced = ws.query(query), ws.query(msgspec.structs.replace(query, breakdown=by))
        except QueryError as exc:
            assume(exc.code not in REFUSED)
            raise
    assert whole.additive
    assume(sliced.additive)
    expected, found = counts_of(whole), counts_of(sliced, by)
    for key, counts in expected.items():
        assert found.get(key, dict.fromkeys(counts, 0)) == counts


def counts_of(result: Result, by: tuple[str, ...] = ()) -> dict[tuple[Any, ...], dict[str, int]]:
    """The counts of people by what a row stands for, whatever its slice; undefined ones count nobody."""
    columns = [c for c in result.columns if c.name not in by]
    names_row = [c.name for c in columns if c.names_row or (c.type in ("date", "text") and not c.is_derived)]
    found: dict[tuple[Any, ...], dict[str, int]] = {}
    for row in result.rows:
        mine = found.setdefault(tuple(row[name] for name in names_row), dict.fromkeys(result.people_columns, 0))
        for name in result.people_columns:
            mine[name] += row[name] or 0
    return found


MOVING = [did("a", f"2026-01-{day:02}T12:00:00", kind) for day, kind in ((5, "x"), (10, "x"), (11, "y"))]
MOVING += [did("a", "2026-01-20T12:00:00", device={"platform": platform}) for platform in ("web", "ios")]


@pytest.mark.parametrize(
    ("name", "question", "is_additive"),
    [
        ("funnel", {"by": "tenure_band"}, False),
        ("funnel", {"by": ("country", "segment")}, False),
        ("funnel", {"by": "country"}, True),
        ("funnel_trend", {"by": "tenure_band", "grain": "month"}, False),
        ("time_to_convert", {"by": "tenure_band"}, False),
        ("paths", {"by": "tenure_band"}, False),
        ("paths", {"by": "country"}, True),
        ("retention", {"by": "tenure_band", "cohort": "recurring", "clock": "rolling", "grain": "week"}, False),
        ("retention", {"by": "tenure_band", "cohort": "recurring", "grain": "week"}, True),
        ("retention", {"by": "tenure_band", "clock": "rolling", "grain": "week"}, True),
        ("sessions", {"by": "session.type"}, False),
        ("sessions", {"by": "tenure_band"}, True),
        ("tiers", {"by": "tenure_band"}, True),
        ("active_users", {"by": "action"}, False),
    ],
)
def test_a_result_says_whether_one_person_can_be_in_two_slices(
    name: str, question: dict[str, Any], is_additive: bool
) -> None:
    """One person enters twice, 4 and 9 days after the registration; a warning says why slices do not add up."""
    if name in ("funnel", "funnel_trend", "time_to_convert"):
        question = {"steps": "x -> y", **question}
    with workspace(*MOVING, users=({"user_id": "a", "registration_date": "2026-01-01"},)) as ws:
        result = ws.metric(name, start="2026-01-05", end="2026-01-31", **question)
    assert result.additive is is_additive
    assert any("slices do not add up" in warning for warning in result.warnings) is not is_additive
