"""The journal in PostgreSQL: connections that are lost, servers that are killed, and others that take over."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
import time
from contextlib import suppress

import psycopg
import pytest

from regulars.application.keys import create
from regulars.errors import JournalError, MissingExtraError, SettingsError
from regulars.infrastructure.operational.opening import open_store
from regulars.infrastructure.operational.postgres import connection as pg_connection
from regulars.infrastructure.operational.postgres import journal as pg_journal
from regulars.infrastructure.operational.postgres import schema as pg_schema
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME, SqliteStore
from regulars.settings import JournalSettings
from tests.infrastructure.journals import NOW, PostgresPlace, bodies, code_of, everything, letters

MODULES = "regulars.infrastructure.operational.postgres"
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'regulars %%' ORDER BY backend_start"


@pytest.fixture
def place(postgres_server, tmp_path):
    found = PostgresPlace(postgres_server, tmp_path)
    yield found
    found.close()


@pytest.fixture
def journal(place):
    return place.open().journal


def until_kept(journal, *words, seconds=20):
    """Append as soon as the server is back; tells the codes of the errors before."""
    codes = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            journal.append(letters(*words))
        except JournalError as exc:
            codes.add(exc.code)
            time.sleep(0.02)
        else:
            return codes
    raise AssertionError(f"the journal did not come back: {codes}")


def until_read(journal):
    """Everything, as soon as the server is back also for whoever reads."""
    for _ in range(200):
        with suppress(JournalError):
            return journal.read(0, 100_000)
        time.sleep(0.05)
    return journal.read(0, 100_000)


class Appending:
    """Threads that append, note what was acknowledged, and go on after errors."""

    def __init__(self, journal, threads=4):
        self.acknowledged, self.codes, self._stop = {}, set(), threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[journal, name]) for name in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self, journal, name):
        count = 0
        while not self._stop.is_set():
            words = [f"{name}-{count}-{n}" for n in range(3)]
            count += 1
            try:
                self.acknowledged.update(zip(words, journal.append(letters(*words)), strict=True))
            except JournalError as exc:
                self.codes.add(exc.code)
                time.sleep(0.01)

    def wait_for(self, more):
        """Until so many more are acknowledged."""
        wanted, end = len(self.acknowledged) + more, time.monotonic() + 30
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < end, self.codes
            time.sleep(0.01)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def exactly_once(journal, appending):
    page = until_read(journal)
    stored = {entry.body.decode(): entry.offset for entry in page.entries}
    assert page.faults == ()
    assert [entry.offset for entry in page.entries] == list(range(1, page.through + 1))
    assert len(stored) == len(page.entries)
    assert appending.acknowledged.items() <= stored.items()


# --- servers that end -------------------------------------------------------------------------------------


def test_what_was_acknowledged_outlives_the_server_and_its_processes_killed_at_any_moment(place, postgres_server):
    journal = place.open().journal
    appending = Appending(journal)
    try:
        appending.wait_for(30)
        ((pid,),) = postgres_server.sql(f"{BACKENDS} LIMIT 1")
        os.kill(pid, signal.SIGKILL)  # one process of the server: it ends all others, and recovers
        appending.wait_for(30)
        postgres_server.kill()
        postgres_server.start()
        appending.wait_for(30)
    finally:
        appending.stop()
    exactly_once(journal, appending)
    assert appending.codes <= {"journal_failed", "journal_unreachable"}


def test_a_server_that_was_only_restarted_costs_nobody_an_error(place, postgres_server, journal, monkeypatch):
    monkeypatch.setattr(pg_connection, "_PATIENCE_SECONDS", 20)
    journal.append(letters("a"))
    postgres_server.stop()
    postgres_server.start()
    assert journal.append(letters("b")) == range(2, 3)
    assert journal.last_offset() == 2


def test_a_server_that_is_gone_is_told_at_once_and_one_that_would_lose_events_too(place, postgres_server, journal):
    journal.append(letters("a"))
    postgres_server.stop()
    with pytest.raises(JournalError, match=f"schema {place.schema}.* cannot be reached") as raised:
        journal.append(letters("b"))
    assert code_of(raised) == "journal_unreachable"
    with suppress(JournalError):
        journal.last_offset()
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(JournalError):
            journal.last_offset()
    assert time.monotonic() - began < 1
    with pytest.raises(JournalError) as raised:
        place.open()
    assert code_of(raised) == "journal_unreachable"
    postgres_server.start("fsync=off")
    with pytest.raises(JournalError, match="fsync off") as raised:
        place.open()
    assert code_of(raised) == "journal_not_durable"
    postgres_server.stop()
    postgres_server.start()
    assert until_kept(journal, "c") <= {"journal_unreachable", "journal_not_durable"}
    assert bodies(until_read(journal)) == ["a", "c"]


def until_commits_wait(server):
    """The server acts on new settings a moment after it was told to; a wait is ended by cancelling it."""
    with psycopg.connect(server.dsn, autocommit=True) as link:
        for _ in range(200):
            end, began = threading.Timer(0.2, link.cancel), time.monotonic()
            end.start()
            link.execute("SELECT pg_logical_emit_message(true, 'test', 'written')")
            end.cancel()
            if time.monotonic() - began >= 0.2:
                return


def test_a_commit_whose_answer_never_came_is_an_error_and_may_have_succeeded(place, postgres_server, monkeypatch):
    journal = place.open().journal
    journal.append(letters("a"))
    monkeypatch.setattr(pg_journal, "_COMMIT_SECONDS", 1)
    monkeypatch.setattr(pg_connection, "_PATIENCE_SECONDS", 20)
    # The server has written the commit to its disk, and waits for a standby that does not exist.
    postgres_server.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    postgres_server.sql("SELECT pg_reload_conf()")
    until_commits_wait(postgres_server)
    try:
        futures = [journal.submit(letters(word)) for word in "bc"]
        for future in futures:
            with pytest.raises(JournalError, match=r"nobody knows .* same event_id") as raised:
                future.result(20)
            assert code_of(raised) == "journal_failed"
    finally:
        postgres_server.sql("ALTER SYSTEM RESET synchronous_standby_names")
        postgres_server.sql("SELECT pg_reload_conf()")
    until_kept(journal, "d")
    page = journal.read(0, 10)
    assert bodies(page)[0] == "a"
    assert bodies(page)[-1] == "d"
    assert "b" in bodies(page)
    assert [entry.offset for entry in page.entries] == list(range(1, page.through + 1))


def test_nobody_waits_longer_than_that_for_a_server_that_hangs(place, postgres_server, monkeypatch):
    journal = place.open().journal
    journal.append(letters("a"))
    monkeypatch.setattr(pg_journal, "_SHORT_SECONDS", 0.5)
    monkeypatch.setattr(pg_connection, "_PATIENCE_SECONDS", 20)
    pid = journal._reader._link.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(JournalError) as raised:
            journal.last_offset()
        assert code_of(raised) == "journal_failed"
        assert time.monotonic() - began < 5
        assert journal.read(0, 10).through == 1  # by another connection
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("state", "code"), [("53100", "disk_full"), ("XX001", "journal_damaged"), ("25006", "journal_failed")]
)
def test_what_the_server_refuses_is_told_and_the_next_append_tries_again(place, journal, state, code):
    journal.append(letters("a"))
    place.edit(f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN RAISE EXCEPTION ''no'' USING ERRCODE = ''{state}'', DETAIL = NEW.body; END';
        CREATE TRIGGER refuse BEFORE INSERT ON envelopes FOR EACH ROW EXECUTE FUNCTION refuse()""")
    with pytest.raises(JournalError, match="no") as raised:
        journal.append(letters("somebody"))
    assert code_of(raised) == code
    assert "somebody" not in str(raised.value)
    place.edit("DROP TRIGGER refuse ON envelopes")
    assert journal.append(letters("b")) == range(2, 3)


