"""Funnels, by examples small enough to follow with a finger; and the law of slices."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.domain.query import Filter, Query, Range
from tests.oracle.examples import column, event, world
from tests.oracle.funnels import Way, any_times, funnel_rows, ordered_times, time_rows, trend_rows
from tests.strategies import worlds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.oracle.world import World

    RowsOf = Callable[[World, Query], list[dict[str, Any]]]

ABC = ["page_view", "like", "purchase"]
DAY = {"value": 1, "unit": "day"}


def asked(where: World, steps: list[Any], rows: RowsOf = funnel_rows, **options: Any) -> list[dict[str, Any]]:
    """The rows of a funnel over February 2026."""
    more = {name: options.pop(name) for name in ("breakdown", "filters", "limit") if name in options}
    days = Range(start=date(2026, 2, 1), end=date(2026, 2, 28), grain=options.pop("grain", "day"))
    metrics: dict[RowsOf, str] = {funnel_rows: "funnel", trend_rows: "funnel_trend", time_rows: "time_to_convert"}
    return rows(where, Query(metric=metrics[rows], range=days, options={"steps": steps, **options}, **more))


def test_people_times_and_drops() -> None:
    """a goes all the way, b stops after two steps, c comes too late: 1, 2 and 4 hours to the second step."""
    where = world(
        event("a", "2026-02-01 10:00", "page_view"), event("a", "2026-02-01 11:00"),
        event("a", "2026-02-01 12:00", "purchase"),
        event("b", "2026-02-01 10:00", "page_view"), event("b", "2026-02-01 14:00"),
        event("c", "2026-02-01 10:00", "page_view"), event("c", "2026-02-03 10:00"),
        event("d", "2026-02-01 10:00", "like"),
    )  # fmt: skip
    rows = asked(where, ABC, within=DAY)
    assert column(rows, "users") == [3, 2, 1]
    assert column(rows, "dropped") == [1, 1, 0]
    assert column(rows, "seconds_mean") == [None, 2.5 * 3600, 2 * 3600]
    assert rows[1]["seconds_p90"] == 3600 * (1 + 3 * 0.9)
    assert rows[0]["people"]["dropped"] == {"c"}


@pytest.mark.parametrize(
    ("sequences", "ties", "reached"),
    [((None, None), "any", 2), ((1, 2), "any", 2), ((2, 1), "any", 1), ((1, 1), "any", 2), ((2, None), "any", 2),
     ((None, None), "sequence", 1), ((1, 2), "sequence", 2), ((1, 1), "sequence", 1), ((1, None), "sequence", 1),
     ((1, 2), "strict", 1)],
)  # fmt: skip
def test_what_happens_at_the_same_instant(sequences: tuple[Any, Any], ties: str, reached: int) -> None:
    """Either order counts, unless both say which was first."""
    first, second = sequences
    where = world(
        event("a", "2026-02-01", "page_view", sequence=first), event("a", "2026-02-01", "like", sequence=second)
    )
    assert sum(column(asked(where, ABC[:2], ties=ties), "users")) == reached


def test_one_event_fills_one_step() -> None:
    """One like is not two of them; of two at one instant each fills one, whichever can."""
    alone = world(event("a", "2026-02-01"))
    assert column(asked(alone, ["like", "like"]), "users") == [1, 0]
    pair = world(event("a", "2026-02-01"), event("a", "2026-02-01", "purchase"))
    assert column(asked(pair, ["any", "like"]), "users") == [1, 1]
    way = Way(pair, {"steps": ["any", "like"]})
    assert [ordered_times(way, pair.events, each)[1] is None for each in pair.events] == [True, False]


def test_repeated_steps() -> None:
    """A step that needs two events is done with the second; the window counts from the first event of all."""
    where = world(*(event("a", f"2026-02-0{day}") for day in (1, 2, 3)), event("a", "2026-02-03 12:00", "purchase"))
    rows = asked(where, [{"events": ["like"], "times": 2}, "purchase"], within={"value": 36, "unit": "hour"})
    # From the 1st the purchase is too late, from the 2nd it is not.
    assert column(rows, "users") == [1, 1]
    assert rows[1]["seconds_mean"] == 36 * 3600
    assert asked(where, [{"events": ["like"], "times": 4}, "purchase"])[0]["users"] == 0


def test_strict_means_the_very_next_event() -> None:
    """A click between, later than the one and earlier than the other; markers do not count."""
    start, end = event("a", "2026-02-01 10:00", "page_view"), event("a", "2026-02-01 12:00")
    between = event("a", "2026-02-01 11:00", "click")
    marker = event("a", "2026-02-01 11:00", "session_start")
    for more, reached in ((between, 0), (marker, 1), (event("a", "2026-02-01 12:00", "click"), 1)):
        assert asked(world(start, end, more), ABC[:2], order="strict")[1]["users"] == reached
    told = event("a", "2026-02-01 12:00", "like", sequence=2), event("a", "2026-02-01 12:00", "click", sequence=1)
    assert asked(world(start, *told), ABC[:2], order="strict")[1]["users"] == 0


def test_any_order_counts_the_steps_that_are_done() -> None:
    """In the reverse order too; and one event is one step, whichever is better."""
    where = world(event("a", "2026-02-01 12:00", "purchase"), event("a", "2026-02-01 13:00", "page_view"))
    assert column(asked(where, ABC, order="any"), "users") == [1, 1, 0]
    both = world(event("a", "2026-02-01 12:00", "purchase"), event("a", "2026-02-01 13:00"))
    way = Way(both, {"steps": ["any", "purchase"], "order": "any"})
    assert any_times(way, both.events, both.events[0]) == tuple(each.at for each in both.events)


def test_whose_value_a_breakdown_shows() -> None:
    """web begins, app ends: first web, last app, by step, and no value that both share."""
    where = world(
        event("a", "2026-02-01 10:00", "page_view", platform="web"), event("a", "2026-02-01 11:00", platform="app"),
        event("b", "2026-02-01 10:00", "page_view", platform="web"),
    )  # fmt: skip

    def shown(attribution: str) -> dict[str, list[int]]:
        rows = asked(where, ABC[:2], breakdown=("platform",), attribution=attribution)
        return {row["platform"]: [r["users"] for r in rows if r["platform"] == row["platform"]] for row in rows}

    assert shown("first") == {"web": [2, 1]}
    assert shown("last") == {"app": [1, 1], "web": [1, 0]}
    assert shown("step:2") == {"(none)": [1, 0], "app": [1, 1]}
    assert shown("all") == {"web": [2, 0]}


def test_a_trend_counts_a_person_once_per_bucket_of_entry() -> None:
    """Two attempts in one week, one in the next, converted in March only by the second."""
    where = world(
        *(event("a", f"2026-02-{day}", "page_view") for day in ("02", "03", "10")),
        event("a", "2026-03-01", "like"), event("z", "2026-03-20"),
    )  # fmt: skip
    rows = asked(where, ABC[:2], trend_rows, grain="week", within={"value": 20, "unit": "day"})
    seen = {row["date"]: (row["entered"], row["converted"]) for row in rows if row["entered"]}
    assert seen == {date(2026, 2, 2): (1, 0), date(2026, 2, 9): (1, 1)}
    assert [row["flags"] for row in rows][-2:] == [[], ["incomplete"]]


def test_times_to_convert_in_bins() -> None:
    """The window itself belongs to the last bin."""
    where = world(
        *(event(user, "2026-02-01", "page_view") for user in "abc"),
        event("a", "2026-02-01 00:00:59"), event("b", "2026-02-01 00:01"), event("c", "2026-02-02"),
    )  # fmt: skip
    rows = asked(where, ABC[:2], time_rows, within=DAY, bins=[60], from_step=1, to_step=2)
    assert [(row["lower_seconds"], row["upper_seconds"], row["users"]) for row in rows] == [(0, 60, 1), (60, 86_400, 2)]


@settings(max_examples=25)
@given(world=worlds(), order=st.sampled_from(("ordered", "strict")), step=st.sampled_from(("like", "any")))
def test_a_slice_is_the_funnel_whose_first_step_asks_for_its_value(world: World, order: str, step: str) -> None:
    """And one that all steps share is the funnel of the events with it."""
    query = Query(metric="funnel", breakdown=("platform",), limit=12, options={"steps": [step, "any"], "order": order})
    for attribution in ("first", "all"):
        options = {**query.options, "attribution": attribution}
        rows = funnel_rows(world, Query(metric="funnel", breakdown=("platform",), limit=12, options=options))
        for value in ("web", "app"):
            mine = [row for row in rows if row["platform"] == value]
            only = Filter(property="platform", value=value)
            types = None if step == "any" else [step]
            begin = {"events": types, "where": [{"property": "platform", "value": value}]}
            filters, steps = ((), [begin, "any"]) if attribution == "first" else ((only,), [step, "any"])
            alone = funnel_rows(world, Query(metric="funnel", filters=filters, options={**options, "steps": steps}))
            if mine:
                assert [{**row, "platform": value} for row in alone] == mine
            else:
                assert sum(column(alone, "users")) == 0
