"""Dropped events, kept as Parquet: one file per day, and a manifest that says which files count.

A file is written under a name of its own, read back and compared with the rows it was made from, and made durable;
only then does the manifest name it, in one atomic step. So the archive is the old one or the new one whenever a process
is killed; what it leaves behind is a file that the manifest does not name.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from regulars.domain.schema import DEVICE_COLUMNS, FACT_USER_ACTIONS, GEOGRAPHY_COLUMNS
from regulars.errors import WorkspaceError
from regulars.infrastructure.files import make_folders, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from regulars.infrastructure.engines.duckdb import DuckDBEngine

FORMAT = 1
MANIFEST_NAME = "manifest.json"
_HASH = "event_hash"  # follows from the id, and Parquet has no whole numbers of 128 bits
_OWN = re.compile(r"\d{4}-\d\d-\d\d(\.\d+)?\.parquet")
_COLUMNS = [name for name in FACT_USER_ACTIONS.column_names if name != _HASH]
_MADE = [f"md5_number(x.event_id) AS {_HASH}" if name == _HASH else f"x.{name}"
         for name in FACT_USER_ACTIONS.column_names]  # fmt: skip


def _struct(alias: str, names: Iterable[str]) -> str:
    return "{" + ", ".join(f"'{name}': {alias}.{name}" for name in names) + "}"


class DayFile(msgspec.Struct, frozen=True):
    """The file of one day: its name, how many events it holds, its length and its SHA-256."""

    file: str
    events: int
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """The files that count, by day."""

    days: dict[str, DayFile]
    format: int = FORMAT


class ParquetArchive:
    """The archive in one folder; it reads and writes through the database, inside its open transaction if there is one.

    Errors: :class:`WorkspaceError` ``archive_damaged`` where the folder has files and no manifest that can be read;
    :class:`EngineError`.
    """

    def __init__(self, engine: DuckDBEngine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder

    def write(self, events: Mapping[date, int], *, keep_before: date | None) -> None:
        """Archive whole days with so many events each; of what was there before, only days before a day stay."""
        with self._file_errors():
            old = self._begin()
            kept = {day: file for day, file in old.days.items() if keep_before and day < keep_before.isoformat()}
            written = {day.isoformat(): self._write_day(day, number) for day, number in sorted(events.items())}
            self._replace(old, Manifest(dict(sorted((kept | written).items()))))

    def holds(self, events: Mapping[date, int], *, verify: bool = True) -> bool:
        """Whether exactly so many events of these days are here; ``verify`` compares the checksums of the files too."""
        try:
            known = self._read().days
        except WorkspaceError:
            return False
        wanted = {day.isoformat(): number for day, number in events.items()}
        return all(day in known and known[day].events == number and self._is_whole(known[day], verify=verify)
                   for day, number in wanted.items())  # fmt: skip

    def events(self, before: date) -> str:
        """A SELECT of the archived events of days before a day, as rows of ``fact_user_actions``."""
        rows = self._rows(before)
        return f"SELECT {', '.join(_MADE)} FROM ({rows}) x" if rows else "SELECT * FROM fact_user_actions WHERE FALSE"

    def details(self, before: date) -> str:
        """A SELECT of their details, as rows of ``fact_activity_details``, behind the identity that sent them."""
        rows = self._rows(before)
        if not rows:
            return "SELECT NULL AS identity_key, d.* FROM fact_activity_details d WHERE FALSE"
        return f"""SELECT y.identity_key, y.event_id, y.detail.detail_type, y.detail.payload, y.detail.load_id
FROM (SELECT x.identity_key, x.event_id, unnest(x.details) AS detail FROM ({rows}) x) y"""

    def forget_strangers(self) -> None:
        """Write those files anew that hold events of identities which the workspace does not know any more."""
        with self._file_errors():
            old = self._read()
            self._replace(old, Manifest(self._without_strangers(old)))

    def _without_strangers(self, old: Manifest) -> dict[str, DayFile]:
        known = "(SELECT identity_key FROM dim_identities)"
        days = dict(old.days)
        for day, file in old.days.items():
            path = self._folder / file.file
            if not path.is_file():
                continue
            rows = f"SELECT * FROM read_parquet({_text(path)})"
            ((left, strangers),) = self._engine.fetch(f"""
                SELECT count(*) FILTER (WHERE is_known), count(*) FILTER (WHERE NOT is_known)
                FROM (SELECT identity_key IN {known} AS is_known FROM ({rows}) x) y""")
            if strangers and left:
                days[day] = self._write_file(day, f"{rows} WHERE identity_key IN {known}", left)
            elif strangers:
                del days[day]
        return days

    def _rows(self, before: date) -> str:
        named = [self._folder / file.file for day, file in self._read().days.items() if day < before.isoformat()]
        files = [path for path in named if path.is_file()]
        listed = ", ".join(map(_text, files))
        return f"SELECT * FROM read_parquet([{listed}])" if files else ""

    def _write_day(self, day: date, events: int) -> DayFile:
        own = f"(SELECT event_id FROM fact_user_actions WHERE day = DATE '{day}')"
        return self._write_file(
            day.isoformat(),
            f"""SELECT {", ".join(f"e.{name}" for name in _COLUMNS)},
  CASE WHEN i.kind = 'known' THEN i.external_id END AS user_id,
  CASE WHEN i.kind = 'anonymous' THEN i.external_id END AS anonymous_id,
  a.action_type AS event_type, f.feature_name AS feature, {_struct("v", DEVICE_COLUMNS)} AS device,
  {_struct("g", GEOGRAPHY_COLUMNS)} AS geo, d.details
