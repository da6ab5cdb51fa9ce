"""Who enters which cohort, and when: from stored active days, or from single events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regulars.domain.calendar import epoch_day
from regulars.domain.relations import counts, moments, slices
from regulars.domain.relations.occurrences import at_entry, occurrences
from regulars.domain.relations.scope import day_number, listed, where

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.relations.scope import Scope, Source
    from regulars.domain.statement import Statement

Cohort = Literal["first_time", "first_matching", "first_in_range", "recurring", "registration"]
UNDATED = {"undated": "people without a registration date, who are in no cohort"}
_WHOLE_HISTORY = ("first_time", "first_matching")
# Equal times: the client's count decides, then the id; what has no count comes last.
ORDER = "at, coalesce(sequence, 9223372036854775807), event_id"


@dataclass(frozen=True)
class Entry:
    """What opens a cohort.

    ``marks`` are conditions on single events (``begins``: before filters, ``starts``, ``returns``), or None when active
    days tell it all. ``is_each``: every start event opens a count of its own.
    """

    cohort: Cohort
    marks: Mapping[str, str] | None = None
    is_each: bool = False


def members(statement: Statement, source: Source, entry: Entry) -> dict[str, str]:
    """The relations up to ``members``: one row per entry.

    Columns: ``user_key``, ``slice``, the cohort's ``date`` and ``last_day``, the ``day`` of the entry, and, from
    events, its instant ``at`` (missing for a registration) and ``event_id``. Returns can be found in ``chain`` (active
    days), or in ``events`` (single events, ``returns = 1``).
    """
    scope, frame, values = statement.scope, statement.frame, statement.values
    named = moments.validities(scope, frame)
    if entry.marks is None:
        named |= {} if entry.cohort == "registration" else statement.chain(source)
    else:
        since = "" if entry.cohort in _WHOLE_HISTORY else values.add(frame.first)
        named["events"] = occurrences(statement, entry.marks, first=since)
    named["days"] = counts.days(frame, values)
    named["entered"] = _entered(statement, entry)
    extra = "" if entry.marks is None else ", h.at, h.event_id"
    judged = at_entry(scope, "entered", f"h.date, h.last_day{extra}")
    named["entries"] = judged
    if scope.breakdown:
        named["slices"] = slices.ranked(scope, "count(DISTINCT user_key)", "1", "entries")
    named["members"] = _members(statement, entry, extra.replace("h.", "e."))
    return named


def _entered(statement: Statement, entry: Entry) -> str:
    """Entries in the range, each with its cohort, before values that change with time are looked at."""
    scope, frame = statement.scope, statement.frame
    first, last = epoch_day(frame.first), epoch_day(frame.last)
    own = list(dict(scope.stored_segments()))
    if entry.cohort == "registration":
        return _registered(statement, with_instants=entry.marks is not None)
    if entry.marks is not None:
        parts = own if scope.by_event and entry.cohort != "first_time" else []
        return _picked(entry, "events", own, parts, f"day BETWEEN {first} AND {last}")
    tests = {
        "first_in_range": f"(c.gap IS NULL OR c.day - c.gap < {first})",
        "recurring": "(c.gap IS NULL OR c.day - c.gap < d.first_day)",
    }
    test = tests.get(entry.cohort, "c.gap IS NULL")
    return f"""
SELECT c.user_key, {listed(own, "c")}c.day, d.date, d.last_day
FROM chain c JOIN days d ON d.day = c.day
WHERE c.day BETWEEN {first} AND {last} AND {test}"""


def _registered(statement: Statement, *, with_instants: bool) -> str:
    scope = statement.scope
    first, last = epoch_day(statement.frame.first), epoch_day(statement.frame.last)
    day = day_number("u.registration_date")
    own = "".join(f"{found.label} AS {name}, " for name, found in scope.stored_segments())
    none = ", CAST(NULL AS BIGINT) AS at, CAST(NULL AS VARCHAR) AS event_id" if with_instants else ""
    tests = [f"{day} BETWEEN {first} AND {last}", *scope.users_condition()]
    return f"""
SELECT u.user_key, {own}{day} AS day, d.date, d.last_day{none}
FROM dim_users u JOIN days d ON d.day = {day}
{where(tests)}"""


def undated(scope: Scope) -> str:
    """The SELECT for how many people no cohort of registrations can hold, whatever its range, as ``left_out``."""
    tests = ["u.registration_date IS NULL", *scope.users_condition()]
    return f"SELECT 'undated' AS reason, count(*) AS people FROM dim_users u\n{where(tests)}"


def _picked(entry: Entry, table: str, own: list[str], parts: list[str], in_range: str) -> str:
    """The start events that are entries, of events marked in a table: the first per person and part, or per bucket."""
    begins = "begins" if entry.cohort == "first_time" else "starts"
    bounds = "" if entry.cohort in _WHOLE_HISTORY else f" AND {in_range}"
    partition = ", ".join(["user_key", *parts, *(["date"] if entry.cohort == "recurring" else [])])
    place = "1" if entry.is_each else f"row_number() OVER (PARTITION BY {partition} ORDER BY {ORDER})"
    # Outside the range there is no bucket, and none is needed: the first event ever may lie there.
    return f"""
SELECT user_key, {listed(own)}day, date, last_day, at, event_id
FROM (
  SELECT user_key, {listed(own)}day, date, last_day, at, event_id, starts, {place} AS place
  FROM (
    SELECT o.user_key, {listed(own, "o")}o.day, o.at, o.sequence, o.event_id, o.starts, d.date, d.last_day
    FROM {table} o LEFT JOIN days d ON d.day = o.day WHERE o.{begins} = 1
  ) begun WHERE 1 = 1{bounds}
) ordered
WHERE place = 1 AND starts = 1 AND {in_range}"""


def _members(statement: Statement, entry: Entry, extra: str) -> str:
    scope, frame = statement.scope, statement.frame
    if scope.by_event and entry.cohort != "first_time":
        # What lies beyond the limit is one slice, with a first event of its own.
        in_range = f"day BETWEEN {epoch_day(frame.first)} AND {epoch_day(frame.last)}"
        return _picked(entry, f"({sliced_events(scope)})", ["slice"], ["slice"], in_range)
    slice_, join = "1", ""
    if scope.breakdown:
        slice_ = "k.slice"
        join = "JOIN slices k ON " + " AND ".join(f"k.{name} = e.{name}" for name in scope.segments)
    return f"""
SELECT e.user_key, {slice_} AS slice, e.day, e.date, e.last_day{extra}
FROM entries e {join}"""


def sliced_events(scope: Scope) -> str:
    """Events with the slice in which their own value is shown."""
    matches = " AND ".join(f"k.{name} = o.{name}" for name in scope.segments)
    return f"""
SELECT o.user_key, o.day, o.at, o.sequence, o.event_id, o.begins, o.starts, o.returns,
  coalesce(k.slice, {scope.limit + 1}) AS slice
FROM events o LEFT JOIN slices k ON {matches}"""
