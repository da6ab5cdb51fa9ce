"""The journal in a file of SQLite: damage to the file, a full disk, a log that cannot be trusted."""

import sqlite3

import pytest

from regulars.errors import JournalError
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME, SqliteStore
from tests.infrastructure.journals import bodies, code_of, letters


@pytest.fixture
def journal(tmp_path):
    store = SqliteStore(tmp_path, disk_floor_mib=0)
    yield store.journal
    store.close()


def reopened(tmp_path):
    return SqliteStore(tmp_path, disk_floor_mib=0).journal


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


def test_a_disk_without_room_refuses_and_goes_on_when_there_is_some(tmp_path):
    store = SqliteStore(tmp_path, disk_floor_mib=1 << 40)
    with pytest.raises(JournalError, match="disk_floor_mib") as raised:
        store.journal.append(letters("a"))
    assert code_of(raised) == "disk_full"
    store._file._floor = 0
    assert store.journal.append(letters("b")) == range(1, 2)
    store.close()


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


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    with pytest.raises(JournalError, match="could not open"):
        reopened(tmp_path / "nowhere")


def test_a_file_that_was_replaced_while_in_use_is_noticed(tmp_path, journal):
    journal.append(letters("a"))
    (tmp_path / JOURNAL_NAME).rename(tmp_path / "elsewhere")
    with pytest.raises(JournalError) as raised:
        journal.append(letters("b"))
    assert code_of(raised) == "journal_lost"


def test_forgotten_entries_cannot_be_read_from_the_files_any_more(tmp_path, journal):
    journal.append(letters("canary-1", "other", "canary-2"))
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary-1" in held
    journal.forget([1])
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary-1" not in held
    assert b"canary-2" in held
    assert journal.last_offset() == 3
