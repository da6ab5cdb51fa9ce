"""The journal, wherever it is: what it acknowledged is there, in order, and what is damaged is found and said."""

import os
import threading
from datetime import timedelta
from functools import partial

import pytest

from regulars.errors import JournalError
from regulars.infrastructure.operational.commits import ENVELOPE_BYTES
from tests.infrastructure.journals import NOW, bodies, code_of, everything, letters


@pytest.fixture
def journal(place):
    return place.open().journal


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


def test_everything_is_still_there_after_closing_and_opening_again(place):
    first = place.open().journal
    first.append(letters("a", "b"))
    place.close()
    second = place.open().journal
    assert (second.id, everything(second)) == (first.id, ["a", "b"])
    assert second.append(letters("c")) == range(3, 4)


def test_offsets_are_not_used_again_after_everything_was_pruned(place):
    first = place.open().journal
    first.append(letters("a", "b"))
    first.prune(3)
    assert first.read(2, 10).entries == ()
    place.close()
    assert place.open().journal.append(letters("c")) == range(3, 4)


def test_pruning_goes_on_until_everything_before_the_offset_is_gone(journal, monkeypatch):
    for module in ("journal", "postgres.journal"):
        monkeypatch.setattr(f"regulars.infrastructure.operational.{module}._PRUNED_AT_ONCE", 2)
    journal.append(letters(*"abcdefg"))
    journal.prune(6)
    assert everything(journal) == ["f", "g"]
    assert journal.last_offset() == 7


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


def test_two_stores_append_to_one_journal_without_meeting(place):
    # Two stores differ from two processes only in that the locks of SQLite are shared.
    one, two = place.open().journal, place.open().journal
    threads = [threading.Thread(target=lambda j=j: [j.append(letters("x")) for _ in range(20)]) for j in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.last_offset() == two.last_offset() == 40
    page = one.read(0, 100)
    assert [entry.offset for entry in page.entries] == list(range(1, 41))
    assert page.faults == ()


def test_a_flipped_bit_is_found_and_the_entries_around_it_are_read(place):
    place.open().journal.append(letters("a", "b", "c"))
    place.close()
    for statement in place.damage(2):
        place.edit(statement)
        page = place.open().journal.read(0, 10)
        place.close()
        assert bodies(page) == ["a", "c"]
        assert [(fault.first, fault.last, fault.reason) for fault in page.faults] == [(2, 2, "journal_damaged")]
        assert page.through == 3


def test_lost_rows_are_reported_wherever_they_stood(place):
    place.open().journal.append(letters(*"abcdef"))
    place.close()
    place.edit('DELETE FROM envelopes WHERE "offset" IN (1, 3, 4, 6)')
    page = place.open().journal.read(0, 10)
    assert bodies(page) == ["b", "e"]
    assert [(fault.first, fault.last, fault.count) for fault in page.faults] == [(1, 1, 1), (3, 4, 2), (6, 6, 1)]
    assert {fault.reason for fault in page.faults} == {"journal_missing"}


def test_a_number_that_was_set_back_gives_no_offset_out_again(place):
    place.open().journal.append(letters("a", "b"))
    place.close()
    place.edit("UPDATE journal SET last_offset = 0")
    journal = place.open().journal
    assert journal.last_offset() == 2
    assert journal.append(letters("c")) == range(3, 4)


def test_more_than_may_wait_is_refused_and_what_was_queued_is_kept(place):
    journal = place.open(memory_mib=1).journal
    go = threading.Event()
    keep = journal._commits._commit
    journal._commits._commit = lambda envelopes: go.wait(10) and keep(envelopes)
    journal.check()
    futures = [journal.submit(letters("x" * 400_000)) for _ in range(2)]
    journal.check()
    with pytest.raises(JournalError, match="memory_mib") as raised:
        journal.submit(letters("y" * 400_000))
    assert code_of(raised) == "journal_full"
    futures.append(journal.submit(letters("z" * ((1 << 20) - 800_000 - 3 * ENVELOPE_BYTES))))
    with pytest.raises(JournalError) as raised:  # not even the smallest one has room
        journal.check()
    assert code_of(raised) == "journal_full"
    go.set()
    assert [future.result(10) for future in futures] == [range(1, 2), range(2, 3), range(3, 4)]
    assert journal.append(letters("y" * 400_000)) == range(4, 5)


def test_a_failed_commit_tells_every_caller_and_the_next_one_succeeds(place, journal):
    place.refuse()
    with pytest.raises(JournalError, match="no") as raised:
        journal.append(letters("a"))
    assert code_of(raised) == "journal_failed"
    assert journal.last_offset() == 0
    place.allow()
    assert journal.append(letters("b")) == range(1, 2)


def test_a_failure_nobody_thought_of_reaches_every_caller_as_an_error_of_ours(journal):
    journal._commits._commit = lambda _: 1 // 0
    futures = [journal.submit(letters("a")) for _ in range(3)]
    for future in futures:
        with pytest.raises(JournalError, match="division"):
            future.result(10)


def test_a_page_has_a_bound_in_bytes_and_the_next_one_goes_on(journal, monkeypatch):
    monkeypatch.setattr("regulars.infrastructure.operational.rows.PAGE_BYTES", 10)
    journal.append(letters(*["x" * 4] * 7))
    after, sizes = 0, []
    while (page := journal.read(after, 100)).through > after:
        after = page.through
        sizes.append(len(page.entries))
        assert page.faults == ()
    assert (sum(sizes), after, max(sizes)) == (7, 7, 3)


def test_a_closed_journal_says_so(place, journal):
    place.close()
    for call in (partial(journal.append, letters("a")), journal.check):
        with pytest.raises(JournalError) as raised:
            call()
        assert code_of(raised) == "journal_closed"


def test_a_fork_of_the_process_is_refused(place, journal):
    held = journal._file if hasattr(journal, "_file") else journal._writer
    held._process = os.getpid() + 1
    try:
        with pytest.raises(JournalError) as raised:
            journal.append(letters("a"))
        assert code_of(raised) == "journal_forked"
    finally:
        held._process = os.getpid()


def test_a_journal_of_another_format_is_refused(place):
    place.open()
    place.close()
    place.age()
    with pytest.raises(JournalError, match="format 99") as raised:
        place.open()
    assert code_of(raised) == "journal_unknown"


def test_forgotten_entries_are_gone_and_everything_else_stays(journal):
    journal.append(letters("canary-1", "other", "bird", "canary-2", "canary-3"))
    journal.forget([1, 3, 4])
    assert everything(journal) == ["other", "canary-3"]
    journal.forget([])
    journal.forget([1, 77])
    assert everything(journal) == ["other", "canary-3"]
    assert journal.last_offset() == 5
    assert journal.append(letters("next")) == range(6, 7)


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
