"""Every error a user can meet, in one tree.

::

    RegularsError                       root: catch this one
    ├── QueryError (ValueError)         the question is wrong
    │   └── UnknownNameError (LookupError)  a name that nobody declared
    ├── SettingsError (ValueError)      regulars.toml is wrong
    ├── EventError (ValueError)         one event or record is wrong
    ├── SourceError (ValueError)        a file or table to import is wrong
    ├── SessionLimitError (RuntimeError)    a stream has more open than it may hold
    ├── WorkspaceError (RuntimeError)   no workspace, or one that cannot be used
    │   └── WorkspaceLockedError        another process holds it
    ├── JournalError (RuntimeError)     an event could not be kept, or read back
    ├── MissingExtraError (ImportError) an optional library is not installed
    └── EngineError (RuntimeError)      the database refused or failed
        └── UnsupportedError            this engine, or this version, cannot do that

Each message says what is wrong, which value, what is allowed, and what to do next. ``code`` is stable
and meant for programs; ``exit_code`` is what the command line returns.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class RegularsError(Exception):
    """The root of the tree. ``code`` names the case, ``fields`` holds the values in the message."""

    default_code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, code: str | None = None, **fields: object) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.fields = fields

    def __str__(self) -> str:
        return self.message


class QueryError(RegularsError, ValueError):
    """The question cannot be asked like this."""

    default_code = "bad_query"
    exit_code = 2


class UnknownNameError(QueryError, LookupError):
    """A metric, activity, property, option or setting that does not exist."""

    default_code = "unknown_name"

    def __init__(
        self, kind: str, name: str, allowed: Iterable[str], *, code: str | None = None, hint: str = ""
    ) -> None:
        names = sorted(allowed)
        parts = [f"unknown {kind} {name!r}", did_you_mean(name, names), hint]
        super().__init__("; ".join(p for p in parts if p), code=code, kind=kind, name=name, allowed=names)


class SettingsError(RegularsError, ValueError):
    """The settings file has a wrong key or value."""

    default_code = "bad_settings"
    exit_code = 2


class EventError(RegularsError, ValueError):
    """One event breaks a rule of the event format."""

    default_code = "bad_event"


class SourceError(RegularsError, ValueError):
    """A file, frame or list cannot be read as events or users."""

    default_code = "bad_source"


class SessionLimitError(RegularsError, RuntimeError):
    """A stream of events would hold more sessions, or a longer one, than its bound allows; nothing was changed."""

    default_code = "session_limit"


class WorkspaceError(RegularsError, RuntimeError):
    """There is no workspace here, or it cannot be used."""

    default_code = "no_workspace"


class WorkspaceLockedError(WorkspaceError):
    """Another process has the workspace open; the message names it."""

    default_code = "workspace_locked"


class JournalError(RegularsError, RuntimeError):
    """The journal could not keep an event, or cannot be read; the driver's own error is the cause."""

    default_code = "journal_failed"


class MissingExtraError(RegularsError, ImportError):
    """A library that is optional is needed for this call."""

    default_code = "missing_extra"

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {library}, which is not installed; run: pip install 'regulars[{extra}]'",
            library=library,
            extra=extra,
        )


class EngineError(RegularsError, RuntimeError):
    """The database refused or failed; the driver's own error is the cause."""

    default_code = "engine_failed"


class UnsupportedError(EngineError):
    """The engine or its version cannot do what was asked."""

    default_code = "unsupported"


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Name the nearest allowed spelling, or list what there is when nothing is near.

    >>> did_you_mean("actve_users", ["active_users", "stickiness"])
    "did you mean 'active_users'?"
    >>> did_you_mean("xyz", ["active_users", "stickiness"])
    'allowed: active_users, stickiness'
    """
    names = sorted(allowed)
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")  # noqa: PLR2004 -- a screen line
    return f"allowed: {shown}" if names else ""
