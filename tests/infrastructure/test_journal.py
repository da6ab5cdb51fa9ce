"""The journal: what it acknowledged is there, in order, and what is damaged is found and said."""

import os
import sqlite3
import threading
from datetime import datetime, timedelta

import pytest

from regulars.application.ports import Envelope
from regulars.errors import JournalError
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME, SqliteStore

NOW = datetime(2026, 1, 5, 9)


@pytest.fixture
def journal(tmp_path):
    store = SqliteStore(tmp_path, disk_floor_mib=0)
    yield store.journal
    store.close()


def letters(*bodies, received_at=NOW):
    return [Envelope(body.encode(), received_at) for body in bodies]


def bodies(page):
    return [entry.body.decode() for entry in page.entries]


def reopened(tmp_path):
    return SqliteStore(tmp_path, disk_floor_mib=0).journal


def edit(tmp_path, statement, *values):
    with sqlite3.connect(tmp_path / JOURNAL_NAME) as connection:
        connection.execute(statement, values)
    connection.close()


def code_of(raised):
    return raised.value.code


def test_offsets_count_up_from_one_without_gaps(journal):
    assert journal.append(letters("a", "b")) == range(1, 3)
    assert journal.append(letters("c")) == range(3, 4)
    assert journal.last_offset() == 3


def test_what_was_appended_is_read_back_in_order_with_its_time(journal):
    journal.append(letters("a", "b", received_at=NOW))
    journal.append(letters("c", received_at=NOW + timedelta(microseconds=1)))
    page = journal.read(0, 10)
    assert bodies(page) == ["a", "b", "c"]
    assert [entry.offset for entry in page.entries] == [1, 2, 3]
    assert page.entries[2].received_at == NOW + timedelta(microseconds=1)
    assert (page.faults, page.through) == ((), 3)


def test_reading_goes_on_behind_an_offset_and_stops_at_the_limit(journal):
    journal.append(letters(*"abcde"))
    page = journal.read(1, 2)
    assert (bodies(page), page.through) == (["b", "c"], 3)
    assert journal.read(5, 10).through == 5


def test_everything_is_still_there_after_closing_and_opening_again(tmp_path):
    first = reopened(tmp_path)
    first.append(letters("a", "b"))
    name = first.id
    first.close()
    second = reopened(tmp_path)
    assert (second.id, bodies(second.read(0, 10))) == (name, ["a", "b"])
    assert second.append(letters("c")) == range(3, 4)
    second.close()


def test_offsets_are_not_used_again_after_everything_was_pruned(tmp_path):
    first = reopened(tmp_path)
    first.append(letters("a", "b"))
    first.prune(3)
    assert first.read(2, 10).entries == ()
    first.close()
    second = reopened(tmp_path)
    assert second.append(letters("c")) == range(3, 4)
    second.close()


