"""``export-user``, ``backup``, ``restore``: on the command line, alone and beside a server."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import regulars
from tests.interfaces.cli import call, make_workspace, one_line
from tests.interfaces.servers import post, serving

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_workspace(tmp_path)


def test_a_person_is_written_to_the_screen_or_to_a_file(shop: Path, tmp_path: Path) -> None:
    """The same document; the file is for its owner only."""
    shown = call("export-user", "ada", "-w", shop)
    assert shown.code == 0, shown.err
    assert [event["action_type"] for event in shown.json["events"]] == ["login", "search"]
    done = call("export-user", "ada", "-w", shop, "--output", tmp_path / "ada.json")
    assert (done.code, done.out) == (0, "")
    written = json.loads((tmp_path / "ada.json").read_text())
    assert {name: told for name, told in written.items() if name != "about"} == {
        name: told for name, told in shown.json.items() if name != "about"
    }
    assert stat.S_IMODE((tmp_path / "ada.json").stat().st_mode) == 0o600


def test_nobody_known_is_one_line_and_no_file(shop: Path, tmp_path: Path) -> None:
    """An older file of that name stays as it was."""
    (tmp_path / "out.json").write_text("older")
    there = sorted(tmp_path.iterdir())
    done = call("export-user", "eve", "-w", shop, "--output", tmp_path / "out.json")
    assert done.code == 2
    assert one_line(done.err)
    assert "no user 'eve'" in done.err
    assert (tmp_path / "out.json").read_text() == "older"
    assert sorted(tmp_path.iterdir()) == there
    assert one_line(call("export-user", "ada", "-w", shop, "--output", tmp_path / "no" / "out.json").err)


def test_a_backup_is_restored_to_the_same_numbers(shop: Path, tmp_path: Path) -> None:
    """What was waiting in the journal is told, and loaded."""
    with regulars.open(shop) as ws:
        ws.track("dan", "login", timestamp="2026-03-05T10:00:00Z")
        ws.backup(tmp_path / "copy")
    done = call("restore", tmp_path / "copy", tmp_path / "new")
    assert done.code == 0, done.err
    assert "4 events, 3 users" in done.out
    assert "1 more event loaded from the journal" in done.out
    asked = ("metric", "dau", "--start", "2026-03-01", "--format", "csv", "-w")
    assert call(*asked, tmp_path / "new").out == call(*asked, shop).out
    told = call("backup", tmp_path / "again", "-w", tmp_path / "new", "--format", "json")
    assert told.json["rows"]["fact_user_actions"] == 5
    assert call("restore", tmp_path / "again", tmp_path / "third", "--format", "json").json == told.json
    assert call("doctor", "-w", tmp_path / "third").code == 0


def test_refusals_are_one_line(shop: Path, tmp_path: Path) -> None:
    """Exit code 3: nothing is wrong with the command, but with what is there."""
    assert call("backup", tmp_path / "copy", "-w", shop).code == 0
    for arguments in (
        ("backup", tmp_path / "copy", "-w", shop),
        ("restore", tmp_path / "copy", shop),
        ("restore", shop, tmp_path / "new"),
        ("backup", tmp_path / "events.csv" / "copy", "-w", shop),
    ):
        done = call(*arguments)
        assert done.code == 3, done.out
        assert one_line(done.err)


def test_beside_a_server_it_makes_the_copy_and_tells_about_the_person(shop: Path, tmp_path: Path) -> None:
    """Everything that it has acknowledged is in both; strangers may do neither."""
    with serving(shop) as server:
        for n in range(20):
            event = {"user_id": "ada", "event_type": "like", "timestamp": "2026-03-05T10:00:00Z", "event_id": f"e{n}"}
            assert post(f"{server.collecting}/v1/track", event)[0] == 200
        done = call("backup", tmp_path / "copy", "-w", shop)
        assert done.code == 0, done.err
        shown = call("export-user", "ada", "-w", shop)
        assert shown.code == 0, shown.err
        assert len(shown.json["events"]) == 22
        with regulars.open(shop) as beside:
            assert len(beside.export_user("ada")["events"]) == 22
        assert one_line(call("backup", tmp_path / "copy", "-w", shop).err)
        unknown = call("export-user", "eve", "-w", shop)
        assert (unknown.code, one_line(unknown.err)) == (2, True)
        for path, asked in (("backup", {"path": str(tmp_path / "x")}), ("export-user", {"user_id": "ada"})):
            assert post(f"{server.answering}/api/v1/{path}", asked)[0] == 403
    assert call("restore", tmp_path / "copy", tmp_path / "new").code == 0
    with regulars.open(tmp_path / "new") as ws:
        assert ws.sql("SELECT count(*) FROM fact_user_actions").rows == [(24,)]


def test_a_lost_database_is_made_anew_and_the_doctor_names_what_to_repeat(shop: Path, tmp_path: Path) -> None:
    """Each command refuses until then; the printed command repeats the import."""
    with regulars.open(shop) as ws:
        ws.track("dan", "login", timestamp="2026-03-05T10:00:00Z", event_id="d")
    assert "archive" in call("doctor", "-w", shop).out
    (shop / "regulars.duckdb").unlink()
    for command in (("metric", "dau"), ("doctor",), ("erase", "ada", "--yes")):
        done = call(*command, "-w", shop)
        assert done.code in {1, 3}
        assert "regulars rebuild --from-archive" in done.out + done.err
    done = call("rebuild", "--from-archive", "-w", shop)
    assert done.code == 0, done.err
    assert "made anew with 1 event in" in done.out
    repeat = [line.split() for line in done.out.splitlines() if line.startswith("  regulars import")]
    assert [words[2] for words in repeat] == [str(tmp_path / name) for name in ("users.csv", "events.csv")]
    assert call("doctor", "-w", shop).out.count("the database lacks the import of") == 2
    for words in repeat:
        assert call(*words[1:]).code == 0
    assert "lacks" not in call("doctor", "-w", shop).out
    assert "5 events of 4 people" in call("doctor", "-w", shop).out
    assert call("rebuild", "--from-archive", "-w", shop).code == 3
    assert call("rebuild", "-w", shop, "--format", "json").json["events"] == 5


def test_what_a_rebuild_lacks_is_said(shop: Path) -> None:
    """Events that are nowhere, imports by programs, a damaged database; as text, as JSON, and when it is quiet."""
    with regulars.open(shop) as ws:
        for n in range(3):
            ws.track("dan", "login", event_id=f"d{n}")
        ws.flush()
        ws._tracker._store.journal.forget([2])
        ws.load([{"user_id": "x", "event_type": "like", "timestamp": "2026-03-05T10:00:00Z"}])
    (shop / "regulars.duckdb").write_bytes(b"junk" * 5000)
    done = call("rebuild", "--from-archive", "-w", shop)
    assert "1 journal_missing" in done.out
    assert "other rows came from a program (list of dicts)" in done.out
    assert "kept as regulars.duckdb.damaged-1" in done.out
    assert (
        done.err
        == "warning: lost 1 event that neither the archive nor the journal has whole; see the table dead_letter\n"
    )
    (shop / "regulars.duckdb").unlink()
    told = call("rebuild", "--from-archive", "-w", shop, "--format", "json")
    assert (told.json["events"], told.json["reasons"]) == (2, {"journal_missing": 1})
    (shop / "regulars.duckdb").unlink()
    quiet = call("rebuild", "--from-archive", "-w", shop, "--quiet")
    assert (quiet.out, "lost 1 event" in quiet.err) == ("", True)


def test_the_doctor_finds_what_is_wrong_with_the_archive(shop: Path) -> None:
    """A file that is missing, places that nobody has, a list that cannot be read."""

    with regulars.open(shop, clock=lambda: datetime(2026, 3, 5, tzinfo=UTC)) as ws:
        ws.track("dan", "login")
        ws.flush()
    with regulars.open(shop, clock=lambda: datetime(2026, 4, 5, tzinfo=UTC)) as ws:
        ws.track("dan", "login")
    done = call("doctor", "-w", shop)
    assert (done.code, "1 events in 1 files, 2026-03-05 to 2026-03-05, all whole" in done.out) == (0, True)
    (file,) = (shop / "archive").glob("*.parquet")
    file.unlink()
    done = call("doctor", "-w", shop)
    assert (done.code, f"{file.name}: it is missing" in done.out) == (1, True)
    (shop / "archive" / "journal.json").write_text("{")
    assert call("doctor", "-w", shop).code == 1


def test_the_doctor_notes_what_others_can_read(shop: Path) -> None:
    """A note and no fault, with the command that closes it."""
    closed = call("doctor", "-w", shop)
    assert (closed.code, "cannot enter the folder" in closed.out) == (0, True)
    shop.chmod(0o755)
    assert "can read the log that DuckDB keeps" in call("doctor", "-w", shop).out
    with regulars.open(shop) as ws:
        ws.track("dan", "login")
    (shop / "regulars.duckdb").chmod(0o644)
    (shop / "journal.sqlite").chmod(0o644)
    done = call("doctor", "-w", shop, "--format", "json")
    (found,) = [finding for finding in done.json if finding["name"] == "access"]
    assert (done.code, found["state"]) == (0, "note")
    assert "can read journal.sqlite" in found["text"]
    assert f"regulars.duckdb; chmod -R go= {shop}" in found["text"]