def test_a_schema_that_was_removed_while_in_use_is_noticed(place, journal):
    journal.append(letters("a"))
    place.edit(f"DROP SCHEMA {place.schema} CASCADE")
    with pytest.raises(JournalError) as raised:
        journal.append(letters("b"))
    assert code_of(raised) == "journal_lost"
    place.open()  # another journal in its place
    with pytest.raises(JournalError) as raised:
        journal.append(letters("b"))
    assert code_of(raised) == "journal_lost"


def test_a_ruined_page_of_the_table_costs_its_own_entries_and_no_others(place, postgres_server):
    expected = [f"{n}-" + "x" * 900 for n in range(40)]
    journal = place.open().journal
    journal.append(letters(*expected))
    ((path,),) = postgres_server.sql(f"SELECT pg_relation_filepath('{place.schema}.envelopes')")
    postgres_server.sql("CHECKPOINT")
    postgres_server.stop()
    with (postgres_server.data / str(path)).open("r+b") as file:
        file.seek(8192 + 4000)
        file.write(b"\xff" * 64)
    postgres_server.start()
    page = until_read(journal)
    assert page.through == 40
    assert set(bodies(page)) < set(expected)
    assert [fault.reason for fault in page.faults] == ["journal_damaged"] * len(page.faults)
    assert 1 <= len(page.faults) <= 9  # a page has eight of them
    assert len(page.entries) + len(page.faults) == 40


