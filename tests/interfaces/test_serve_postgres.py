"""A workspace whose journal is in PostgreSQL, as its users have it: commands, servers, a second machine, a restore."""

from __future__ import annotations

import shutil
import threading
import time
from functools import partial

import pytest

import regulars
from regulars.errors import JournalError
from regulars.interfaces.http.serving import draining
from regulars.interfaces.http.serving.draining import Drain
from tests.infrastructure.journals import PostgresPlace, code_of
from tests.interfaces.cli import call, one_line
from tests.interfaces.servers import get, post, serving
from tests.soundness.test_killed_tracking import STORED, live_and_die

IDS = "SELECT event_id FROM fact_user_actions ORDER BY 1"
PRODUCER = """
import itertools, sys
from datetime import datetime
from pathlib import Path
from regulars.application.ports import Envelope
from regulars.infrastructure.operational.opening import open_store
from regulars.settings import Settings
folder, life = Path(sys.argv[1]), sys.argv[2]
journal = open_store(folder, Settings.read(folder / "regulars.toml").journal).journal
for n in itertools.count():
    marks = [f"{life}-{n}-{each}" for each in range(3)]
    event = '{"user_id": "u%d", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z", "mark": "%s"}'
    offsets = journal.append([Envelope((event % (n % 7, mark)).encode(), datetime(2026, 1, 5)) for mark in marks])
    for offset, mark in zip(offsets, marks):
        sys.stdout.write(f"journal-{journal.id}-{offset} {mark}\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def place(postgres_server, tmp_path):
    found = PostgresPlace(postgres_server, tmp_path)
    yield found
    found.close()


@pytest.fixture
def shop(place, tmp_path):
    return workspace(tmp_path / "shop", place.toml())


def workspace(folder, section):
    regulars.init(folder)
    with (folder / "regulars.toml").open("a") as file:
        file.write(section)
    return folder


def event(event_id):
    return {"event_id": event_id, "user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}


def ids(ws):
    found = [row[0] for row in ws.sql(IDS).rows]
    assert ws.journal_audit().adds_up
    return found


def until(ask, is_well, seconds=20):
    end = time.monotonic() + seconds
    while not is_well(answer := ask()):
        assert time.monotonic() < end, answer
        time.sleep(0.05)


def test_serving_collecting_elsewhere_an_outage_and_a_restore(place, tmp_path, monkeypatch, postgres_server):
    monkeypatch.setenv("SHOP_JOURNAL", postgres_server.dsn)
    section = f'[journal]\nstore = "postgres"\ndsn_env = "SHOP_JOURNAL"\nschema = "{place.schema}"\n'
    shop, elsewhere = (workspace(tmp_path / name, section) for name in ("shop", "elsewhere"))
    key = {"Authorization": f"Bearer {call('keys', 'create', 'write', '-w', shop).out.strip()}"}
    with serving(shop) as server, serving(elsewhere, command="collect") as other:
        assert post(f"{server.collecting}/v1/track", event("x"))[0] == 401
        assert post(f"{server.collecting}/v1/track", event("a"), key)[0] == 200
        assert post(f"{other.collecting}/v1/track", event("b"), key)[0] == 200
        postgres_server.stop()
        lost = partial(post, f"{server.collecting}/v1/track", event("lost"), key)
        until(lost, lambda answer: answer[0] == 503 and "journal_unreachable" in str(answer[1]))
        assert get(f"{server.collecting}/health")[0] == 503
        postgres_server.start()
        for each, event_id in ((server, "c"), (other, "d")):
            until(partial(post, f"{each.collecting}/v1/track", event(event_id), key), lambda answer: answer[0] == 200)
        # It reads on a connection of its own, which learns a moment later that the server is back.
        until(partial(get, f"{server.collecting}/health"), lambda answer: answer[0] == 200)
        until(partial(call, "sql", IDS, "-w", shop), lambda done: done.code == 0)
        asked = ("metric", "dau", "--start", "2026-01-05", "--end", "2026-01-05", "--format", "json", "-w", shop)
        assert '"active_users":1' in call(*asked).out.replace(" ", "")
        assert call("backup", tmp_path / "copy", "-w", shop).code == 0
        assert post(f"{other.collecting}/v1/track", event("e"), key)[0] == 200
        assert other.stop() == 0
        assert server.stop() == 0, server.errors.read_text()[-2000:]
    with regulars.open(shop, read_only=True) as ws:
        assert ids(ws) == ["a", "b", "c", "d", "e"]
    found = {finding["name"]: finding for finding in call("doctor", "--format", "json", "-w", shop).json}
    assert found["journal"]["state"] == "ok"
    assert f"schema {place.schema}), version" in found["journal"]["text"]
    restored = call("restore", tmp_path / "copy", tmp_path / "new")
    assert restored.code == 0
    assert "name another one" in restored.out
    other_schema = place.schema + "_new"
    shutil.copytree(tmp_path / "new", tmp_path / "file")
    settings = (tmp_path / "new" / "regulars.toml").read_text()
    (tmp_path / "new" / "regulars.toml").write_text(settings.replace(place.schema, other_schema))
    (tmp_path / "file" / "regulars.toml").write_text(settings.replace('"postgres"', '"sqlite"'))
    for folder in (tmp_path / "new", tmp_path / "file"):
        assert len(call("keys", "list", "--format", "json", "-w", folder).json) == 1
        with regulars.open(folder) as ws:
            ws.track("bob", "like", event_id="later")
            assert ids(ws) == ["a", "b", "c", "d", "later"]


def test_processes_append_and_are_killed_while_another_one_loads_and_asks(shop):
    told, errors = [], []

    def produce(name):
        try:
            for life in range(2):
                told.extend(live_and_die(shop, f"{name}-{life}", 0.3 + life / 5, PRODUCER))
        except Exception as exc:  # noqa: BLE001 -- shown below
            errors.append(exc)

    producers = [threading.Thread(target=produce, args=[name]) for name in range(2)]
    with regulars.open(shop) as ws:
        for producer in producers:
            producer.start()
        counts = [0]
        while any(producer.is_alive() for producer in producers):
            counts.append(ws.sql("SELECT count(*) FROM fact_user_actions").rows[0][0])
            ws.track("own", "like", properties={"mark": f"own-{len(counts)}"})
        assert errors == []
        assert len(told) > 20
        assert counts == sorted(counts)
        rows = ws.sql(STORED).rows
        assert set(told) - set(rows) == set()
        marks = [mark for _, mark in rows]
        assert len(marks) == len(set(marks))
        assert ws.journal_audit().adds_up


def test_events_are_counted_after_a_server_took_over_that_lost_the_end(place, shop):
    with regulars.open(shop) as ws:
        for event_id in "abc":
            ws.track("ada", "like", event_id=event_id)
        assert len(ws.sql(IDS).rows) == 3
        place.edit("DELETE FROM envelopes WHERE \"offset\" > 1; UPDATE journal SET last_offset = 1, server = 'another'")
        with pytest.raises(JournalError) as raised:
            ws.track("ada", "like", event_id="d")
        assert code_of(raised) == "journal_moved"
        assert len(ws.sql(IDS).rows) == 3  # whoever loads the journal says how far it came
        ws.track("ada", "like", event_id="e")
        assert [row[0] for row in ws.sql(IDS).rows] == ["a", "b", "c", "e"]
        assert ws.journal_audit().adds_up


def test_an_opening_that_fails_leaves_nothing_open(place, shop):
    with regulars.open(shop) as ws:
        ws.track("ada", "like", event_id="a")
    place.edit("""
        UPDATE journal SET server = 'another';
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
        CREATE TRIGGER refuse BEFORE UPDATE ON journal FOR EACH ROW EXECUTE FUNCTION refuse()""")
    with pytest.raises(JournalError, match="no"):
        regulars.open(shop)
    place.edit("DROP TRIGGER refuse ON journal")
    with regulars.open(shop) as ws:
        ws.track("ada", "like", event_id="b")
        assert ids(ws) == ["a", "b"]


def test_forgetting_somebody_reaches_the_journal(place, shop):
    with regulars.open(shop) as ws:
        ws.track("canary", "like")
        ws.track("bob", "like")
        ws.flush()
        ws.erase("canary")
        assert ws.sql("SELECT user_id FROM dim_users").rows == [("bob",)]
    assert place.server.sql(f"SELECT count(*) FROM {place.schema}.envelopes") == [(1,)]


def test_a_server_that_does_not_come_back_soon_is_no_reason_to_give_up(shop, postgres_server, monkeypatch):
    monkeypatch.setattr(draining, "PAUSE_SECONDS", 0.001)
    given_up = []
    with regulars.open(shop) as ws:
        ws.track("ada", "like", event_id="a")
        postgres_server.stop()
        drain = Drain(ws, give_up=lambda: given_up.append(True))
        drain.start()
        until(lambda: drain.failures, lambda failures: failures >= 7)
        postgres_server.start()
        until(lambda: drain.failures, lambda failures: failures == 0)
        drain.stop()
        assert given_up == []
        assert ids(ws) == ["a"]


def test_mistakes_are_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.delenv("SHOP_JOURNAL", raising=False)
    cases = {
        'store = "postgres"\nschema = "shop"': "either dsn",
        'store = "postgres"\ndsn = "host=x"\nschema = "Shop"': "journal.schema",
        'store = "postgres"\ndsn = "host=x"': "journal.schema",
        'dsn = "host=x password=sesame"': "holds a password",
        'dsn = "postgresql://u:sesame@x/db"': "holds a password",
        'store = "postgres"\ndsn_env = "SHOP_JOURNAL"\nschema = "shop"': "SHOP_JOURNAL is not set",
        'store = "postgres"\ndsn = "host=/nowhere"\nschema = "shop"': "cannot be reached",
        'store = "postgre"': "journal.store",
    }
    for number, (section, words) in enumerate(cases.items()):
        folder = workspace(tmp_path / str(number), f"[journal]\n{section}\n")
        for command in (["keys", "list"], ["rebuild"], ["collect", "--port", "0"]):
            done = call(*command, "-w", folder)
            assert done.code in {2, 3}, (section, command, done)
            assert one_line(done.err), done.err
            assert words in done.err
            assert "sesame" not in done.out + done.err
        found = call("doctor", "-w", folder)
        assert found.code == 1
        assert words in found.out
