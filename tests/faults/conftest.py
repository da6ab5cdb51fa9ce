"""How much is tried: enough to notice a mistake in ``make test``, until one is tired in ``make torture``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.faults.faults import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Scale:
    """Counts of a run."""

    server_kills: int  # of processes of a running server
    server_lives: int  # each ended by a kill of the supervisor
    crash_loop: int  # servers killed whole, soon after their start
    statement_kills: int
    batch: int  # new events that a request holds at most; twice as many, and two, must be fewer than 2,000
    pause: float  # seconds between the requests of one sender
    events: int  # that must have been acknowledged in the end
    each: int  # places per kind of system call and of fault
    damages: int  # places in a file
    seed: int = int(os.environ.get("REGULARS_FAULTS_SEED", "20261127"))  # of chance


SHORT = Scale(
    server_kills=48, server_lives=2, crash_loop=6, statement_kills=14, batch=8, pause=0.03, events=500,
    each=1, damages=8,
)  # fmt: skip
LONG = Scale(
    server_kills=450, server_lives=6, crash_loop=20, statement_kills=150, batch=900, pause=0.02, events=1_000_000,
    each=12, damages=60,
)  # fmt: skip


@pytest.fixture(scope="session")
def scale() -> Scale:
    """The counts of this run."""
    return LONG if settings.get_current_profile_name() == "torture" else SHORT


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Cheap processes, and faults that happen to them."""
    with Workshop(tmp_path_factory.mktemp("strace") / "log") as shop:
        yield shop