# --- another server goes on -------------------------------------------------------------------------------


def test_a_server_that_takes_over_gives_no_offset_out_again_that_the_database_has(place, postgres_server):
    journal = place.open().journal
    journal.append(letters(*"abcdef"))
    # A standby becomes the leading server; it did not get the last commits.
    place.edit('DELETE FROM envelopes WHERE "offset" > 3; UPDATE journal SET last_offset = 3')
    postgres_server.stop()
    (postgres_server.data / "standby.signal").touch()
    postgres_server.start()
    assert postgres_server.sql("SELECT pg_promote()") == [(True,)]
    codes = set()
    for _ in range(100):
        with pytest.raises(JournalError) as raised:
            journal.append(letters("g"))
        codes.add(code_of(raised))
        if code_of(raised) == "journal_moved":
            break
        time.sleep(0.1)
    assert "journal_moved" in codes
    journal.start_after(0)
    with pytest.raises(JournalError):
        journal.append(letters("g"))
    place.open(loads=True).journal.start_after(6)  # says who loads the journal, and has 6 in the database
    assert journal.append(letters("h")) == range(7, 8)
    assert everything(journal) == ["a", "b", "c", "h"]


# --- who may use it ---------------------------------------------------------------------------------------


def test_many_who_come_first_at_once_make_one_journal(place):
    ids, errors = [], []

    def come():
        try:
            ids.append(place.open().journal.id)
        except JournalError as exc:
            errors.append(exc)

    threads = [threading.Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(ids)) == 1


def test_one_at_a_time_loads_a_journal_and_the_other_is_told_who(place, monkeypatch):
    monkeypatch.setattr(pg_schema, "_LOADING_SECONDS", 0.2)
    first = place.open(loads=True)
    place.open().journal.append(letters("a"))  # appending is for everybody
    with pytest.raises(JournalError, match=f"regulars .* process {os.getpid()}") as raised:
        place.open(loads=True)
    assert code_of(raised) == "journal_in_use"
    monkeypatch.setattr(pg_schema, "_LOADING_SECONDS", 20)
    first.close()
    assert everything(place.open(loads=True).journal) == ["a"]


