"""Files that were cut or changed: refused, or made whole again from the journal; never silently less."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.errors import EngineError, JournalError
from regulars.infrastructure.files import DATABASE_NAME
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME, SqliteStore
from tests.application.test_refresh import derived
from tests.faults.oracle import Ledger, settle
from tests.faults.victims import REFUSED
from tests.interfaces.cli import one_line, spawn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.conftest import Scale
    from tests.faults.faults import Workshop

    Tell = Callable[[str, object], None]

LOG_NAME = f"{DATABASE_NAME}.wal"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, workshop: Workshop) -> tuple[Path, Ledger]:
    """A workspace whose database has several loads in its log only, and what had been acknowledged."""
    folder, ledger = regulars.init(tmp_path_factory.mktemp("killed") / "shop"), Ledger()
    ledger.kept(set(workshop.do("append", folder, first=0, batches=1, size=30).words("kept")))
    assert workshop.do("drain", folder).code == 0
    ledger.kept(set(workshop.do("append", folder, first=1, batches=4, size=30).words("kept")))
    assert workshop.do("load_and_die", folder, at_once=30).code == -9
    assert (folder / LOG_NAME).stat().st_size > 1000
    return folder, ledger


def damaged(folder: Path, target: Path, name: str, content: bytes | None) -> Path:
    """A copy in which one file has another content, or is gone."""
    shutil.copytree(folder, target)
    if content is None:
        (target / name).unlink()
    else:
        (target / name).write_bytes(content)
    return target


def flipped(content: bytes, place: int, bit: int = 4) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed)


def test_a_log_that_was_cut_is_made_up_for_by_the_journal(
    killed: tuple[Path, Ledger], tmp_path: Path, scale: Scale, record_property: Tell
) -> None:
    """Whatever is left of it, empty or gone: the database says how far it came, and the journal has the rest."""
    folder, ledger = killed
    log = (folder / LOG_NAME).read_bytes()
    cuts = [len(log) * n // (scale.damages // 2) for n in range(scale.damages // 2)]
    for content in [None, *(log[:length] for length in cuts), log + bytes(100)]:
        again = damaged(folder, tmp_path / "cut", LOG_NAME, content)
        assert settle(again, ledger, anew=content is None).loaded == 150
        shutil.rmtree(again)
    record_property("places", len(cuts) + 2)


def test_a_changed_log_is_refused_or_made_up_for(
    killed: tuple[Path, Ledger], tmp_path: Path, workshop: Workshop, scale: Scale, record_property: Tell
) -> None:
    """A changed length looks like the end of the log: fewer loads than there were; the journal has them."""
    folder, ledger = killed
    log, chance, refused = (folder / LOG_NAME).read_bytes(), random.Random(scale.seed), 0
    places = [*range(0, 32, 32 // scale.damages or 1), *(chance.randrange(len(log)) for _ in range(scale.damages))]
    for place in places:
        again = damaged(folder, tmp_path / "changed", LOG_NAME, flipped(log, place, chance.randrange(8)))
        outcome = workshop.do("drain", again)
        assert outcome.code in {0, REFUSED}, (place, outcome)
        if outcome.code == 0:
            settle(again, ledger, anew=False)
        else:
            # Without its log the database is older, and the journal has what is missing: the test above.
            assert "error engine_failed DuckDB could not open the database" in outcome.said
            refused += 1
        shutil.rmtree(again)
    record_property("places", len(places))
    record_property("refused", refused)


def test_a_changed_database_is_refused_or_tells_the_truth(
    killed: tuple[Path, Ledger], tmp_path: Path, workshop: Workshop, scale: Scale, record_property: Tell
) -> None:
    """In a process of its own, for it may not crash either."""
    folder, ledger = damaged(killed[0], tmp_path / "whole", "server.lock", b""), killed[1]
    settle(folder, ledger, anew=False)
    truth = workshop.do("read", folder).said
    content, chance, refused = (folder / DATABASE_NAME).read_bytes(), random.Random(scale.seed), 0
    places = [3, 12, 4096 + 8, 2 * 4096 + 8, *(chance.randrange(3 * 4096, len(content)) for _ in range(scale.damages))]
    for place in places:
        again = damaged(folder, tmp_path / "changed", DATABASE_NAME, flipped(content, place, chance.randrange(8)))
        outcome = workshop.do("read", again)
        assert outcome.code in {0, REFUSED}, (place, outcome)
        if outcome.code == 0:
            assert outcome.said == truth, place
        refused += outcome.code == REFUSED
        shutil.rmtree(again)
    assert refused > 0
    record_property("places", len(places))
    record_property("refused", refused)


@pytest.mark.parametrize("content", [b"hello " * 5000, bytes(20_000), b"short"], ids=["text", "zeros", "short"])
def test_a_file_that_is_no_database_is_refused_in_one_line(
    killed: tuple[Path, Ledger], tmp_path: Path, content: bytes
) -> None:
    again = damaged(killed[0], tmp_path / "shop", DATABASE_NAME, content)
    (again / LOG_NAME).unlink()
    with pytest.raises(EngineError, match="could not open the database"):
        regulars.open(again)
    if content == b"short":
        done = spawn("doctor", "-w", again)
        assert done.code == 1
        assert "could not open the database" in done.out
        done = spawn("metric", "dau", "-w", again)
        assert done.code == 3
        assert one_line(done.err)


def test_a_cut_journal_has_whole_batches_up_to_the_cut(tmp_path: Path, workshop: Workshop, scale: Scale) -> None:
    """Its log ends somewhere: what was appended before is there, in order, and nothing else."""
    folder = tmp_path / "shop"
    folder.mkdir()
    store = SqliteStore(folder, disk_floor_mib=0)
    said = workshop.do("append", folder, first=0, batches=12, size=4)
    log, database = (folder / f"{JOURNAL_NAME}-wal").read_bytes(), (folder / JOURNAL_NAME).read_bytes()
    store.close()
    assert len(log) > 30_000
    lengths = set()
    for cut in range(0, len(log) + 1, len(log) // (4 * scale.damages)):
        again = tmp_path / f"cut-{cut}"
        again.mkdir()
        (again / JOURNAL_NAME).write_bytes(database)
        (again / f"{JOURNAL_NAME}-wal").write_bytes(log[:cut])
        try:
            opened = SqliteStore(again, disk_floor_mib=0)
        except JournalError:
            continue
        page = opened.journal.read(0, 1000)
        opened.close()
        names = [entry.body.split(b'"')[3].decode() for entry in page.entries]
        assert names == said.words("kept")[: len(names)]
        assert len(names) % 4 == 0
        assert page.faults == ()
        lengths.add(len(names))
    assert len(lengths) > 6  # of the twelve batches, and none


def test_a_database_older_than_the_journal_catches_up(
    killed: tuple[Path, Ledger], tmp_path: Path, workshop: Workshop
) -> None:
    """An older copy of the database alone: nothing is missing, nothing is there twice, numbers are the same."""
    folder, ledger = killed
    older = shutil.copytree(folder, tmp_path / "older")
    (older / LOG_NAME).unlink()
    newer = shutil.copytree(folder, tmp_path / "newer")
    assert settle(older, ledger).loaded == settle(newer, ledger, anew=False).loaded == 150
    with regulars.open(older) as one, regulars.open(newer) as other:
        assert derived(one) == derived(other)
    assert workshop.do("drain", older).said == "audit True 0\n"
