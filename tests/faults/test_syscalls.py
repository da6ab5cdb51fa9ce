"""Every kind of system call that changes files fails, once and from then on, or the process dies at it.

The journal, the load and the checkpoint are met one fault after the other in one workspace, so that what a fault left
behind is what the next one finds. Upgrades, copies and erasures begin from the same files each time.
"""

from __future__ import annotations

import itertools
import random
import shutil
from typing import TYPE_CHECKING

import pytest

import regulars
from tests.application.test_refresh import derived
from tests.faults.faults import Workshop, points
from tests.faults.oracle import Ledger, settle
from tests.faults.victims import REFUSED, event
from tests.infrastructure.older import QUESTION, older_workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.conftest import Scale
    from tests.faults.faults import Fault, Outcome

    Tell = Callable[[str, object], None]

KILLED = -9


def shop_in(folder: Path) -> Path:
    """A workspace whose database does everything in one thread, so that calls can be counted."""
    regulars.init(folder)
    with (folder / "regulars.toml").open("a") as file:
        file.write("[engine]\nthreads = 1\n[journal]\ndisk_floor_mib = 0\n")
    return folder


def note(ledger: Ledger, outcome: Outcome) -> None:
    """Write down what an appending process was told."""
    ledger.doubted(set(outcome.words("trying")))
    ledger.kept(set(outcome.words("kept")))


def faults_in(look: Outcome, scale: Scale, share: int) -> list[Fault]:
    """What may happen to a work that was looked at; in a short run every so many-th of it."""
    found = points(look.calls, scale.each, random.Random(scale.seed))
    return found if scale.each > 1 else found[::share]


def ended_well(outcome: Outcome) -> bool:
    """Done, killed, or refused with an error of ours; anything else is a crash."""
    return outcome.code in {0, KILLED, REFUSED} and "traceback" not in outcome.said


def tell(record: Tell, workshop: Workshop, outcomes: list[Outcome]) -> None:
    """How much was tried, and by which means."""
    record("faults", len(outcomes))
    record("met", sum(outcome.fired for outcome in outcomes))
    record("killed", sum(outcome.code == KILLED for outcome in outcomes))
    record("means", workshop.means)


def test_the_journal_keeps_what_it_acknowledged(
    tmp_path: Path, workshop: Workshop, scale: Scale, record_property: Tell
) -> None:
    folder, ledger, outcomes = shop_in(tmp_path / "shop"), Ledger(), []
    look = workshop.do("append", folder, look=True, first=0, batches=4)
    note(ledger, look)
    for number, fault in enumerate(points(look.calls, 3 * scale.each, random.Random(scale.seed)), start=1):
        outcome = workshop.do("append", folder, fault, first=4 * number, batches=4)
        assert ended_well(outcome), (fault, outcome)
        note(ledger, outcome)
        outcomes.append(outcome)
    tell(record_property, workshop, outcomes)
    assert sum(outcome.fired for outcome in outcomes) >= len(outcomes) // 2
    assert settle(folder, ledger).loaded >= len(ledger.acknowledged) > 100


def test_loads_and_checkpoints_lose_and_double_nothing(
    tmp_path: Path, workshop: Workshop, scale: Scale, record_property: Tell
) -> None:
    folder, ledger, outcomes = shop_in(tmp_path / "shop"), Ledger(), []
    note(ledger, workshop.do("append", folder, first=0, batches=4))
    workshop.do("drain", folder)
    note(ledger, workshop.do("append", folder, first=4, batches=4))
    look = workshop.do("drain", folder, look=True)
    for number, fault in enumerate(points(look.calls, scale.each, random.Random(scale.seed)), start=8):
        note(ledger, workshop.do("append", folder, first=number, batches=1, size=5))
        outcome = workshop.do("drain", folder, fault)
        assert ended_well(outcome), (fault, outcome)
        assert "audit False" not in outcome.said
        outcomes.append(outcome)
    tell(record_property, workshop, outcomes)
    assert sum(outcome.fired for outcome in outcomes) >= len(outcomes) // 2
    settle(folder, ledger)


