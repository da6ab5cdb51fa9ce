"""How tests call the command line: in this process with captured streams, or as a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
from click.testing import CliRunner

import regulars
from regulars.interfaces.cli.program import run

SOURCES = Path(regulars.__file__).parents[1]


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return msgspec.json.decode(self.out)


def call(*arguments, stdin=None) -> Outcome:
    """Run one command line in this process."""
    with CliRunner().isolation(input=stdin) as (out, err, _):
        code = run([str(argument) for argument in arguments])
        sys.stdout.flush()
        sys.stderr.flush()
        return Outcome(code, out.getvalue().decode(), err.getvalue().decode())


def environment(**more: str) -> dict[str, str]:
    """The environment of a real process; the sources are found whether installed or not."""
    return {**os.environ, "PYTHONPATH": str(SOURCES), "COLUMNS": "100", **more}


def spawn(*arguments, cwd=None, **more: str) -> Outcome:
    """Run one command line as a process of its own."""
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "regulars", *map(os.fspath, arguments)],
        cwd=cwd, env=environment(**more), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def one_line(text: str) -> bool:
    """Whether an error was said in one line, with at most a hint below it."""
    lines = text.splitlines()
    return bool(lines) and lines[0].startswith("error: ") and all(line.startswith("hint: ") for line in lines[1:])


EVENTS = """user_id,event_type,timestamp,device
ada,login,2026-03-02T08:15:00Z,phone
ada,search,2026-03-03T08:15:00Z,phone
bob,login,2026-03-03T21:00:00Z,laptop
cyd,purchase,2026-03-04T12:00:00Z,
"""
USERS = """user_id,country,plan
ada,DE,paid
bob,FR,free
cyd,DE,free
"""


def make_workspace(folder: Path, *options: str) -> Path:
    """A workspace with three people and four events, made by the commands under test."""
    (folder / "events.csv").write_text(EVENTS)
    (folder / "users.csv").write_text(USERS)
    shop = folder / "shop"
    assert call("init", shop, *options).code == 0
    done = call("import", folder / "users.csv", folder / "events.csv", "-w", shop)
    assert done.code == 0, done.err
    return shop
