"""Which rows can be loaded, and the reason why another cannot: one ordered list of rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.events import CLOCK_TOLERANCE
from regulars.errors import SourceError
from regulars.infrastructure.loading.times import SECOND, bounds, instant, local_to_utc, microseconds

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.columns import Columns
    from regulars.infrastructure.importers.source import Source
    from regulars.settings import Settings

FIELDS = "rg_fields"  # the source with a name and a type for each role
RAW = "rg_raw"  # each row as JSON text, by line
EVENTS = "rg_events"  # with UTC microseconds and the reason for a refusal


@dataclass(frozen=True)
class Rule:
    """A row for which ``condition`` holds is rejected with ``reason``; ``detail`` is SQL of a text."""

    reason: str
    condition: str
    detail: str


@dataclass(frozen=True)
class Summary:
    """What one pass over the checked rows tells."""

    rows: int
    accepted: int
    with_id: int
    first_us: int | None
    last_us: int | None
    future: int
    linking: int


def rules(settings: Settings) -> tuple[Rule, ...]:
    """The rules in the order in which they are asked; the first that holds gives the reason."""
    low, high = bounds(settings.timezone)
    most = settings.imports.name_characters
    names = ("action_type", "event_name", "feature")
    long_name = " OR ".join(f"length({name}) > {most}" for name in names)
    return (
        Rule("no_event_type", "action_type IS NULL", "'the row has no event type'"),
        Rule(
            "no_identity",
            "known_id IS NULL AND anonymous_id IS NULL",
            "'neither user id nor anonymous id names anybody'",
        ),
        Rule("bad_time", "us IS NULL", "coalesce('no time: ' || left(time_text, 100), 'the time is missing')"),
        Rule(
            "time_out_of_range",
            f"us < {low} OR us >= {high}",
            f"'outside {instant(low)} to {instant(high)} UTC: ' || left(time_text, 100)",
        ),
        Rule("name_too_long", long_name, f"'a name has at most {most} characters'"),
        Rule(
            "value_too_long",
            "too_long IS NOT NULL",
            f"'over {settings.imports.string_bytes} bytes: ' || too_long",
        ),
        Rule("bad_number", "bad_number IS NOT NULL", "bad_number"),
        Rule("bad_json", "bad_object IS NOT NULL", "bad_object"),
    )


def naive_rule() -> Rule:
    """The rule that turns away a time that names no zone, where it may not refuse its neighbours."""
    return Rule("naive_time", "zone IS NULL AND wall IS NOT NULL", "'the time names no zone: ' || left(time_text, 100)")


def refuse_naive_times(engine: DuckDBEngine, source: Source, columns: Columns) -> None:
    """Refuse a source with times that name no zone, because each of them is a guess."""
    ((count, first),) = engine.fetch(f"""
        SELECT count(*), arg_min(time_text, line)
        FROM {FIELDS} WHERE zone IS NULL AND wall IS NOT NULL""")
    if count:
        name = columns.roles["timestamp"].name
        raise SourceError(
            f"{source.name}: {count} times in column {name!r} name no time zone, first {first!r}; "
            'say which one they are in: --timezone UTC, or timezone="UTC"',
            code="naive_time", count=count, value=first, column=name,
        )  # fmt: skip


def utc_microseconds(engine: DuckDBEngine, timezone: str | None) -> str:
    """SQL of UTC microseconds over ``rg_fields``; naive times are read in ``timezone``."""
    zoned = f"wall - zone * {SECOND}"
    if timezone is None:
        return zoned
    if timezone == "UTC":
        return f"wall - coalesce(zone, 0) * {SECOND}"
    low, high = bounds("UTC")
    ((first, last),) = engine.fetch(
        f"SELECT min(wall), max(wall) FROM {FIELDS} WHERE zone IS NULL AND wall BETWEEN {low} AND {high}"
    )
    if first is None:
        return f"CASE WHEN zone IS NULL THEN wall ELSE {zoned} END"
    return f"CASE WHEN zone IS NULL THEN {local_to_utc('wall', timezone, first, last)} ELSE {zoned} END"


def create_events(engine: DuckDBEngine, us: str, checks: tuple[Rule, ...]) -> None:
    """Make the view of all rows with their UTC time and the reason for a refusal."""
    cases = " ".join(f"WHEN {rule.condition} THEN '{rule.reason}'" for rule in checks)
    engine.execute(f"""
        CREATE OR REPLACE TEMP VIEW {EVENTS} AS
        SELECT *, CASE {cases} END AS reason FROM (SELECT *, {us} AS us FROM {FIELDS})""")


def summarise(engine: DuckDBEngine, now: datetime, columns: Columns) -> Summary:
    """Count what can be loaded, in one pass."""
    late = microseconds(now + CLOCK_TOLERANCE)
    (row,) = engine.fetch(f"""
        SELECT count(*), coalesce(sum(accepted), 0),
               {_with_id(columns)},
               min(us) FILTER (accepted = 1), max(us) FILTER (accepted = 1),
               count(*) FILTER (accepted = 1 AND us > {late}),
               {_linking(columns)}
        FROM (SELECT *, CASE WHEN reason IS NULL THEN 1 ELSE 0 END AS accepted FROM {EVENTS})""")
    return Summary(*(None if value is None else int(value) for value in row))  # type: ignore[arg-type]


def _with_id(columns: Columns) -> str:
    item = columns.get("event_id")
    if item is None:
        return "0"
    # Reading all ids only to count them is a third of this pass.
    return "coalesce(sum(accepted), 0)" if item.tidy and item.complete else "count(event_id) FILTER (accepted = 1)"


def _linking(columns: Columns) -> str:
    if "user_id" not in columns or not ("anonymous_id" in columns or "previous_id" in columns):
        return "0"
    return (
        "count(*) FILTER (accepted = 1 AND (merges OR action_type IN ('identify', 'alias')) "
        "AND known_id IS NOT NULL AND anonymous_id IS NOT NULL)"
    )
