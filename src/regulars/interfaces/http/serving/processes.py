"""The two processes of a server: the collector, which knows no database, and the store, which owns it.

``python -m regulars.interfaces.http.serving.processes collector|store FOLDER HOST PORT`` is what the supervisor starts.
"""

from __future__ import annotations

import gc
import logging
import os
import secrets
import signal
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regulars.errors import EngineError, RegularsError, WorkspaceLockedError
from regulars.infrastructure.lock import COLLECTOR_LOCK_NAME, WorkspaceLock
from regulars.infrastructure.operational.opening import open_store
from regulars.infrastructure.server import TOKEN_NAME
from regulars.interfaces.http.authority import Authority
from regulars.interfaces.http.collecting.bodies import MIB, Bodies
from regulars.interfaces.http.collecting.collector import Collector
from regulars.interfaces.http.collecting.forms import ROUTES
from regulars.interfaces.http.collecting.rates import Rates
from regulars.interfaces.http.serving.running import run, url_of
from regulars.settings import SETTINGS_NAME, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from regulars.infrastructure.operational.opening import FolderStore
    from regulars.interfaces.http.api import Store
    from regulars.workspace import Workspace

_OBJECTS = 50_000
_TURN_SECONDS = 0.0005
_ORPHAN_SECONDS = 60.0
BROKEN = 4  # exit code of a store that cannot open its database, which somebody else may see to while events come in


def now() -> datetime:
    """The present instant, naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def make_collector(store: FolderStore, settings: Settings) -> Collector:
    """The collector over a workspace's journal and keys."""
    own = settings.collector
    return Collector(
        store.journal,
        Authority(store.keys, now),
        settings.event_limits,
        bodies=Bodies(
            body_bytes=own.body_mib * MIB,
            inflated_bytes=own.inflated_mib * MIB,
            seconds=own.body_seconds,
            most_bytes=settings.journal.memory_mib * MIB,
        ),
        rates=Rates(own.events_per_second),
    )


@contextmanager
def operational_store(folder: Path) -> Iterator[tuple[FolderStore, Settings]]:
    """The journal and keys of a workspace folder, beside whoever else has them open."""
    settings = Settings.read(folder / SETTINGS_NAME)
    store = open_store(folder, settings.journal)
    try:
        yield store, settings
    finally:
        store.close()


def run_collector(
    folder: Path, host: str, port: int, *, supervised: bool = False, ready: Callable[[], None] | None = None
) -> None:
    """Collect until told to stop."""
    # Requests leave few cycles behind: looking for them rarely, and never among what was there before the first
    # request, shortens the longest answers by half.
    gc.freeze()
    gc.set_threshold(_OBJECTS, 20, 20)
    # The thread that writes the journal is waited for by everybody; it must not wait long for its turn.
    sys.setswitchinterval(_TURN_SECONDS)
    # Where the server was killed, its successor learns from the lock that the port will be given back.
    lock = WorkspaceLock(folder, shared=True, name=COLLECTOR_LOCK_NAME) if supervised else None
    try:
        with operational_store(folder) as (store, settings):
            run(make_collector(store, settings), host, port, supervised=supervised, ready=ready)
    finally:
        if lock is not None:
            lock.release()


def run_store(folder: Path, host: str, port: int, *, supervised: bool = False) -> None:
    """Load what is collected and answer questions until told to stop."""
    from regulars.interfaces.http.api import api  # noqa: PLC0415 -- the collector needs it not

    with operational_store(folder) as (store, _), answering(folder, url_of(host, port), store, waits=supervised) as one:
        run(api(one), host, port, supervised=supervised, hurry=one.hurry)


def run_single(folder: Path, host: str, port: int, *, ready: Callable[[], None] | None = None) -> None:
    """Both in one process and at one address, for demos and tests."""
    from regulars.interfaces.http.api import api  # noqa: PLC0415 -- same

    with operational_store(folder) as (store, settings), answering(folder, url_of(host, port), store) as one:
        run(_Both(make_collector(store, settings), api(one)), host, port, ready=ready, hurry=one.hurry)


@contextmanager
def answering(folder: Path, address: str, store: FolderStore, *, waits: bool = False) -> Iterator[Store]:
    """What answers questions, with the workspace open and its journal being drained.

    ``waits``: for a store whose supervisor was killed while it was starting. It ends by itself as soon as it notices,
    and nobody else has an address while our supervisor holds the server's lock.
    """
    from regulars.interfaces.http.api import Store  # noqa: PLC0415 -- the collector needs none of these
    from regulars.interfaces.http.serving.draining import Drain  # noqa: PLC0415

    with _workspace(folder, address, _ORPHAN_SECONDS if waits else 0) as ws, _token(folder) as token:
        drain = Drain(ws, give_up=lambda: os.kill(os.getpid(), signal.SIGTERM))
        drain.start()
        try:
            yield Store(ws, Authority(store.keys, now), token, drain)
        finally:
            drain.stop()


def _workspace(folder: Path, address: str, seconds: float) -> Workspace:
    from regulars.opening import open_for_server  # noqa: PLC0415

    until = time.monotonic() + seconds
    while True:
        try:
            return open_for_server(folder, address)
        except WorkspaceLockedError as exc:
            if not exc.fields.get("address") or time.monotonic() >= until:
                raise
            time.sleep(0.1)


class _Both:
    """Sends events to the collector and everything else to the store."""

    def __init__(self, collector: Collector, answers: Any) -> None:
        self._collector, self._answers = collector, answers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"].rstrip("/")
        collects = path in ROUTES or path == "/v1/regulars.js" or scope["method"] == "OPTIONS"
        await (self._collector if collects else self._answers)(scope, receive, send)


@contextmanager
def _token(folder: Path) -> Iterator[str]:
    """A secret that opens this server to whoever may read the workspace's folder, as long as the server runs."""
    path = folder / TOKEN_NAME
    token = secrets.token_urlsafe(32)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token)
    try:
        yield token
    finally:
        path.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Run one of the two as the supervisor's child."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    kind, folder, host, port = arguments
    start = {"collector": run_collector, "store": run_store}[kind]
    try:
        start(Path(folder), host, int(port), supervised=True)
    except RegularsError as exc:
        print(f"error: {kind}: {exc.message}", file=sys.stderr)  # noqa: T201 -- the supervisor passes it on
        return BROKEN if isinstance(exc, EngineError) else exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