FROM fact_user_actions e
LEFT JOIN dim_identities i ON i.identity_key = e.identity_key
LEFT JOIN dim_actions a ON a.action_key = e.action_key
LEFT JOIN dim_features f ON f.feature_key = e.feature_key
LEFT JOIN dim_devices v ON v.device_key = e.device_key
LEFT JOIN dim_geographies g ON g.geography_key = e.geography_key
LEFT JOIN (
  SELECT event_id, list({_struct("x", ("detail_type", "payload", "load_id"))} ORDER BY detail_type, payload) AS details
  FROM fact_activity_details x WHERE event_id IN {own} GROUP BY event_id
) d ON d.event_id = e.event_id
WHERE e.day = DATE '{day}'""",
            events,
        )

    def _write_file(self, day: str, rows: str, events: int) -> DayFile:
        """Write the rows of a SELECT, and read them back."""
        path = next(path for name in _names(day) if not (path := self._folder / name).exists())
        order = "ORDER BY identity_key, action_timestamp, event_id"
        self._engine.execute(f"COPY ({rows} {order}) TO {_text(path)} (FORMAT parquet, COMPRESSION zstd)")
        written, found = (self._engine.fetch(f"SELECT count(*), sum(hash(x)) FROM ({each}) x")[0]
                          for each in (rows, f"SELECT * FROM read_parquet({_text(path)})"))  # fmt: skip
        if written != found or written[0] != events:
            path.unlink()
            raise WorkspaceError(
                f"{path.name} could not be read back as it was written; nothing was dropped, look at the disk",
                code="archive_failed", path=str(path),
            )  # fmt: skip
        with path.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return DayFile(path.name, events, path.stat().st_size, digest)

    def _is_whole(self, file: DayFile, *, verify: bool) -> bool:
        path = self._folder / file.file
        if not path.is_file() or path.stat().st_size != file.bytes:
            return False
        if not verify:
            return True
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256

    def _read(self) -> Manifest:
        path = self._folder / MANIFEST_NAME
        if not path.exists() and not any(self._folder.glob("*.parquet")):
            return Manifest({})
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except (OSError, msgspec.MsgspecError) as exc:
            raise self._damaged(f"{MANIFEST_NAME} cannot be read ({exc})") from exc
        if found.format != FORMAT:
            raise self._damaged(f"{MANIFEST_NAME} has a form ({found.format}) that this version does not know")
        return found

    @contextmanager
    def _file_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise WorkspaceError(
                f"cannot write the archive of events {str(self._folder)!r}: {exc.strerror}; "
                "look at the disk, then try again",
                code="archive_failed", path=str(self._folder),
            ) from exc  # fmt: skip

    def _damaged(self, what: str) -> WorkspaceError:
        return WorkspaceError(
            f"the archive of events {str(self._folder)!r} is damaged: {what}; put it back from a copy, or move the "
            "folder away to go on without it",
            code="archive_damaged", path=str(self._folder),
        )  # fmt: skip

    def _begin(self) -> Manifest:
        """The manifest; an empty one is written first, so that no file is ever without."""
        found = self._read()
        if not (self._folder / MANIFEST_NAME).exists():
            make_folders(self._folder)
            self._save(found)
            for folder in self._folder.parents[:2]:
                sync_folder(folder)
        return found

    def _replace(self, old: Manifest, new: Manifest) -> None:
        """Let a manifest count from now on, and remove the files that it does not name."""
        if old != new:
            self._save(new)
        named = {file.file for file in new.days.values()}
        for path in self._folder.glob("*.parquet"):
            if path.name not in named and _OWN.fullmatch(path.name):
                path.unlink()

    def _save(self, manifest: Manifest) -> None:
        path, fresh = self._folder / MANIFEST_NAME, self._folder / f"{MANIFEST_NAME}.new"
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(self._folder)


def _names(day: str) -> Iterable[str]:
    """The names that the file of a day may have, in the order in which they are tried; see ``_OWN``."""
    yield f"{day}.parquet"
    for number in count(2):
        yield f"{day}.{number}.parquet"


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
