"""Faults at chosen system calls: a call fails, once or from then on, or the process dies at it.

strace does that to a running process, where the system lets us trace our own children. Where it does not, the same work
meets what can be had without it: death at a chosen statement, and a bound on the size of files, beyond which every
write fails. ``Workshop.traces`` says which of the two it is.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from tests.interfaces.cli import environment

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from pathlib import Path

CALLS = ("pwrite64", "write", "fdatasync", "fsync", "ftruncate", "rename", "unlink")
_ERRORS = {"pwrite64": ("ENOSPC", "EIO"), "write": ("ENOSPC", "EIO"), "fdatasync": ("EIO",), "fsync": ("EIO",),
           "ftruncate": ("EIO",), "rename": ("EIO",), "unlink": ("EIO",)}  # fmt: skip
_STARTED = re.compile(r"^(\d+) +(\w+)\(")
_FEW = 2
_BYTES_PER_CALL = 16 << 10  # where files are bounded instead, a later call stands for a higher bound


@dataclass(frozen=True)
class Fault:
    """What happens at the n-th call of one thread: ``KILL``, or an error; ``always``: at every later one too."""

    call: str
    what: str
    number: int
    always: bool = False

    @property
    def for_strace(self) -> list[str]:
        """As options of strace."""
        what = "signal=KILL" if self.what == "KILL" else f"error={self.what}"
        return ["-e", f"inject={self.call}:{what}:when={self.number}{'+' if self.always else ''}"]

    @property
    def without_strace(self) -> dict[str, int]:
        """As an order to the victim."""
        return {"statement": self.number} if self.what == "KILL" else {"most_bytes": self.number * _BYTES_PER_CALL}


@dataclass(frozen=True)
class Outcome:
    """How some work ended: its exit code, what it said, the calls it made, and whether the fault met it."""

    code: int
    said: str
    calls: dict[str, int]
    fired: bool
    log: str

    def words(self, start: str) -> list[str]:
        """The words of all lines that begin with one."""
        lines = [line.split() for line in self.said.splitlines()]
        return [word for first, *words in filter(None, lines) if first == start for word in words]


class Workshop:
    """Does work in processes of their own, one after the other, and lets faults happen to them."""

    def __init__(self, log: Path, *, traces: bool | None = None) -> None:
        self._log = log
        self._source = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.victims"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env=environment(OPENBLAS_NUM_THREADS="1"),
        )  # fmt: skip
        if traces is not None:
            self.traces = traces

    @cached_property
    def traces(self) -> bool:
        """Whether strace is here and may look at our processes."""
        strace = shutil.which("strace")
        if strace is None:
            return False
        return subprocess.run([strace, "true"], capture_output=True, check=False).returncode == 0  # noqa: S603 -- a tool of the system

    @property
    def means(self) -> str:
        """By what faults happen."""
        return "system calls (strace)" if self.traces else "statements and a bound on files (no strace)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._source.stdin
        self._source.stdin.close()
        self._source.wait(20)
        assert self._source.stdout
        self._source.stdout.close()

    def do(
        self,
        work: str,
        folder: Path,
        fault: Fault | None = None,
        *,
        look: bool = False,
        watch: Sequence[str] = (),
        **order: Any,
    ) -> Outcome:
        """Let work be done; ``look`` counts its calls, ``watch`` names others for the log."""
        order |= {"work": work, "folder": str(folder)}
        if fault and not self.traces:
            order |= fault.without_strace
        child = self._ask(order)
        tracer = self._attach(child, fault, watch) if self.traces and (fault or look) else None
        answer = json.loads(self._ask("go"))
        log = ""
        if tracer:
            tracer.communicate()
            log = self._log.read_text(encoding="utf-8", errors="replace")
        fired = "(INJECTED)" in log or answer["code"] == -9 or bool(fault and not self.traces and answer["code"])
        return Outcome(answer["code"], answer["said"], _calls(log), fired, log)

    def _ask(self, order: object) -> str:
        assert self._source.stdin
        assert self._source.stdout
        self._source.stdin.write(f"{json.dumps(order)}\n")
        return self._source.stdout.readline()

    def _attach(self, child: str, fault: Fault | None, watch: Sequence[str]) -> subprocess.Popen[str]:
        calls = ",".join([*([fault.call] if fault else CALLS), *watch])
        tracer = subprocess.Popen(  # noqa: S603 -- a tool of the system
            [shutil.which("strace") or "strace", "-f", "-o", str(self._log), "-e", f"trace={calls}",
             "-e", "signal=none", *(fault.for_strace if fault else ()), "-p", child.strip()],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert tracer.stderr
        said = ""
        while "attached" not in said:
            line = tracer.stderr.readline()
            assert line, f"strace did not attach: {said}"
            said += line
        return tracer


def _calls(log: str) -> dict[str, int]:
    """The most calls of each kind that one thread made."""
    counts = Counter(found.groups() for line in log.splitlines() if (found := _STARTED.match(line)))
    most: dict[str, int] = {}
    for (_, call), count in counts.items():
        most[call] = max(count, most.get(call, 0))
    return most


def points(calls: dict[str, int], each: int, chance: random.Random) -> list[Fault]:
    """Faults at ``each`` of the calls that a work makes, for every kind of call and of fault; at all that are fewer.

    One or two are at chance places, which differ from kind to kind; more are spread evenly.
    """
    found: list[Fault] = []
    for call in CALLS:
        last = calls.get(call, 0)
        for what, always in [("KILL", False), *itertools.product(_ERRORS[call], (False, True))]:
            found += [Fault(call, what, number, always) for number in _places(last, each, chance)]
    return found


def _places(last: int, count: int, chance: random.Random) -> Sequence[int]:
    if last <= count:
        return range(1, last + 1)
    if count <= _FEW:
        return sorted(chance.sample(range(1, last + 1), count))
    return sorted({1 + round(n * (last - 1) / (count - 1)) for n in range(count)})
