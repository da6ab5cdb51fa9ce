"""A stored session goes on with the events that follow it, as if it had been made of all of them at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import regulars
from regulars.settings import SessionSettings
from tests.application.test_agreement import workspace_of
from tests.application.test_habits_agreement import ruled_worlds, stored_sessions, told_sessions
from tests.strategies import MARKERS

if TYPE_CHECKING:
    from tests.oracle.world import World

GAP = timedelta(minutes=30)
MICROSECOND = timedelta(microseconds=1)
START = datetime(2026, 1, 5, 10, tzinfo=UTC)

Part = list[dict[str, Any]]


def did(after: timedelta, event_id: str = "", **more: Any) -> dict[str, Any]:
    """An event of the only person so long after the start."""
    at = START + after
    return {"user_id": "ada", "event_type": "like", "timestamp": at, "event_id": event_id or f"e{after}", **more}


STEADY = [did(n * GAP) for n in range(60)]
PARTS: dict[str, list[Part]] = {
    "within the gap": [[did(0 * GAP)], [did(GAP)]],
    "beyond the gap": [[did(0 * GAP)], [did(GAP + MICROSECOND)]],
    "a gap among what is new": [[did(0 * GAP)], [did(GAP), did(3 * GAP), did(4 * GAP)]],
    "a day is over": [STEADY[:40], STEADY[40:52]],
    "a day was over before": [STEADY[:50], STEADY[50:]],
    "a day to the microsecond": [STEADY[:48], STEADY[48:49]],
    "two days at once": [STEADY[:20], [did((n * GAP), f"later {n}") for n in range(20, 99)]],
    "after the session before the last": [[did(0 * GAP), did(3 * GAP)], [did(GAP)]],
    "between two sessions that it unites": [[did(0 * GAP), did(2 * GAP)], [did(GAP)]],
    "at the same instant, and sorted before": [[did(0 * GAP), did(GAP, "m")], [did(GAP, "a", event_type="purchase")]],
    "at one instant, in another order": [[did(0 * GAP)], [did(GAP, "b"), did(GAP, "a", event_type="purchase")]],
    "an old and a new screen": [
        [did(0 * GAP, context="home"), did(GAP, context="list")],
        [did(2 * GAP, context="home"), did(2 * GAP, "z", context="cart")],
    ],
    "an old screen in a new session": [[did(0 * GAP, context="home")], [did(2 * GAP, context="home")]],
    "a platform after a device type": [[did(0 * GAP, device_type="tablet")], [did(GAP, platform="ios")]],
    "a device type after a platform": [[did(0 * GAP, platform="ios")], [did(GAP, device_type="tablet")]],
    "a device type after nothing": [[did(0 * GAP)], [did(GAP, device_type="tablet")]],
    "a word for both": [
        [did(0 * GAP, device_type="web")],
        [did(GAP, platform="ios"), {**did(GAP, "b", platform="web"), "user_id": "ben"}],
    ],
    "a platform of no name": [[did(0 * GAP, device_type="tablet", platform="unknown")], [did(GAP, platform="ios")]],
    "a device of no name": [[did(0 * GAP, device_type="unknown")], [did(GAP, platform="ios")]],
    "nothing that counts": [[did(0 * GAP)], [did(GAP, event_type="page_view")]],
    "a marker": [[did(0 * GAP)], [did(GAP / 2, event_type="session_end"), did(GAP)]],
    "a name for a stranger": [
        [{**did(0 * GAP), "user_id": None, "anonymous_id": "x"}],
        [did(GAP, anonymous_id="x", event_type="identify"), did(GAP, "b")],
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", PARTS)
def test_sessions_of_parts_are_those_of_the_whole(case: str) -> None:
    """Whatever comes when."""
    parts = PARTS[case]
    with regulars.open() as whole, regulars.open() as ws:
        whole.load([row for part in parts for row in part])
        for part in parts:
            ws.load(part)
        assert stored_sessions(ws) == stored_sessions(whole) != []
        ws.rebuild()
        assert stored_sessions(ws) == stored_sessions(whole)


@given(ruled=ruled_worlds(), cuts=st.lists(st.integers(1, 119), min_size=2, max_size=6))
def test_in_order_they_are_those_of_the_oracle(ruled: tuple[World, dict[str, Any]], cuts: list[int]) -> None:
    """Where only pauses end them, so that each goes on."""
    world, drawn = ruled
    rules = {**drawn, "source": "derived", "split_at_midnight": False}
    world.events = sorted((e for e in world.events if e.type not in MARKERS), key=lambda e: e.at)
    world.settings = msgspec.structs.replace(world.settings, sessions=SessionSettings(**rules))
    with workspace_of(world, tuple(cut % max(1, len(world.events)) for cut in cuts)) as ws:
        assert stored_sessions(ws) == told_sessions(world, rules)