def test_a_role_that_may_use_the_tables_but_not_make_any_can_append(place, postgres_server):
    place.open()
    with suppress(psycopg.errors.DuplicateObject):
        postgres_server.sql("CREATE ROLE collecting LOGIN")
    place.edit(f"GRANT USAGE ON SCHEMA {place.schema} TO collecting; "
               f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA {place.schema} TO collecting")  # fmt: skip
    dsn = f"host={postgres_server.folder} user=collecting dbname=postgres"
    settings = JournalSettings(store="postgres", dsn=dsn, schema=place.schema)
    store = open_store(place.folder, settings)
    assert store.journal.append(letters("a")) == range(1, 2)
    store.close()
    with pytest.raises(JournalError, match="permission denied"):
        open_store(place.folder, JournalSettings(store="postgres", dsn=dsn, schema="another"))


def test_a_connection_that_does_not_wait_for_the_disk_is_refused(place, postgres_server):
    dsn = f"{postgres_server.dsn} options='-c synchronous_commit=off'"
    with pytest.raises(JournalError, match="ALTER ROLE regulars SET synchronous_commit = on") as raised:
        open_store(place.folder, JournalSettings(store="postgres", dsn=dsn, schema=place.schema))
    assert code_of(raised) == "journal_not_durable"


def test_settings_of_the_server_that_change_later_do_not_make_commits_less_durable(postgres_server, journal):
    postgres_server.sql("ALTER SYSTEM SET synchronous_commit = off")
    try:
        postgres_server.sql("SELECT pg_reload_conf()")
        while postgres_server.sql("SHOW synchronous_commit") != [("off",)]:
            time.sleep(0.02)
        journal.append(letters("a"))
        with journal._writer.use("look at", 5) as link:
            assert link.execute("SHOW synchronous_commit").fetchall() == [("on",)]
    finally:
        postgres_server.sql("ALTER SYSTEM RESET synchronous_commit")
        postgres_server.sql("SELECT pg_reload_conf()")


def test_a_table_of_somebody_else_is_left_alone(place, postgres_server):
    postgres_server.sql(f"CREATE SCHEMA {place.schema} CREATE TABLE journal (note text)")
    with pytest.raises(JournalError, match="name another schema") as raised:
        place.open()
    assert code_of(raised) == "journal_unknown"


# --- connection strings -----------------------------------------------------------------------------------


def opened_with(text, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_JOURNAL", text)
    settings = JournalSettings(store="postgres", dsn_env="SHOP_JOURNAL", schema="shop")
    assert "sesame" not in repr(settings)
    return open_store(tmp_path, settings)


def test_the_connection_string_may_come_from_the_environment(place, postgres_server, tmp_path, monkeypatch):
    opened_with(f"{postgres_server.dsn} password=sesame", tmp_path, monkeypatch).close()


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("", SettingsError, "dsn_missing"),
        ("host=localhost password=sesame oops", SettingsError, "bad_dsn"),
        ("postgresql://u:open@sesame@localhost/db", SettingsError, "bad_dsn"),
        ("postgresql://u:open:sesame/x@localhost:port/db", SettingsError, "bad_dsn"),
        ("host=/nowhere user=u password=sesame", JournalError, "journal_unreachable"),
        ("host=127.0.0.1 port=1 user=u password=sesame", JournalError, "journal_unreachable"),
    ],
)
def test_a_connection_string_that_does_not_work_is_told_without_its_password(tmp_path, monkeypatch, text, kind, code):
    with pytest.raises(kind) as raised:
        opened_with(text, tmp_path, monkeypatch)
    assert code_of(raised) == code
    shown, exc = [], raised.value
    while exc is not None:
        shown.append(str(exc))
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    assert "sesame" not in " ".join(shown)


def test_a_missing_driver_is_told_with_what_to_install(place, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(MODULES)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"regulars\[postgres\]"):
        place.open()


# --- from a file and back ---------------------------------------------------------------------------------


def file_of(folder, *words):
    store = SqliteStore(folder, disk_floor_mib=0)
    if words:
        store.journal.append(letters(*words))
    return store


