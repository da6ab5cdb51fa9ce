"""Stored sessions say what their first and last actions were, also where several share an instant."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.domain.examples import did, workspace

NOON = datetime(2026, 1, 1, 12)


def act(number: int, seconds: float, action: str = "like", **more: Any) -> dict[str, Any]:
    """An action of one person, some seconds after noon; its id sorts by its number."""
    at = (NOON + timedelta(seconds=seconds)).isoformat()
    return did("a", at, action, event_id=f"e{number:03}", **more)


def stored(*events: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Id, first and last action, type, number of actions and length of each stored session."""
    with workspace(*events) as ws:
        return ws.engine.query(
            """SELECT session_id, entry_action, exit_action, session_type, actions_count, duration_seconds
FROM user_sessions ORDER BY session_start"""
        ).rows


def test_of_actions_at_the_first_instant_the_least_id_names_the_session() -> None:
    """However they arrived."""
    found = stored(act(2, 0, "search"), act(1, 0, "share"), act(3, 60))
    assert found == [("e001", "share", "like", "unknown", 3, 60.0)]


def test_of_actions_at_the_last_instant_the_greatest_id_ends_the_session() -> None:
    """Also when it came first."""
    found = stored(act(1, 0), act(3, 60, "share"), act(2, 60, "search"))
    assert found == [("e001", "like", "share", "unknown", 3, 60.0)]


def test_a_session_has_the_type_of_its_first_action_that_has_any() -> None:
    """A platform goes before a device type that came earlier."""
    found = stored(act(1, 0), act(2, 10, device_type="tablet"), act(3, 20, platform="ios"), act(4, 30, platform="web"))
    assert found == [("e001", "like", "like", "ios", 4, 30.0)]


def test_more_actions_than_holes_in_a_sieve_are_one_session() -> None:
    """Two hundred within a few minutes, and a run over three stretches of half an hour."""
    many = [act(number, number) for number in range(200)]
    later = [act(200 + number, 1_500 * number, "search") for number in (1, 2, 3)]
    found = stored(*many, *later)
    assert found == [("e000", "like", "search", "unknown", 203, 4_500.0)]


def test_instants_that_fall_through_the_same_holes_are_told_apart() -> None:
    """They differ by 61 times 59 microseconds, so that both sieves take them for one."""
    found = stored(act(1, 0, "search"), act(2, 61 * 59 / 1e6), act(3, 2 * 61 * 59 / 1e6, "share"))
    assert found == [("e001", "search", "share", "unknown", 3, 2 * 61 * 59 / 1e6)]
