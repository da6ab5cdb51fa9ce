"""A number in words: what it means, what it was counted from, and one cell of it down to single events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from regulars.domain.result import Result

SOURCES = {
    "aggregates": "sums that every load keeps up to date (tables agg_*)",
    "arrivals": "the stored active days of every person (table arrivals)",
    "sessions": "the stored sessions (table user_sessions)",
    "events": "raw events (table fact_user_actions)",
}
_SHOWN = 3


class Evidence(NamedTuple):
    """One event that made a person count. ``at`` is local time with its offset."""

    user_id: str
    at: datetime
    action: str
    event_id: str


def in_words(result: Result) -> list[str]:
    """Definition, question, days, population, completeness, source: one line each."""
    excluded = result.population.get("excluded", {})
    left_out = ", ".join(f"{count} {name}" for name, count in excluded.items()) or "nobody"
    return [
        result.definition,
        "",
        f"Asked: {_asked(result)}.",
        f"Days are calendar days in {result.timezone}. Data until {result.watermark}.",
        f"Complete through {result.complete_through}.",
        f"Activity: {result.query.activity}. Population: {result.query.population}.",
        f"{result.population.get('total', 0)} people in the range; excluded: {left_out}.",
        *([f"Answered from {SOURCES[result.source]}, definitions {result.definitions}."] if result.sql else []),
        *result.warnings,
    ]


def _asked(result: Result) -> str:
    query = result.query
    parts = [query.metric.replace("_", " "), f"per {query.bucket}"]
    parts += [f"in a window of {query.window} days"] if query.window else []
    parts += [f"by calendar {query.calendar}"] if query.calendar else []
    parts += [f"counting {query.actor}"] if query.actor != "user" else []
    parts += [f"by {', '.join(query.breakdown)}"] if query.breakdown else []
    parts += [f"{name}={value}" for name, value in sorted(query.options.items()) if value is not None]
    parts += [f"{len(query.filters)} conditions"] if query.filters else []
    if result.rows and "date" in result.rows[0]:
        parts.append(f"{result.rows[0]['date']} to {result.rows[-1]['date']}")
    return ", ".join(parts)


def cell_in_words(
    result: Result,
    row: Mapping[str, Any],
    column: str,
    people: Sequence[str],
    evidence: Sequence[Evidence],
    *,
    without: str = "no event in the range",
) -> list[str]:
    """A cell, some of its people, and the events of theirs that count; ``without`` is said of who has none."""
    told = [
        c.name for c in result.columns if c.type in ("date", "text") or (c.type == "integer" and c.unit != "people")
    ]
    unnamed = next((flag for flag in ("other", "end") if flag in row.get("flags", ())), "none")
    place = ", ".join(f"{name} {unnamed if row[name] is None else row[name]}" for name in told)
    lines = [f"For example {column} = {len(people)}{f' ({place})' if place else ''}:"]
    for user_id in people[:_SHOWN]:
        own = [one for one in evidence if one.user_id == user_id]
        shown = "; ".join(f"{one.at:%Y-%m-%d %H:%M} {one.action}" for one in own[:_SHOWN])
        more = f"; and {len(own) - _SHOWN} more" if len(own) > _SHOWN else ""
        lines.append(f"  {user_id}: {shown or without}{more}")
    if len(people) > _SHOWN:
        lines.append(f"  and {len(people) - _SHOWN} more people")
    return lines