def test_a_journal_file_moves_into_the_schema_with_everything_in_it(place):
    store = file_of(place.folder, *"abcde")
    store.journal.prune(3)
    create(store.keys, "write", "web", NOW)
    keys, journal_id = store.keys.all(), store.journal.id
    store._file._writer.execute("UPDATE envelopes SET body = 12 WHERE offset = 4")
    moved = place.open()
    assert not (place.folder / JOURNAL_NAME).exists()
    assert (moved.journal.id, moved.keys.all()) == (journal_id, keys)
    page = moved.journal.read(2, 10)
    assert bodies(page) == ["c", "e"]
    assert [(fault.first, fault.reason) for fault in page.faults] == [(4, "journal_damaged")]
    with pytest.raises(JournalError) as raised:
        store.journal.append(letters("too late"))
    assert code_of(raised) == "journal_lost"
    store.close()
    assert moved.journal.append(letters("f")) == range(6, 7)


def test_a_move_that_was_cut_short_is_finished_without_doubling_anything(place):
    file_of(place.folder, *"ab").close()
    before = (place.folder / JOURNAL_NAME).read_bytes()
    place.open().journal.append(letters("c"))
    place.close()
    (place.folder / JOURNAL_NAME).write_bytes(before)
    assert everything(place.open().journal) == ["a", "b", "c"]
    assert not (place.folder / JOURNAL_NAME).exists()


def test_a_file_that_is_ahead_of_the_schema_brings_what_it_has_more(place):
    file_of(place.folder, *"ab").close()
    early = (place.folder / JOURNAL_NAME).read_bytes()
    file_of(place.folder, "c").close()
    late = (place.folder / JOURNAL_NAME).read_bytes()
    for held in (early, late):
        (place.folder / JOURNAL_NAME).write_bytes(held)
        place.open()
        place.close()
    assert everything(place.open().journal) == ["a", "b", "c"]


def test_the_file_of_another_journal_is_refused_unless_it_is_empty(place):
    place.open().journal.append(letters("a"))
    place.close()
    file_of(place.folder, "b").close()
    with pytest.raises(JournalError, match="name another schema") as raised:
        place.open()
    assert code_of(raised) == "journal_differs"
    (place.folder / JOURNAL_NAME).unlink()
    file_of(place.folder).close()
    assert everything(place.open().journal) == ["a"]


def test_a_copy_is_a_journal_file_that_goes_on(place, tmp_path):
    store = place.open()
    store.journal.append(letters(*"abc"))
    store.journal.prune(2)
    create(store.keys, "read", "board", NOW)
    (tmp_path / "copy").mkdir()
    store.copy_to(tmp_path / "copy" / JOURNAL_NAME)
    assert [path.name for path in (tmp_path / "copy").iterdir()] == [JOURNAL_NAME]
    copy = file_of(tmp_path / "copy")
    assert (copy.journal.id, copy.keys.all()) == (store.journal.id, store.keys.all())
    assert bodies(copy.journal.read(1, 10)) == ["b", "c"]
    assert copy.journal.append(letters("d")) == range(4, 5)
    copy.close()


# --- forgetting -------------------------------------------------------------------------------------------


def held_by(server):
    server.sql("CHECKPOINT")
    return b"".join(path.read_bytes() for path in (server.data / "base").rglob("*") if path.is_file())


def test_forgotten_entries_cannot_be_read_from_the_tables_files_any_more(place, postgres_server, journal):
    canary = secrets.token_hex(8)  # other tests leave their own on this server
    journal.append(letters(f"{canary}-pruned", f"{canary}-forgotten", "other", canary + os.urandom(4000).hex()))
    journal.prune(2)
    held = held_by(postgres_server)
    assert f"{canary}-pruned".encode() in held
    assert f"{canary}-forgotten".encode() in held
    # Somebody who began before, and would keep removed rows alive.
    with psycopg.connect(postgres_server.dsn) as early:
        early.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        early.execute("SELECT count(*) FROM pg_class")
        journal.forget([2, 4])
        assert canary.encode() not in held_by(postgres_server)
    assert everything(journal)[-1:] == ["other"]
