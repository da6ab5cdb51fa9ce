"""A process that is killed at any statement leaves the old state or the new one, never something between."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from tests.application.test_refresh import derived
from tests.domain.examples import did
from tests.interfaces.cli import environment

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = [did(f"u{n}", f"2026-01-{day:02}T10:{n:02}:00") for day in range(1, 9) for n in range(6)]
STRANGER = {"anonymous_id": "anon", "event_type": "view", "timestamp": "2026-01-03T10:00:00Z"}
MORE = [*(did(f"u{n}", f"2026-01-0{day}T12:00:00", country="DE") for day in (2, 9) for n in range(4)), STRANGER]
CHANGES: dict[str, str] = {
    "load": f"ws.load(json.loads({json.dumps(json.dumps(MORE))}))",
    "rebuild": "ws.rebuild()",
    "erase": "ws.erase('u1')",
    "set_population": "ws.set_population('u2', 'test')",
    "experiment": "ws.experiments.change('checkout', variants=('CONTROL', 'VARIANT_A', 'VARIANT_B'))",
}
VICTIM = """
import json, os, signal, sys
import regulars
folder, change, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
ws = regulars.open(folder)
engine, seen = ws.engine, 0
execute, rename = engine.execute, os.replace

def fall_at(doing):
    def dying(*arguments, **named):
        global seen
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return doing(*arguments, **named)
    return dying

engine.execute = fall_at(execute)
engine._copy_to = fall_at(engine._copy_to)
engine._connect = fall_at(engine._connect)
exec(change)
print(seen)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed workspace with a week of history."""
    folder = regulars.init(tmp_path_factory.mktemp("killed") / "shop")
    with regulars.open(folder) as ws:
        ws.load(BEFORE)
        ws.experiments.create("checkout")
        ws.experiments.start("checkout")
    return folder


def run(folder: Path, change: str, last: int) -> tuple[int, str]:
    """Let a process of its own do the change, by name or as Python, and die at its n-th statement."""
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", VICTIM, str(folder), CHANGES.get(change, change), str(last)],
        env=environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def state(folder: Path) -> dict[str, Any]:
    """Everything derived, and the facts it follows from, as somebody finds it who opens the workspace now."""
    with regulars.open(folder) as ws:
        facts = ws.engine.query("SELECT event_id FROM fact_user_actions ORDER BY event_id").rows
        experiments = [(phase.number, phase.status) for phase in ws.experiments.get("checkout").phases]
        return {**derived(ws), "facts": facts, "experiments": experiments}


@pytest.mark.parametrize("change", CHANGES)
def test_a_kill_at_any_statement_leaves_the_old_state_or_the_new_one(shop: Path, tmp_path: Path, change: str) -> None:
    """Statements of the load, of the refresh, the commit, and the steps of writing the file anew."""
    whole = tmp_path / "whole"
    shutil.copytree(shop, whole)
    code, said = run(whole, change, 10**6)
    assert code == 0, said
    old, new, statements = state(shop), state(whole), int(said)
    assert statements > 5
    left = []
    for number, last in enumerate(
        {1, statements // 3, 2 * statements // 3, statements - 2, statements - 1, statements}
    ):
        folder = tmp_path / f"killed-{number}"
        shutil.copytree(shop, folder)
        code, _ = run(folder, change, last)
        assert code == -signal.SIGKILL
        left.append(state(folder))
    assert all(found in (old, new) for found in left)
    if change != "rebuild":
        assert old in left
