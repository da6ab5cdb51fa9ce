"""Which files an import means: paths, folders and patterns, users before events.

Exports of other tools are trees of folders, whose files are often called anything; they are told by their content.
"""

from __future__ import annotations

import glob
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regulars.errors import SourceError
from regulars.infrastructure.importers.formats import TOOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A folder's plain .json files are not taken: as a rule they describe the data instead of being data.
_DATA = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq")
_PACKED = (".gz", ".gzip")
_NEVER = (".md", ".sql", ".toml", ".py", ".duckdb", ".crc")  # what lies beside data and is none
# A folder of `regulars prepare` holds these, and beside them tables that were made of them.
_PREPARED = ("users_clean", "events_clean")


def find_sources(given: Sequence[str], form: str = "auto") -> tuple[list[Path], list[SourceError]]:
    """The files in the order of loading, each once, and what was not found; ``form`` is the format asked for."""
    files: list[Path] = []
    missing: list[SourceError] = []
    for text in given:
        try:
            files += _expand(text, form)
        except SourceError as exc:
            missing.append(exc)
    once = {file.resolve(): file for file in reversed(files)}
    return _users_first(file for file in files if once.pop(file.resolve(), None) is not None), missing


def _expand(text: str, form: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        found = _files_of(path, form)
        found = [file for file in found if _table(file) in _PREPARED] or found
        if not found:
            raise SourceError(
                f"the folder {text!r} holds no data; files end in {', '.join(_DATA)}, also with .gz, "
                "or are an export of a tool that is known here",
                code="no_such_file", path=text,
            )  # fmt: skip
        return found
    if path.exists():
        return [path]
    matches = sorted(Path(match) for match in glob.glob(text, recursive=True))  # noqa: PTH207 -- absolute ones too
    if not matches:
        raise SourceError(f"{text!r} does not exist", code="no_such_file", path=text)
    return [match for match in matches if match.is_file()]


def _files_of(folder: Path, form: str) -> list[Path]:
    """Data of a folder itself, and exports anywhere in it with whatever data lie beside them."""
    files = [file for file in folder.rglob("*") if _is_visible(file, folder) and file.is_file()]
    if form in TOOLS:
        return sorted(file for file in files if not file.name.lower().endswith(_NEVER))
    exports = {file for file in files if _is_export(file)} if form == "auto" else set()
    # A damaged file among exports must be heard of, so it is not enough to take what is recognised.
    homes = {file.parent for file in exports}
    return sorted(
        file
        for file in files
        if file in exports
        or (_is_data(file) and file.parent in {folder, *homes})
        or (file.parent in homes and file.name.lower().endswith(_PACKED))
    )


def _is_visible(file: Path, folder: Path) -> bool:
    return not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)


def _is_export(file: Path) -> bool:
    from regulars.infrastructure.importers.exports.recognise import recognise  # noqa: PLC0415 -- folders only
    from regulars.infrastructure.importers.formats import peek  # noqa: PLC0415 -- same

    try:
        return not file.name.lower().endswith(_NEVER) and recognise(peek(file)) is not None
    except SourceError:
        return False


def _is_data(file: Path) -> bool:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in _DATA


def _table(file: Path) -> str:
    return file.name.partition(".")[0].lower()


def _users_first(files: Iterable[Path]) -> list[Path]:
    """Users before events where the name tells; the rest keeps its order. The numbers do not depend on it."""
    return sorted(files, key=lambda file: not ("user" in file.name.lower() and "event" not in file.name.lower()))


def read_mapping(given: Sequence[str]) -> dict[str, str] | None:
    """Roles and their columns from ``role=column`` texts and TOML files."""
    found: dict[str, str] = {}
    for text in given:
        role, equals, column = text.partition("=")
        if equals and not Path(text).is_file():
            found[role.strip()] = column.strip()
        else:
            found.update(_mapping_file(Path(text)))
    return found or None


def _mapping_file(path: Path) -> dict[str, str]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise click.BadParameter(f"{path} is not TOML: {exc}", param_hint="'--map'") from exc
    except OSError as exc:
        raise click.BadParameter(
            f"{str(path)!r} is neither role=column nor a file that can be read", param_hint="'--map'"
        ) from exc
    columns = table.get("columns", table)
    if not isinstance(columns, dict) or not all(isinstance(column, str) for column in columns.values()):
        raise click.BadParameter(
            f'{path} must hold lines like user_id = "member", alone or under [columns]', param_hint="'--map'"
        )
    return columns
