"""Engines by name: the ones that come along, and those that other packages register.

A package registers a factory under the entry point group ``regulars.engines``; it is called with the options of the
settings and returns a :class:`regulars.application.ports.ServingEngine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from regulars.errors import EngineError, RegularsError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

    from regulars.application.ports import ServingEngine

GROUP = "regulars.engines"
EMBEDDED = "duckdb"
_MEMBERS = ("dialect", "query", "snapshot", "create_schema", "replace", "close")
_SHIPPED = {"clickhouse": "regulars.infrastructure.engines.clickhouse:connect"}


def engine_names() -> list[str]:
    """The names that ``[engine] name`` may have."""
    return sorted({EMBEDDED, *_factories()})


def make_engine(name: str, options: Mapping[str, Any]) -> ServingEngine:
    """Make the engine that is registered under a name.

    Errors: :class:`UnknownNameError` ``unknown_engine``; :class:`EngineError` when the package fails.
    """
    found = _factories().get(name)
    if found is None:
        listed = f"installed are: {', '.join(engine_names())}"
        raise UnknownNameError("engine", name, engine_names(), code="unknown_engine", hint=listed)
    try:
        engine = found.load()(**options)
    except RegularsError:
        raise
    except Exception as exc:  # a package of somebody else's may fail in any way
        raise EngineError(f"the engine {name!r} ({found.value}) could not be made: {exc}", code="bad_engine") from exc
    return checked(engine, name)


def checked(engine: object, name: str) -> ServingEngine:
    """Refuse what cannot serve, before the first question does."""
    missing = [member for member in _MEMBERS if not hasattr(engine, member)]
    if missing:
        raise EngineError(
            f"the engine {name!r} has no {', '.join(missing)}; an engine that serves has {', '.join(_MEMBERS)}",
            code="bad_engine", missing=missing,
        )  # fmt: skip
    return cast("ServingEngine", engine)


def _factories() -> dict[str, EntryPoint]:
    from importlib.metadata import EntryPoint, entry_points  # noqa: PLC0415 -- slow, and only another engine needs it

    shipped = [EntryPoint(name, value, GROUP) for name, value in _SHIPPED.items()]
    return {point.name: point for point in (*shipped, *entry_points(group=GROUP))}
