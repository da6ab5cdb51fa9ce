"""A workspace that a server holds: the same questions, sent to it.

``regulars.open`` and the command line come here by themselves when the lock file names a server.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import msgspec

from regulars.application.ports import Envelope, Table
from regulars.domain.backup import Manifest
from regulars.domain.report import Erasure, ImportReport, Reject
from regulars.domain.retold import retold
from regulars.domain.wire import kept_id, wire_event
from regulars.errors import UnsupportedError
from regulars.settings import check_timezone
from regulars.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regulars.application.ports import OperationalStore
    from regulars.application.tracking import Tracker
    from regulars.domain.query import Query
    from regulars.domain.report import JournalAudit
    from regulars.domain.result import Result
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.server import ServerConnection
    from regulars.settings import Settings

MOST_ROWS = 1_000_000
_TYPES: Mapping[str, Callable[[str], object]] = {"date": date.fromisoformat, "datetime": datetime.fromisoformat}


class RemoteWorkspace(Workspace):
    """What can be done beside a running server.

    Ask, run SQL, track, import files, list, export and erase people, back up.
    Everything else needs the database itself, and is refused with what to do.
    """

    def __init__(self, server: ServerConnection, settings: Settings, folder: Path) -> None:  # no database to open
        self.server = server
        self.settings = settings
        self.folder = folder
        self.read_only = False
        self._clock = partial(datetime.now, UTC)
        self._engine = cast("DuckDBEngine", _NoEngine(self._refuse))
        self._appending = _JournalOfFolder(folder, settings, self.now)
        self._tracker = cast("Tracker", self._appending)

    @property
    def engine(self) -> DuckDBEngine:
        """There is none here."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UnsupportedError(
            f"this cannot be done beside the server at {self.server.address}, which holds the workspace; stop it first",
            code="server_holds_workspace", address=self.server.address,
        )  # fmt: skip

    def query(self, query: Query) -> Result:
        """Answer one question."""
        told = msgspec.json.decode(self.server.ask("/api/v1/query", msgspec.json.encode(query)))
        return retold(told, partial(self._people, query))

    def _people(self, query: Query, row: Mapping[str, Any], column: str | None) -> list[str]:
        asked = {"query": query, "row": row, "column": column}
        people: list[str] = msgspec.json.decode(self.server.ask("/api/v1/users", msgspec.json.encode(asked)))["users"]
        return people

    def render_sql(self, query: Query, engine: str = "duckdb") -> str:
        """The SQL that answers a question; in the dialect of the server's engine only."""
        return self.query(query).sql if engine == "duckdb" else self._refuse()

    def sql(self, statement: str, *, most: int | None = None) -> Table:
        """Rows of one SELECT on the star schema, no more than ``most``; anything else is refused."""
        limit = MOST_ROWS if most is None else min(most, MOST_ROWS)
        asked = msgspec.json.encode({"sql": statement, "limit": limit})
        told = msgspec.json.decode(self.server.ask("/api/v1/sql", asked))
        if told["more"] and limit != most:
            raise UnsupportedError(
                f"beside a server, a SELECT returns at most {MOST_ROWS} rows; add a LIMIT, or stop the server first",
                code="too_many_rows",
            )
        read = [_TYPES.get(kind) for kind in told["types"]]
        return Table(tuple(told["columns"]), [_typed(row, read) for row in told["rows"]])

    def load(
        self,
        source: object,
        *,
        kind: str = "auto",
        format: str = "auto",
        timezone: str | None = None,
        mapping: Mapping[str, str] | None = None,
        progress: Callable[[str, int, int | None], None] | None = None,
    ) -> ImportReport:
        """Load a file through the server; frames and lists cannot be handed to another process."""
        del progress
        if not isinstance(source, str | Path):
            self._refuse()
        asked = {"path": str(Path(source).resolve()), "kind": kind, "format": format, "timezone": timezone,
                 "mapping": mapping}  # fmt: skip
        return _report(msgspec.json.decode(self.server.ask("/api/v1/import", msgspec.json.encode(asked))))

    def export_user(self, user_id: str | int, *, write: Callable[[bytes], object] | None = None) -> dict[str, Any]:
        """Everything that is known of a person, as the server knows it."""
        told = self.server.ask("/api/v1/export-user", msgspec.json.encode({"user_id": str(user_id)}))
        if write is None:
            found: dict[str, Any] = json.loads(told)
            return found
        write(told)
        return {}

    def erase(self, user_id: str | int) -> Erasure:
        """Have the server erase a person."""
        told = self.server.ask("/api/v1/erase", msgspec.json.encode({"user_id": str(user_id)}))
        return _certificate(json.loads(told))

    def backup(self, target: str | Path) -> Manifest:
        """Have the server copy the workspace into a new folder of its machine."""
        asked = msgspec.json.encode({"path": str(Path(target).absolute())})
        return msgspec.json.decode(self.server.ask("/api/v1/backup", asked), type=Manifest)

    def close(self) -> None:
        """Nothing is held, except the journal after tracking."""
        self._appending.close()


class _NoEngine:
    """Stands where the database would be, for everything that is not asked over HTTP."""

    def __init__(self, refuse: Callable[[], NoReturn]) -> None:
        self._refuse = refuse

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse()


class _JournalOfFolder:
    """Tracks beside the server: into its journal, which many processes may append to."""

    def __init__(self, folder: Path, settings: Settings, now: Callable[[], datetime]) -> None:
        self._folder, self._settings, self._now = folder, settings, now
        self._opening = threading.Lock()
        self._store: OperationalStore | None = None

    def track(self, fields: Mapping[str, Any], timezone: str | None = None) -> str:
        """Check one event and keep it; returns its id."""
        if timezone is not None:
            check_timezone(timezone)
        now = self._now()
        body = wire_event(fields, self._settings.event_limits, now=now, timezone=timezone)
        journal = self._opened().journal
        (offset,) = journal.append([Envelope(body, now)])
        return kept_id(fields, journal.id, offset)

    def flush(self) -> None:
        """The server does that, before every answer."""

    def audit(self) -> JournalAudit:
        """The server knows; its address /metrics tells."""
        raise UnsupportedError("a running server tells this at its address /metrics", code="server_holds_workspace")

    def close(self) -> None:
        """Give the journal back."""
        if self._store is not None:
            self._store.close()

    def _opened(self) -> OperationalStore:
        from regulars.infrastructure.operational.opening import open_store  # noqa: PLC0415 -- only tracking needs it

        with self._opening:
            if self._store is None:
                self._store = open_store(self._folder, self._settings.journal)
            return self._store


def _report(told: dict[str, Any]) -> ImportReport:
    for name in ("first_time", "last_time"):
        told[name] = told[name] and datetime.fromisoformat(told[name])
    told["rejects"] = tuple(Reject(*reject) for reject in told["rejects"])
    return ImportReport(**told)


def _certificate(told: dict[str, Any]) -> Erasure:
    told["erased_at"] = datetime.fromisoformat(told["erased_at"])
    for name in ("first_day", "last_day"):
        told[name] = told[name] and date.fromisoformat(told[name])
    return Erasure(**told)


def _typed(row: list[Any], read: list[Callable[[str], object] | None]) -> tuple[Any, ...]:
    return tuple(how(value) if how and isinstance(value, str) else value for value, how in zip(row, read, strict=True))
