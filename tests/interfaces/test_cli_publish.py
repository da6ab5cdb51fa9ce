"""``regulars publish``, ``published`` and ``changed``."""

import pytest

from tests.interfaces.cli import call


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    assert call("init", folder).code == 0
    load(folder, "ada,like,2026-01-05T12:00:00Z", "ben,like,2026-01-06T12:00:00Z")
    return folder


def load(folder, *rows):
    events = folder.parent / f"events-{len(list(folder.parent.iterdir()))}.csv"
    events.write_text("\n".join(["user_id,event_type,timestamp", *rows]) + "\n")
    assert call("import", events, "-w", folder).code == 0


def test_an_answer_is_published_shown_again_and_held_against_today(shop):
    assert call("published", "-w", shop).out == "nothing was published yet; see: regulars publish --help\n"
    done = call("publish", "board", "dau", "--start", "2026-01-05", "-w", shop)
    assert done.out == "published board, version 1: 2 rows of active_users, up to 2026-01-06\n"
    assert "nothing has changed: 2 numbers as published" in call("changed", "board", "-w", shop).out
    load(shop, "cem,like,2026-01-05T13:00:00Z")
    done = call("changed", "board", "-w", shop)
    assert "1 number changed, 1 as published" in done.out
    assert "events that arrived later, by 1 ids, for days from 2026-01-05 to 2026-01-05: 1" in done.out
    found = call("changed", "board", "--format", "json", "-w", shop).json
    assert found["rows"] == [
        {"date": "2026-01-05", "column": "active_users", "published": 1, "now": 2, "change": 1, "flags": []}
    ]
    assert [cause["code"] for cause in found["causes"]] == ["late_events"]
    shown = call("published", "board", "--format", "csv", "-w", shop).out.splitlines()
    assert shown == ["date,active_users,flags", "2026-01-05,1,", "2026-01-06,1,"]


def test_the_list_has_every_version(shop, tmp_path):
    for _ in range(2):
        assert call("publish", "board", "dau", "-q", "-w", shop).out == ""
    assert [row["version"] for row in call("published", "--format", "json", "-w", shop).json] == [2, 1]
    assert "board         1" in call("published", "-w", shop).out
    lines = call("published", "--format", "csv", "-w", shop).out.splitlines()
    assert lines[0] == "name,version,published_at,metric,end"
    target = tmp_path / "list.parquet"
    assert call("published", "--output", target, "-w", shop).code == 0
    assert target.read_bytes()[:4] == b"PAR1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("changed", "bored"), "unknown publication 'bored'"),
        (("published", "--version", "1"), "--version belongs to a NAME"),
        (("publish", "board"), "Missing argument 'METRIC'"),
        (("publish", "board", "dua"), "unknown metric 'dua'"),
        (("publish", "", "dau"), "is no name"),
    ],
)
def test_what_cannot_be_is_one_line(arguments, said, shop):
    done = call(*arguments, "-w", shop)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
