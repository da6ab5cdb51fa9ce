"""``regulars import`` of what other tools exported: found in folders, recognised, previewed, and read once."""

import gzip
import json
import zipfile

import pytest

from tests.infrastructure.export_world import WRITERS, ga4_event, mixpanel_event, posthog_event, world
from tests.interfaces.cli import call, one_line

HISTORY = world(people=8, days=20)
FEW = ("segment", "posthog", "amplitude", "mixpanel", "ga4-json", "snowplow-enriched")


@pytest.fixture
def shop(tmp_path):
    assert call("init", tmp_path / "shop", "-q").code == 0
    return tmp_path / "shop"


@pytest.mark.parametrize("written", FEW)
def test_a_folder_of_an_export_is_imported_file_by_file_and_once(shop, tmp_path, written):
    tool, write = WRITERS[written]
    write(tmp_path / "export", HISTORY)
    number = len([path for path in (tmp_path / "export").rglob("*") if path.is_file()])
    done = call("import", tmp_path / "export", "-w", shop, "--json")
    assert done.code == 0, done.err
    assert len(done.json["files"]) == number
    total = done.json["total"]
    assert total["rows_read"] == total["loaded"] > 0
    before = call("metric", "dau", "-w", shop, "--format", "csv").out
    again = call("import", tmp_path / "export", "-w", shop, "--format", tool)
    assert again.out.count("was imported before") == number
    assert call("metric", "dau", "-w", shop, "--format", "csv").out == before


def test_a_stopped_import_goes_on_with_the_files_that_are_missing(shop, tmp_path):
    WRITERS["posthog"][1](tmp_path / "export", HISTORY)
    first, second = sorted((tmp_path / "export").rglob("*.gz"))
    assert call("import", first, "-w", shop).code == 0
    done = call("import", tmp_path / "export", "-w", shop, "--json")
    files = done.json["files"]
    assert [(file["source"], file["is_repeated"]) for file in files] == [(str(first), True), (str(second), False)]


def test_a_dry_run_shows_the_tool_and_what_becomes_what(shop, tmp_path):
    path = tmp_path / "raw.json"
    path.write_text("".join(json.dumps(mixpanel_event(row)) + "\n" for row in HISTORY))
    done = call("import", path, "-w", shop, "--dry-run")
    assert done.code == 0
    assert "nothing was changed; read as mixpanel" in done.out
    assert "event_id = properties.$insert_id" in done.out
    assert "timestamp = properties.time" in done.out
    assert call("sql", "SELECT count(*) FROM fact_user_actions", "-w", shop, "--format", "csv").out.split() == [
        "count_star()",
        "0",
    ]


def test_a_wrong_tool_is_refused_in_one_line(shop, tmp_path):
    path = tmp_path / "raw.json"
    path.write_text(json.dumps(posthog_event(HISTORY[0])))
    done = call("import", path, "-w", shop, "--format", "amplitude")
    assert done.code == 3
    assert one_line(done.err)
    assert "is no export of Amplitude" in done.err
    assert call("import", path, "-w", shop, "--format", "heap").code == 2


def test_a_damaged_file_among_the_others_is_heard_of(shop, tmp_path):
    WRITERS["amplitude"][1](tmp_path / "export", HISTORY)
    _, other = sorted((tmp_path / "export").rglob("*.gz"))
    other.write_bytes(other.read_bytes()[:200])
    done = call("import", tmp_path / "export", "-w", shop, "--json")
    assert done.code == 3
    assert [file["source"] for file in done.json["files"] if file["error"]] == [str(other)]
    assert done.json["total"]["loaded"] > 0


def test_what_lies_beside_an_export_is_left_alone(shop, tmp_path):
    WRITERS["ga4-json"][1](tmp_path / "export" / "deep" / "er", HISTORY)
    beside = tmp_path / "export" / "notes"
    beside.mkdir()
    (beside / "plain.csv").write_text("user_id,event,time\nu,login,2026-01-05T10:00:00Z\n")
    (tmp_path / "export" / "schema.json").write_text('{"fields": []}')
    (tmp_path / "export" / "deep" / "er" / "_SUCCESS").write_text("")
    done = call("import", tmp_path / "export", "-w", shop, "--json")
    assert done.code == 0, done.err
    assert len(done.json["files"]) == 1


def test_an_archive_that_was_not_unpacked_says_so(shop, tmp_path):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("100/a.json", json.dumps(ga4_event(HISTORY[0])))
    done = call("import", tmp_path / "export.zip", "-w", shop)
    assert done.code == 3
    assert "is a zip archive; unpack it" in done.err


def test_rows_that_were_rejected_are_written_out_as_they_came(shop, tmp_path):
    row = {**ga4_event(HISTORY[0]), "event_timestamp": "soon"}
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    done = call("import", tmp_path / "a.json.gz", "-w", shop, "--rejects", tmp_path / "rejects.csv")
    assert "1 rejected" in done.out
    kept = (tmp_path / "rejects.csv").read_text()
    assert "bad_time" in kept
    assert "soon" in kept


def test_a_pattern_and_a_mapping_work_for_exports_too(shop, tmp_path):
    WRITERS["posthog"][1](tmp_path / "export", HISTORY)
    done = call(
        "import", tmp_path / "export" / "**" / "*.gz", "-w", shop, "--map", "user_id=person_id", "--format", "posthog"
    )
    assert done.code == 0, done.err
    people = call("sql", "SELECT count(*) AS n FROM dim_identities WHERE kind = 'known'", "-w", shop, "--format", "csv")
    assert int(people.out.split()[1]) >= len({row.user or row.device for row in HISTORY})
