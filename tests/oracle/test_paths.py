"""The oracle for paths, by examples worked out by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from regulars.domain.query import Query, Range
from regulars.settings import Settings
from tests.oracle.paths import paths
from tests.oracle.world import Event, World

NINE = datetime(2026, 1, 5, 9)


def walk(user: str, *kinds: str, start: datetime = NINE, minutes: int = 1, **more: Any) -> list[Event]:
    """What one person does, a minute apart."""
    return [
        Event(user, kind, start + timedelta(minutes=n * minutes), f"{user}{start:%d%H}{n}", **more)
        for n, kind in enumerate(kinds)
    ]


def told(events: list[Event], **options: Any) -> list[tuple[Any, ...]]:
    """Step, nodes, paths and flags of each row."""
    world = World(events, {}, Settings(), datetime(2026, 2, 1))
    asked = Query(metric="paths", range=Range(date(2026, 1, 5), date(2026, 1, 5)), options=options)
    rows = [row.values for row in paths(world, asked)]
    names = ("node",) if options.get("view") == "matrix" else ("from_node", "to_node")
    return [(row["step"], *(row[name] for name in names), row["paths"], row["flags"]) for row in rows]


def test_a_repeat_is_one_node_and_the_last_node_ends_the_path() -> None:
    """a a b is a to b, then the end."""
    events = walk("ada", "a", "a", "b")
    assert told(events) == [(1, "a", "b", 1, []), (2, "b", None, 1, ["end"])]
    assert told(events, collapse=False)[0] == (1, "a", "a", 1, [])


def test_sessions_are_paths_of_their_own_and_a_gap_of_a_person_may_hold_several() -> None:
    """An hour lies between a b and c: two sessions, one path of a day, two paths of 30 minutes."""
    events = [*walk("ada", "a", "b"), *walk("ada", "c", start=NINE + timedelta(hours=1))]
    two = [(1, "a", "b", 1, []), (1, "c", None, 1, ["end"]), (2, "b", None, 1, ["end"])]
    assert told(events) == two
    assert told(events, unit="user", gap=1800) == two
    assert told(events, unit="user")[1] == (2, "b", "c", 1, [])


def test_anchors_cut_and_the_end_alone_counts_back() -> None:
    """Of a b c b d: from b on, up to the last b, and back from it."""
    events = walk("ada", "a", "b", "c", "b", "d")
    assert told(events, from_event="b", steps=2) == [(1, "b", "c", 1, [])]
    assert told(events, from_event="c", to_event="b") == [(1, "c", "b", 1, []), (2, "b", None, 1, ["end"])]
    back = told(events, to_event="b")
    assert back == [(1, "c", "b", 1, []), (2, "b", "c", 1, []), (3, "a", "b", 1, []), (4, None, "a", 1, ["start"])]
    assert told(events, to_event="z") == []


def test_the_rest_is_a_flag_and_the_matrix_keeps_who_is_over() -> None:
    """a is the top node of step 1; b and c are the rest, and a node called other is a node."""
    events = [*walk("ada", "a", "other"), *walk("bob", "a"), *walk("eve", "b"), *walk("zoe", "c")]
    assert told(events, top=1) == [
        (1, None, None, 2, ["end", "from_node_other"]),
        (1, "a", "other", 1, []),
        (1, "a", None, 1, ["end"]),
        (2, "other", None, 1, ["end"]),
    ]
    assert told(events, top=1, view="matrix", steps=2) == [
        (1, "a", 2, []), (1, None, 2, ["node_other"]), (2, None, 3, ["end"]), (2, "other", 1, []),
    ]  # fmt: skip


def test_a_passive_event_belongs_to_the_session_that_is_not_long_over() -> None:
    """Payment succeeds 30 minutes after the last action, then again later."""
    events = [*walk("ada", "a"), *walk("ada", "payment_success", "payment_success", start=NINE, minutes=30)]
    events[1] = Event("ada", "payment_success", NINE + timedelta(minutes=30), "p1")
    events[2] = Event("ada", "payment_success", NINE + timedelta(minutes=31), "p2")
    world = World(events, {}, Settings(), datetime(2026, 2, 1))
    rows = paths(world, Query(metric="paths", activity="any", options={"collapse": False}))
    assert [row.values["to_node"] for row in rows] == ["payment_success", None]
