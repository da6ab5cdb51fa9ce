"""``timeline``, ``erase``, ``plan`` and ``refresh`` as people type them."""

from __future__ import annotations

import pytest

from regulars.domain.definitions import REBUILD_STEPS
from regulars.interfaces.cli.refresh import STEPS
from tests.interfaces.cli import call, make_workspace, one_line


@pytest.fixture
def shop(tmp_path):
    return make_workspace(tmp_path)


def test_a_timeline_reads_like_a_page_about_a_person(shop):
    """Profile first, then sessions with their events, newest first."""
    lines = call("timeline", "ada", "-w", shop).out.splitlines()
    assert lines[0] == "ada"
    assert "  tier        casual" in lines
    assert "  country     DE" in lines
    sessions = [line for line in lines if line.startswith("session of")]
    assert sessions == ["session of 2026-03-03 08:15", "session of 2026-03-02 08:15"]
    assert lines[-1].startswith("  2026-03-02 08:15:00  login")


def test_a_timeline_for_programs_is_json(shop):
    """With the profile and every event as fields."""
    found = call("timeline", "ada", "--format", "json", "--limit", "1", "-w", shop).json
    assert (found["profile"]["user_id"], found["profile"]["active_days"]) == ("ada", 2)
    assert [event["action"] for event in found["events"]] == ["search"]


def test_only_events_are_printed_when_nothing_else_is_asked_for(shop):
    """--quiet leaves the profile out."""
    assert "tier" not in call("timeline", "ada", "-q", "-w", shop).out


def test_erase_asks_first_and_does_nothing_without_a_yes(shop):
    """The question says who, and how much."""
    done = call("erase", "ada", "-w", shop, stdin="n\n")
    assert "erase 'ada' (1 id, 2 actions) for good?" in done.err
    assert done.code != 0
    assert call("timeline", "ada", "-w", shop).code == 0


def test_erase_prints_a_certificate(shop):
    """For people, with days and rows; the person is gone, and nobody else."""
    done = call("erase", "ada", "--yes", "-w", shop)
    assert done.code == 0, done.err
    assert "days affected   2026-03-02 to 2026-03-03, 2 days with actions" in done.out
    assert "2 rows removed from fact_user_actions" in done.out
    assert "file rewritten  yes" in done.out
    gone = call("timeline", "ada", "-w", shop)
    assert (gone.code, one_line(gone.err)) == (2, True)
    assert call("timeline", "bob", "-w", shop).code == 0
    assert call("doctor", "-w", shop).code == 0


def test_a_certificate_for_programs_is_json(shop):
    """Whatever is asked on the way goes to stderr."""
    found = call("erase", "cyd", "--format", "json", "-w", shop, stdin="y\n").json
    assert (found["identities"], found["active_days"], found["is_rewritten"]) == (1, 1, True)


@pytest.mark.parametrize("command", ["timeline", "erase"])
def test_an_unknown_person_is_one_line(shop, command):
    """With the id, and without a question."""
    done = call(command, "nobody", "-w", shop)
    assert (done.code, done.out, one_line(done.err)) == (2, "", True)
    assert "'nobody'" in done.err


def test_a_changed_setting_is_planned_and_refreshed(shop):
    """plan says what and from how many events, refresh does it, and then there is nothing to do."""
    nothing = "stored rows follow today's settings; nothing to do"
    assert call("plan", "-w", shop).out.strip() == nothing
    settings = shop / "regulars.toml"
    settings.write_text(settings.read_text() + "\n[sessions]\ngap_minutes = 5\n")
    planned = call("plan", "-w", shop).out
    assert planned.splitlines() == [
        "changed since stored rows were made: sessions",
        "to recompute from 4 events:",
        "  sessions",
        "  daily activity",
        "run: regulars refresh",
    ]
    assert call("plan", "--format", "json", "-w", shop).json == {
        "changed": ["sessions"],
        "steps": ["sessions", "days"],
        "events": 4,
    }
    assert "sessions, daily activity" in call("refresh", "-w", shop).out
    assert call("refresh", "-w", shop).out.strip() == nothing
    assert call("refresh", "-q", "-w", shop).out == ""


def test_every_step_of_a_rebuild_has_its_words():
    """What remains to be done can always be said."""
    assert set(STEPS) == set(REBUILD_STEPS)


def test_a_new_slice_recomputes_slices_and_aggregates_only(shop):
    """Not sessions, not days."""
    with (shop / "regulars.toml").open("a") as file:
        file.write('[rollups]\nevent_dimensions = ["action"]\n')
    assert call("plan", "--format", "json", "-w", shop).json["steps"] == ["slices", "aggregates"]
    assert "arrivals inside event properties, aggregates" in call("refresh", "-w", shop).out
    assert call("metric", "dau", "--by", "action", "--format", "json", "-w", shop).json["source"] == "aggregates"