def test_a_drain_may_be_killed_at_every_statement(
    tmp_path: Path, workshop: Workshop, scale: Scale, record_property: Tell
) -> None:
    """From the reading of the entries over the refresh to the commit, while more and more waits."""
    folder, ledger, kills = shop_in(tmp_path / "shop"), Ledger(), 0
    note(ledger, workshop.do("append", folder, first=0, batches=2))
    workshop.do("drain", folder)
    last = 1
    while workshop.do("drain", folder, statement=last).code == KILLED or last == 1:
        note(ledger, workshop.do("append", folder, first=1000 + last, batches=1, size=3))
        last += 20
    for number in itertools.islice(itertools.cycle(range(1, last, 3 if last > 3 else 1)), scale.statement_kills):
        note(ledger, workshop.do("append", folder, first=2000 + kills, batches=1, size=3))
        outcome = workshop.do("drain", folder, statement=number)
        assert ended_well(outcome), outcome
        kills += outcome.code == KILLED
    record_property("kills", kills)
    assert kills >= scale.statement_kills * 2 // 3
    settle(folder, ledger)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that an older version made."""
    folder = older_workspace(tmp_path_factory.mktemp("older") / "shop")
    with (folder / "regulars.toml").open("a") as file:
        file.write("[engine]\nthreads = 1\n")
    return folder


def test_an_upgrade_is_done_or_not_begun_and_is_finished_by_the_next_start(
    tmp_path: Path, older: Path, workshop: Workshop, scale: Scale, record_property: Tell
) -> None:
    look = workshop.do("drain", copy(older, tmp_path / "look"), look=True)
    with regulars.open(tmp_path / "look") as whole:
        expected, schema = whole.active_users(**QUESTION).rows, schema_of(whole)
    outcomes = []
    for number, fault in enumerate(faults_in(look, scale, 3)):
        folder = copy(older, tmp_path / f"{number}")
        outcome = workshop.do("drain", folder, fault)
        assert ended_well(outcome), (fault, outcome)
        with regulars.open(folder) as ws:
            assert ws.active_users(**QUESTION).rows == expected, fault
            assert schema_of(ws) == schema, fault
        outcomes.append(outcome)
        shutil.rmtree(folder)
    tell(record_property, workshop, outcomes)


def schema_of(ws: regulars.Workspace) -> list[tuple[object, ...]]:
    """Every column of every table and view, and what tells the version."""
    columns = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
    return (
        ws.engine.query(columns).rows + ws.engine.query("SELECT value FROM workspace_state WHERE name = 'schema'").rows
    )


def copy(source: Path, target: Path) -> Path:
    """Another one like it."""
    shutil.copytree(source, target)
    return target


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, workshop: Workshop) -> Path:
    """A workspace with some history, more of it in the journal only."""
    folder = shop_in(tmp_path_factory.mktemp("busy") / "shop")
    with regulars.open(folder) as ws:
        ws.load([event(f"i{n}", n % 30, 1 + n % 20) for n in range(300)])
        for n in range(40):
            ws.track(f"u{n % 30}", "share", timestamp="2026-01-12T10:00:00Z")
    workshop.do("append", folder, first=0, batches=2)
    return folder


def test_a_backup_is_whole_or_not_there(
    tmp_path: Path, busy: Path, workshop: Workshop, scale: Scale, record_property: Tell
) -> None:
    """And the workspace is what it was."""
    folder, outcomes = copy(busy, tmp_path / "shop"), []
    look = workshop.do("backup", folder, look=True, target=str(tmp_path / "look"))
    assert look.said == "rows 380\n"
    for number, fault in enumerate(faults_in(look, scale, 4)):
        target = tmp_path / f"backup-{number}"
        outcome = workshop.do("backup", folder, fault, target=str(target))
        assert ended_well(outcome), (fault, outcome)
        if target.exists():
            again = workshop.do("restore", tmp_path / f"restored-{number}", source=str(target))
            assert (again.code, again.said) == (0, look.said), (fault, again)
        else:
            assert outcome.code != 0
        outcomes.append(outcome)
    tell(record_property, workshop, outcomes)
    assert workshop.do("backup", folder, target=str(tmp_path / "last")).said == look.said


def test_a_restore_makes_a_whole_workspace_or_none(
    tmp_path: Path, busy: Path, workshop: Workshop, scale: Scale, record_property: Tell
) -> None:
    source, outcomes = str(tmp_path / "backup"), []
    assert workshop.do("backup", copy(busy, tmp_path / "shop"), target=source).code == 0
    look = workshop.do("restore", tmp_path / "look", look=True, source=source)
    with regulars.open(tmp_path / "look") as ws:
        expected = derived(ws)
    for number, fault in enumerate(faults_in(look, scale, 4)):
        folder = tmp_path / f"restored-{number}"
        outcome = workshop.do("restore", folder, fault, source=source)
        assert ended_well(outcome), (fault, outcome)
        if (folder / "regulars.toml").exists():
            with regulars.open(folder) as ws:
                assert derived(ws) == expected, fault
        else:
            assert outcome.code != 0
        outcomes.append(outcome)
        shutil.rmtree(folder, ignore_errors=True)
    tell(record_property, workshop, outcomes)


def test_an_erasure_that_was_interrupted_can_be_finished(
    tmp_path: Path, busy: Path, workshop: Workshop, scale: Scale, record_property: Tell
) -> None:
    """The person is there or gone; nobody else is touched, and no half-written file stays behind."""
    look = workshop.do("erase", copy(busy, tmp_path / "look"), look=True, user="u3")
    with regulars.open(busy) as ws:
        before = derived(ws)
    with regulars.open(tmp_path / "look") as ws:
        after = derived(ws)
    outcomes = []
    for number, fault in enumerate(faults_in(look, scale, 3)):
        folder = copy(busy, tmp_path / f"{number}")
        outcome = workshop.do("erase", folder, fault, user="u3")
        assert ended_well(outcome), (fault, outcome)
        with regulars.open(folder) as ws:
            found = derived(ws)
            assert found in (before, after), fault
            if found == before:
                assert ws.erase("u3").is_rewritten, fault
                assert derived(ws) == after, fault
        assert [path.name for path in folder.iterdir() if ".new" in path.name] == [], fault
        outcomes.append(outcome)
        shutil.rmtree(folder)
    tell(record_property, workshop, outcomes)


def test_a_new_workspace_is_one_or_can_be_made_again(
    tmp_path: Path, workshop: Workshop, scale: Scale, record_property: Tell
) -> None:
    look = workshop.do("init", tmp_path / "look", look=True)
    outcomes = []
    for number, fault in enumerate(faults_in(look, scale, 3)):
        folder = tmp_path / f"{number}"
        outcome = workshop.do("init", folder, fault)
        assert ended_well(outcome), (fault, outcome)
        if not (folder / "regulars.toml").exists():
            regulars.init(folder)
        with regulars.open(folder) as ws:
            assert ws.load([event("e", 1, 1)]).loaded == 1, fault
        outcomes.append(outcome)
        shutil.rmtree(folder)
    tell(record_property, workshop, outcomes)


def test_without_strace_the_same_work_meets_other_faults(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, record_property: Tell
) -> None:
    """Death at a statement, and files that cannot grow."""
    folder, ledger, outcomes = shop_in(tmp_path / "shop"), Ledger(), []
    with Workshop(tmp_path / "log", traces=False) as workshop:
        for number, fault in enumerate(points({"pwrite64": 60}, 1, random.Random(1))):
            note(ledger, workshop.do("append", folder, fault if fault.what == "EIO" else None, first=number, batches=3))
            outcomes.append(workshop.do("drain", folder, fault))
            assert ended_well(outcomes[-1]), (fault, outcomes[-1])
        tell(record_property, workshop, outcomes)
    assert any(outcome.fired for outcome in outcomes)
    settle(folder, ledger)
