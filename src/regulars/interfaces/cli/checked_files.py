"""Files to check: loaded into a workspace in memory, raw or prepared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from regulars.interfaces.cli.progress import ProgressLine
from regulars.interfaces.cli.sources import find_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.settings import Settings
    from regulars.workspace import Workspace

_TOLD_BY_NAME = ("users", "events")
_DAILY = "user_daily"


def load_files(paths: Sequence[str], workspace: Path | None, timezone: str | None, *, quiet: bool) -> Workspace:
    """Load what the paths mean into memory, under the settings of a workspace or the defaults.

    Raises:
        SourceError: A path, or what it holds, cannot be read.
    """
    from regulars.infrastructure.prepared import add_user_daily  # noqa: PLC0415 -- loaded when the command runs
    from regulars.opening import open as open_workspace  # noqa: PLC0415
    from regulars.settings import SETTINGS_NAME, Settings  # noqa: PLC0415

    files, missing = find_sources(paths)
    if missing:
        raise missing[0]
    settings = Settings() if workspace is None else Settings.read(workspace / SETTINGS_NAME)
    ws = open_workspace(settings=_for_files(settings, timezone))
    for file in _known([each for each in files if not each.name.startswith(_DAILY)]):
        line = ProgressLine(file.name, quiet=quiet)
        try:
            ws.load(str(file), timezone=ws.settings.timezone, progress=line)
        finally:
            line.clear()
    for file in _daily(paths, files):
        add_user_daily(ws.engine, file)
    return ws


def _daily(paths: Sequence[str], files: Sequence[Path]) -> list[Path]:
    """The tables of users and days: those named, and those in a folder, where an import leaves them aside."""
    inside = (each for path in paths for each in sorted(Path(path).glob(f"{_DAILY}.*")))
    return list(dict.fromkeys([*(each for each in files if each.name.startswith(_DAILY)), *inside]))


def _for_files(settings: Settings, timezone: str | None) -> Settings:
    """Settings under which files are loaded; all of it is checked afterwards, so no import is on its own."""
    imports = msgspec.structs.replace(settings.imports, check=False)
    return msgspec.structs.replace(settings, imports=imports, timezone=timezone or settings.timezone)


def _known(files: Sequence[Path]) -> list[Path]:
    """Files named as the generator and the preparation name them, where there are any; else all."""
    return [file for file in files if file.name.startswith(_TOLD_BY_NAME)] or list(files)
