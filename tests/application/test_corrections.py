"""What is known better later changes all of history, and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from regulars.domain.definitions import changed_parts, steps_for
from regulars.errors import QueryError, RegularsError, UnsupportedError
from regulars.settings import PopulationSettings, SessionSettings
from tests.domain.examples import did, under, workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from regulars.workspace import Workspace

STRANGER = {"anonymous_id": "anon", "event_type": "view", "timestamp": "2026-01-01T10:00:00Z", "event_id": "1"}
EVENTS = (
    STRANGER,
    did("ada", "2026-01-02T10:00:00", event_id="2", country="DE"),
    did("ben", "2026-01-02T11:00:00", event_id="3", country="FR"),
)


def daily(ws: Workspace, **question: Any) -> dict[str, int]:
    """Active people per day."""
    return {str(row["date"]): row["active_users"] for row in ws.active_users(start="2026-01-01", **question).rows}


def test_a_link_makes_the_strangers_days_those_of_the_known_user() -> None:
    """Two people become one; the day before their first visit is theirs now."""
    with workspace(*EVENTS) as ws:
        assert daily(ws, window=7) == {"2026-01-01": 1, "2026-01-02": 3}
        ws.link("anon", "ada")
        assert daily(ws, window=7) == {"2026-01-01": 1, "2026-01-02": 2}
        assert ws.active_users(start="2026-01-01").users(0) == ["ada"]
        ws.link("anon", "ada")
        assert daily(ws, window=7) == {"2026-01-01": 1, "2026-01-02": 2}


def test_what_was_linked_stays_with_whom_it_belongs_to() -> None:
    """The first link stands, for a correction as for an identify event."""
    with workspace(*EVENTS) as ws:
        ws.link("anon", "ada")
        with pytest.raises(QueryError, match="'anon' belongs to 'ada' already") as refused:
            ws.link("anon", "ben")
    assert refused.value.code == "already_linked"


def test_an_attribute_moves_history_from_one_slice_to_another_and_back() -> None:
    """The last word counts; None clears even what the first event said."""
    with workspace(*EVENTS) as ws:
        by_country = [("DE", 1), ("FR", 1)]
        for value, shown in (("FR", [("FR", 2)]), ("DE", by_country), (None, [("(none)", 1), ("FR", 1)])):
            ws.set_attributes("ada", {"country": value})
            rows = ws.active_users(by="country", start="2026-01-02").rows
            assert sorted((row["country"], row["active_users"]) for row in rows if row["active_users"]) == shown


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (7, "7"), (1.5, "1.5"), (date(2026, 1, 2), "2026-01-02")])
def test_an_attribute_is_stored_as_an_import_would_store_it(value: Any, text: str) -> None:
    """So that a condition finds it."""
    with workspace(*EVENTS) as ws:
        ws.set_attributes("ada", {"vip": value})
        assert ws.active_users(where=f"vip = '{text}'", start="2026-01-02").rows[0]["active_users"] == 1


def test_a_test_user_leaves_every_number_and_comes_back() -> None:
    """The population is a property of the person, in all of history."""
    with workspace(*EVENTS) as ws:
        ws.set_population("ada", "test")
        assert daily(ws) == {"2026-01-01": 1, "2026-01-02": 1}
        assert daily(ws, population="test") == {"2026-01-01": 0, "2026-01-02": 1}
        ws.set_population("ada", "production")
        assert daily(ws) == {"2026-01-01": 1, "2026-01-02": 2}


def test_settings_that_name_a_person_win_and_say_so() -> None:
    """A flag that would have no effect is refused."""
    with (
        workspace(*EVENTS, population=PopulationSettings(test_users=("ada",))) as ws,
        pytest.raises(QueryError, match=r"regulars.toml names 'ada'") as refused,
    ):
        ws.set_population("ada", "production")
    assert refused.value.code == "population_in_settings"


REFUSED: dict[str, tuple[Callable[[Workspace], object], str]] = {
    "a stranger nobody met": (lambda ws: ws.link("nobody", "ada"), "unknown_user"),
    "a link to nobody": (lambda ws: ws.link("anon", "nobody"), "unknown_user"),
    "a link of two known users": (lambda ws: ws.link("ada", "ben"), "unknown_user"),
    "an id in other letters": (lambda ws: ws.set_attributes("Ada", {"plan": "x"}), "unknown_user"),
    "a population there is not": (lambda ws: ws.set_population("ada", "robot"), "unknown_population"),
    "a hostile id": (lambda ws: ws.erase("o'nobody"), "unknown_user"),
    "a timeline of nobody": (lambda ws: ws.timeline("nobody"), "unknown_user"),
    "no events at all": (lambda ws: ws.timeline("ada", limit=0), "bad_limit"),
}


@pytest.mark.parametrize(("correct", "code"), REFUSED.values(), ids=REFUSED)
def test_a_correction_of_what_is_not_there_is_refused_and_changes_nothing(
    correct: Callable[[Workspace], object], code: str
) -> None:
    """With the value at fault and a stable code."""
    with workspace(*EVENTS) as ws:
        before = daily(ws, window=7), ws.sql("SELECT count(*) FROM loads").rows
        with pytest.raises(QueryError) as refused:
            correct(ws)
        assert refused.value.code == code
        assert (daily(ws, window=7), ws.sql("SELECT count(*) FROM loads").rows) == before


def test_a_reader_corrects_nothing(tmp_path: Path) -> None:
    """Opened read-only, every change is refused before it begins."""
    regulars.init(tmp_path / "shop")
    with regulars.open(tmp_path / "shop", read_only=True) as ws:
        for change in (ws.rebuild, ws.refresh, lambda: ws.erase("a"), lambda: ws.link("a", "b")):
            with pytest.raises(UnsupportedError, match="opened read-only"):
                change()


def test_a_changed_setting_is_planned_then_refreshed_in_just_the_steps_it_asks_for() -> None:
    """Until then answers are exact and come with a warning; afterwards nothing is left to do."""
    events = (did("ada", "2026-01-02T10:00:00"), did("ada", "2026-01-02T10:20:00"))
    with workspace(*events) as first:
        assert first.plan().steps == first.refresh() == ()
        ws = under(first, sessions=SessionSettings(gap_minutes=10))
        assert (ws.plan().changed, ws.plan().steps, ws.plan().events) == (("sessions",), ("sessions", "days"), 2)
        stale = ws.sessions(start="2026-01-02")
        assert ws.refresh() == ("sessions", "days")
        fresh = ws.sessions(start="2026-01-02")
        assert [row["sessions"] for row in stale.rows] == [row["sessions"] for row in fresh.rows] == [2]
        assert [any("stale_rollups" in text for text in r.warnings) for r in (stale, fresh)] == [True, False]
        assert ws.plan().steps == ws.refresh() == ()


def test_an_unknown_part_of_the_definitions_asks_for_everything() -> None:
    """A database written by another version is never trusted halfway."""
    assert changed_parts({"old": "1"}, {"new": "1"}) == ("new", "old")
    assert steps_for(["something"]) == steps_for(["timezone"])


def test_a_correction_of_stale_rows_rebuilds_them() -> None:
    """A change of settings and a change of facts may come together."""
    with workspace(*EVENTS) as first:
        ws = under(first, timezone="Pacific/Pago_Pago")
        ws.set_attributes("ada", {"country": "FR"})
        assert ws.plan().steps == ()
        assert {str(row["date"]): row["active_users"] for row in ws.active_users(start="2025-12-31").rows} == {
            "2025-12-31": 1,
            "2026-01-01": 1,
            "2026-01-02": 1,
        }


def test_errors_are_all_of_one_tree() -> None:
    """One except clause catches every refusal of a correction."""
    with regulars.open() as ws, pytest.raises(RegularsError):
        ws.erase("nobody")


def test_a_table_of_people_says_only_what_it_did_not_say_before() -> None:
    """What was said since by others stays; what differs from the table before is new, also when it was said earlier."""
    now = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
    with regulars.open(clock=lambda: now[0]) as ws:

        def load(plan: str) -> int:
            now[0] += timedelta(hours=1)
            return ws.load([{"user_id": "ada", "plan": plan}, {"user_id": "ben", "plan": "free"}], kind="users").loaded

        assert load("free") == 2
        now[0] += timedelta(hours=1)
        ws.set_attributes("ada", {"plan": "paid"})
        rows = ws.sql("SELECT count(*) FROM fact_user_attributes").rows
        assert load("free") == 0
        assert ws.sql("SELECT user_id, plan FROM dim_users ORDER BY 1").rows == [("ada", "paid"), ("ben", "free")]
        assert ws.sql("SELECT count(*) FROM fact_user_attributes").rows == rows
        assert [load(plan) for plan in ("pro", "free", "free")] == [1, 1, 0]
        assert ws.sql("SELECT user_id, plan FROM dim_users ORDER BY 1").rows == [("ada", "free"), ("ben", "free")]


def test_a_person_whose_id_is_a_number_is_found_by_it() -> None:
    """Ids are texts; what loads a number as one also looks it up."""
    with regulars.open() as ws:
        ws.load([{"user_id": 7, "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}, STRANGER])
        ws.link("anon", 7)
        ws.set_attributes(7, {"plan": "paid"})
        ws.set_population(7, "test")
        assert ws.timeline(7).profile.user_id == "7"
        assert ws.membership(7)
        assert len(ws.export_user(7)["events"]) == 2
        assert ws.erase(7).removed["fact_user_actions"] == 2


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"plan": ["x"]}, "bad_attribute"), ({"plan": {"a": 1}}, "bad_attribute"), ({"": 1}, "bad_attribute"),
        ({" ": 1}, "bad_attribute"), ({"x" * 201: 1}, "bad_attribute"), ({3: 1}, "bad_attribute"),
        ({"population": "zzz"}, "unknown_population"), ({"population": 1}, "unknown_population"),
    ],
)  # fmt: skip
def test_an_attribute_that_none_can_be_is_refused(attributes: dict[Any, Any], code: str) -> None:
    """And nothing of the others is set."""
    with workspace(did("ada", "2026-01-02T10:00:00")) as ws:
        with pytest.raises(RegularsError) as caught:
            ws.set_attributes("ada", {"country": "DE", **attributes})
        assert caught.value.code == code
        assert ws.sql("SELECT count(*) FROM fact_user_attributes WHERE key = 'country' AND is_explicit").rows == [(0,)]