def test_threads_share_commits_and_each_gets_the_offsets_of_its_own(journal):
    got, commits = {}, []
    keep = journal._commits._commit
    journal._commits._commit = lambda envelopes: commits.append(len(envelopes)) or keep(envelopes)

    def produce(name):
        for n in range(25):
            (offset,) = journal.append(letters(f"{name}-{n}"))
            got[f"{name}-{n}"] = offset

    threads = [threading.Thread(target=produce, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = journal.read(0, 1000)
    assert {entry.body.decode(): entry.offset for entry in page.entries} == got
    assert sorted(got.values()) == list(range(1, 201))
    assert len(commits) < 200


def test_two_processes_append_to_one_file_without_meeting(tmp_path):
    # Two stores on one file differ from two processes only in that the locks of SQLite are shared.
    one, two = reopened(tmp_path), reopened(tmp_path)
    threads = [threading.Thread(target=lambda j=j: [j.append(letters("x")) for _ in range(20)]) for j in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.last_offset() == two.last_offset() == 40
    assert len(one.read(0, 100).entries) == 40
    one.close()
    two.close()


def test_a_flipped_bit_is_found_and_the_entries_around_it_are_read(tmp_path):
    first = reopened(tmp_path)
    first.append(letters("a", "b", "c"))
    first.close()
    for column, value in (("body", b"B"), ("received_us", 5), ("crc", 7), ("body", None)):
        if value is None:
            edit(tmp_path, "UPDATE envelopes SET body = 12 WHERE offset = 2")
        else:
            edit(tmp_path, f"UPDATE envelopes SET {column} = ? WHERE offset = 2", value)
        journal = reopened(tmp_path)
        page = journal.read(0, 10)
        journal.close()
        assert bodies(page) == ["a", "c"]
        assert [(fault.first, fault.last, fault.reason) for fault in page.faults] == [(2, 2, "journal_damaged")]
        assert page.through == 3


def test_lost_rows_are_reported_wherever_they_stood(tmp_path):
    first = reopened(tmp_path)
    first.append(letters(*"abcdef"))
    first.close()
    edit(tmp_path, "DELETE FROM envelopes WHERE offset IN (1, 3, 4, 6)")
    journal = reopened(tmp_path)
    page = journal.read(0, 10)
    journal.close()
    assert bodies(page) == ["b", "e"]
    assert [(fault.first, fault.last, fault.count) for fault in page.faults] == [(1, 1, 1), (3, 4, 2), (6, 6, 1)]
    assert {fault.reason for fault in page.faults} == {"journal_missing"}


def test_any_flipped_byte_of_the_file_is_refused_at_opening_or_reported_as_a_fault(tmp_path):
    first = reopened(tmp_path)
    first.append(letters(*[f"{n}-" + "x" * 900 for n in range(40)]))
    first.close()
    whole = (tmp_path / JOURNAL_NAME).read_bytes()
    expected = [f"{n}-" + "x" * 900 for n in range(40)]
    silent = 0
    for place in range(0, len(whole), len(whole) // 60):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        folder = tmp_path / f"at{place}"
        folder.mkdir()
        (folder / JOURNAL_NAME).write_bytes(flipped)
        try:
            journal = reopened(folder)
        except JournalError:
            continue
        try:
            page = journal.read(0, 100)
        except JournalError:
            continue
        finally:
            journal.close()
        lost = sum(fault.count for fault in page.faults)
        assert set(bodies(page)) <= set(expected)
        if len(page.entries) + lost < 40:
            silent += 1
    assert silent == 0


def test_a_ruined_page_of_the_file_costs_its_own_entries_and_no_others(tmp_path):
    expected = [f"{n}-" + "x" * 900 for n in range(40)]
    first = reopened(tmp_path)
    first.append(letters(*expected))
    first.close()
    whole = (tmp_path / JOURNAL_NAME).read_bytes()
    saved = []
    for page_number in range(4, len(whole) // 4096):
        folder = tmp_path / f"page{page_number}"
        folder.mkdir()
        begin = page_number * 4096
        (folder / JOURNAL_NAME).write_bytes(whole[:begin] + b"\xff" * 64 + whole[begin + 64 :])
        journal = reopened(folder)
        try:
            page = journal.read(0, 100)
        except JournalError:  # the page that leads to all others
            continue
        finally:
            journal.close()
        assert len(page.entries) + sum(fault.count for fault in page.faults) == 40
        assert set(bodies(page)) <= set(expected)
        saved.append(len(page.entries))
    assert len(saved) > 5
    assert sorted(saved)[len(saved) // 2] >= 35


def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path):
    (tmp_path / JOURNAL_NAME).write_bytes(b"hello " * 1000)
    with pytest.raises(JournalError, match=r"is damaged .*move it .* away") as raised:
        reopened(tmp_path)
    assert code_of(raised) == "journal_damaged"


def test_a_journal_of_another_format_is_refused(tmp_path):
    reopened(tmp_path).close()
    edit(tmp_path, "PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="format 99") as raised:
        reopened(tmp_path)
    assert code_of(raised) == "journal_unknown"


def test_more_than_may_wait_is_refused_and_what_was_queued_is_kept(tmp_path):
    store = SqliteStore(tmp_path, memory_mib=1, disk_floor_mib=0)
    journal = store.journal
    go = threading.Event()
    keep = journal._commits._commit
    journal._commits._commit = lambda envelopes: go.wait(10) and keep(envelopes)
    futures = [journal.submit(letters("x" * 400_000)) for _ in range(2)]
    with pytest.raises(JournalError, match="memory_mib") as raised:
        journal.submit(letters("y" * 400_000))
    assert code_of(raised) == "journal_full"
    go.set()
    assert [future.result(10) for future in futures] == [range(1, 2), range(2, 3)]
    assert journal.append(letters("y" * 400_000)) == range(3, 4)
    store.close()


def test_a_disk_without_room_refuses_and_goes_on_when_there_is_some(tmp_path):
    store = SqliteStore(tmp_path, disk_floor_mib=1 << 40)
    with pytest.raises(JournalError, match="disk_floor_mib") as raised:
        store.journal.append(letters("a"))
    assert code_of(raised) == "disk_full"
    store._file._floor = 0
    assert store.journal.append(letters("b")) == range(1, 2)
    store.close()


def test_a_failed_commit_tells_every_caller_and_the_next_one_succeeds(journal):
    writer = journal._file._writer
    writer.execute("CREATE TRIGGER refuse BEFORE INSERT ON envelopes BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(JournalError, match="no") as raised:
        journal.append(letters("a"))
    assert code_of(raised) == "journal_failed"
    assert journal.last_offset() == 0
    journal._file._reader.rollback()
    sqlite3.connect(journal._file.path).execute("DROP TRIGGER refuse").connection.close()
    assert journal.append(letters("b")) == range(1, 2)


def test_every_commit_is_written_through_to_the_disk_also_after_a_failure(journal):
    def settings():
        pragmas = ("journal_mode", "synchronous", "fullfsync", "secure_delete")
        return [journal._file._writer.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]

    through = ["wal", 2, 1, 1]  # 2 is FULL
    assert settings() == through
    journal._file._doubtful = True
    journal.append(letters("a"))
    assert settings() == through


class Faulty:
    """A connection on which one statement fails once, before or after SQLite has done it."""

    def __init__(self, connection, statement, *, afterwards, error):
        self.connection, self.statement = connection, statement
        self.afterwards, self.error = afterwards, error

    def execute(self, text, *values):
        if text.startswith(self.statement):
            if self.afterwards:
                self.connection.execute(text, *values)
            raise self.error
        return self.connection.execute(text, *values)

    def __getattr__(self, name):
        return getattr(self.connection, name)


def fault(message, code):
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("afterwards", [False, True])
@pytest.mark.parametrize("statement", ["BEGIN", "SELECT", "UPDATE", "COMMIT"])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (fault("disk I/O error", sqlite3.SQLITE_IOERR), "journal_failed"),
        (fault("database or disk is full", sqlite3.SQLITE_FULL), "disk_full"),
        (fault("database disk image is malformed", sqlite3.SQLITE_CORRUPT), "journal_damaged"),
        (OSError(5, "Input/output error"), "journal_failed"),
    ],
    ids=["io", "full", "corrupt", "system"],
)
def test_whatever_fails_is_said_and_the_next_commit_begins_on_a_clean_log(journal, statement, afterwards, error, code):
    journal.append(letters("a"))
    file = journal._file
    file._writer = Faulty(file._writer, statement, afterwards=afterwards, error=error)
    with pytest.raises(JournalError) as raised:
        journal.append(letters("b"))
    assert code_of(raised) == code
    offsets = journal.append(letters("c"))
    page = journal.read(0, 10)
    # What failed after it was durable may be there, whole; nothing else may.
    assert (
        bodies(page) in (["a", "c"], ["a", "b", "c"])
        if statement == "COMMIT" and afterwards
        else bodies(page) == ["a", "c"]
    )
    assert [entry.offset for entry in page.entries][-1] == offsets[0]
    assert page.faults == ()


def test_a_log_that_cannot_be_cleaned_keeps_the_journal_shut(journal):
    journal.append(letters("a"))
    file = journal._file
    error = fault("disk I/O error", sqlite3.SQLITE_IOERR)
    file._writer = Faulty(file._writer, "COMMIT", afterwards=False, error=error)
    connect = file._connect_writer
    file._connect_writer = lambda: Faulty(connect(), "PRAGMA wal_checkpoint", afterwards=False, error=error)
    for _ in range(3):
        with pytest.raises(JournalError):
            journal.append(letters("b"))
    file._connect_writer = connect
    assert journal.append(letters("c")) == range(2, 3)
    assert bodies(journal.read(0, 10)) == ["a", "c"]


def test_a_failure_nobody_thought_of_reaches_every_caller_as_an_error_of_ours(journal):
    journal._commits._commit = lambda _: 1 // 0
    futures = [journal.submit(letters("a")) for _ in range(3)]
    for future in futures:
        with pytest.raises(JournalError, match="division"):
            future.result(10)


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    with pytest.raises(JournalError, match="could not open"):
        reopened(tmp_path / "nowhere")


def test_a_page_has_a_bound_in_bytes_and_the_next_one_goes_on(journal, monkeypatch):
    monkeypatch.setattr("regulars.infrastructure.operational.journal._PAGE_BYTES", 10)
    journal.append(letters(*["x" * 4] * 7))
    after, sizes = 0, []
    while (page := journal.read(after, 100)).through > after:
        after = page.through
        sizes.append(len(page.entries))
        assert page.faults == ()
    assert (sum(sizes), after, max(sizes)) == (7, 7, 3)


def test_a_file_that_was_replaced_while_in_use_is_noticed(tmp_path, journal):
    journal.append(letters("a"))
    (tmp_path / JOURNAL_NAME).rename(tmp_path / "elsewhere")
    with pytest.raises(JournalError) as raised:
        journal.append(letters("b"))
    assert code_of(raised) == "journal_lost"


def test_a_closed_journal_says_so(tmp_path):
    journal = reopened(tmp_path)
    journal.close()
    with pytest.raises(JournalError) as raised:
        journal.append(letters("a"))
    assert code_of(raised) == "journal_closed"


def test_a_fork_of_the_process_is_refused(journal):
    journal._file._process = os.getpid() + 1
    try:
        with pytest.raises(JournalError) as raised:
            journal.append(letters("a"))
        assert code_of(raised) == "journal_forked"
    finally:
        journal._file._process = os.getpid()


def test_numbering_can_be_told_to_begin_later_but_never_earlier(journal):
    journal.start_after(100)
    assert journal.append(letters("a")) == range(101, 102)
    journal.start_after(50)
    assert journal.append(letters("b")) == range(102, 103)


def test_the_first_entry_received_since_a_moment_is_found(journal):
    for hour in (1, 2, 3):
        journal.append(letters("a", received_at=NOW + timedelta(hours=hour)))
    assert journal.received_since(NOW + timedelta(hours=2)) == 2
    assert journal.received_since(NOW + timedelta(hours=9)) == 4


def test_forgotten_entries_cannot_be_read_from_the_files_any_more(tmp_path, journal):
    journal.append(letters("canary-1", "other", "canary-2"))
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary-1" in held
    journal.forget([1])
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary-1" not in held
    assert b"canary-2" in held
    assert journal.last_offset() == 3
