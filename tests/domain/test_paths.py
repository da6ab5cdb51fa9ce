"""Paths, as people rely on them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from regulars.domain.charts import chart
from regulars.errors import QueryError, UnknownNameError
from regulars.settings import Activity
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from regulars.domain.result import Result
    from regulars.workspace import Workspace

WALKS = {"ada": ("search", "view", "view", "buy"), "bob": ("search", "view"), "eve": ("view", "other")}


def shop(**more: Any) -> Workspace:
    """Three people on one morning."""
    return workspace(
        *(
            did(who, f"2026-01-05T09:0{minute}:00", kind, context=f"{kind}-screen")
            for who, kinds in WALKS.items()
            for minute, kind in enumerate(kinds)
        ),
        **more,
    )


def ways(result: Result) -> list[tuple[Any, ...]]:
    """Step, nodes and paths of every row."""
    return [(row["step"], row["from_node"], row["to_node"], row["paths"]) for row in result.rows]


def test_screens_and_any_property_of_events_can_be_nodes() -> None:
    """The screen instead of the action."""
    with shop() as ws:
        assert ways(ws.paths(node="context"))[0] == (1, "search-screen", "view-screen", 2)
        assert ws.paths(node="context").warnings == ()


def test_the_rest_is_flagged_and_a_node_named_other_is_a_node() -> None:
    """On step 2 view is first; buy on step 3 and other on step 2 share no cell."""
    with shop() as ws:
        rows = ws.paths(top=1).rows
        assert (rows[1]["from_node"], rows[1]["to_node"], rows[1]["flags"]) == (
            None, None, ["from_node_other", "to_node_other"],
        )  # fmt: skip
        assert ws.paths(top=1).users(1) == ["eve"]
        named = next(row for row in ws.paths().rows if row["to_node"] == "other")
        assert named["flags"] == []
        assert ws.paths().users(named) == ["eve"]


def test_every_step_of_the_matrix_adds_up_to_all_paths() -> None:
    """Those that are over included."""
    with shop() as ws:
        rows = ws.paths(view="matrix", top=1).rows
        for step in range(1, 6):
            assert sum(row["paths"] for row in rows if row["step"] == step) == 3
            assert sum(row["share"] for row in rows if row["step"] == step) == pytest.approx(1)
        assert all(len(ws.paths(view="matrix", top=1).users(row)) == row["users"] for row in rows)


def test_a_range_that_is_not_over_is_flagged() -> None:
    """It is still the 5th."""
    with shop(now=datetime(2026, 1, 5, 12, tzinfo=UTC)) as ws:
        assert ws.paths().rows[0]["flags"] == ["incomplete"]


def test_a_path_that_began_before_the_range_is_not_in_it() -> None:
    """Neither a session over midnight nor a stretch; a session of the last day goes on after it."""
    moments = ("2026-01-05T23:50:00", "2026-01-06T00:10:00", "2026-01-06T12:00:00")
    with workspace(*(did("ada", at, kind) for at, kind in zip(moments, "abc", strict=True))) as ws:
        assert ways(ws.paths(start="2026-01-06")) == [(1, "c", None, 1)]
        assert ways(ws.paths(start="2026-01-06", unit="user")) == []
        assert ways(ws.paths(end="2026-01-05"))[0] == (1, "a", "b", 1)
        assert ways(ws.paths(end="2026-01-05", unit="user", gap="1 hour")) == [(1, "a", "b", 1), (2, "b", None, 1)]


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ({"gap": "1 hour"}, "bad_option", "unit=user"),
        ({"steps": 1}, "bad_option", "a whole number from 2 to 20, not 1"),
        ({"top": 101}, "bad_option", "from 1 to 100"),
        ({"node": "user.country"}, "wrong_scope", "event.context"),
        ({"node": "country"}, "wrong_scope", "user attribute"),
        ({"activity": "busy"}, "bad_events", "whole days"),
        ({"activity": "rare"}, "bad_events", "whole days"),
        ({"grain": "week"}, "bad_grain", "allowed: day"),
    ],
)
def test_what_has_no_meaning_is_refused_with_the_way_out(asked: dict[str, Any], code: str, words: str) -> None:
    """Under a code that stays."""
    with shop(activity={"busy": Activity(min_events=2), "rare": Activity(max_events=2)}) as ws:
        with pytest.raises(QueryError, match=words) as found:
            ws.paths(**asked)
        assert found.value.code == code


def test_an_unknown_node_is_an_error_that_suggests_one() -> None:
    """The nearest."""
    with shop() as ws, pytest.raises(UnknownNameError, match="contxt"):
        ws.paths(node="contxt")


def test_a_row_that_does_not_say_why_its_node_is_missing_is_none_of_the_result() -> None:
    """The flag belongs to it."""
    with shop() as ws:
        result = ws.paths()
        with pytest.raises(QueryError, match="to_node") as found:
            result.users({"step": 1, "from_node": "search", "to_node": None})
        assert found.value.code == "no_such_row"


def test_an_anchor_nobody_ever_sent_is_said() -> None:
    """Instead of an empty answer without a reason; a node is no event and is not looked for."""
    with shop() as ws:
        result = ws.paths(from_event="searchh", node="context")
        assert result.rows == []
        assert [warning.split(":")[0] for warning in result.warnings] == ["unseen_event"]


def test_the_chart_shows_steps_beside_each_other() -> None:
    """From down, to across; the matrix has the steps themselves across, and the ends have a name."""
    with shop() as ws:
        flow, matrix = chart(ws.paths()), chart(ws.paths(view="matrix"), "paths")
        assert flow["facet"]["column"]["field"] == "step"
        assert flow["spec"]["encoding"]["color"]["field"] == "share"
        assert matrix["encoding"]["x"]["field"] == "step"
        assert "[end]" in matrix["transform"][0]["calculate"]
        assert "[start]" in chart(ws.paths(to_event="view"))["transform"][0]["calculate"]
        assert chart(ws.paths(view="matrix", by="event.context"))["facet"] == {
            "row": {"field": "slice", "type": "nominal"}
        }
