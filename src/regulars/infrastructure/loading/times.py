"""Times of any spelling to microseconds, and local time, with offsets as data.

A time is read as *wall* microseconds since 1970 and the *zone*, its offset in seconds; a naive time has no zone.
Numbers are UTC: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds. ISO text
ends in Z, UTC, GMT or an offset, or is naive. 24:00 is the next midnight, second 60 is the second that follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from regulars.domain.calendar import offsets
from regulars.domain.events import BLANKS
from regulars.domain.wire import time_bounds
from regulars.infrastructure.loading.sql import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.infrastructure.importers.columns import Field

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- naive UTC
_DAY = timedelta(days=1)
_MAGNITUDES = ((10**11, SECOND, 1), (10**14, 1000, 1), (10**17, 1, 1), (10**19, 1, 1000))
_ISO = (
    r"^(\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)?)"
    r"(?: ?(Z|z|UTC|GMT|[+-](?:0\d|1[0-8])(?::?[0-5]\d)?))?$"
)
# What nearly every client sends, which DuckDB reads by itself.
PLAIN = r"\d{4}-\d{2}-\d{2}[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.]\d{1,6})?(?:Z|[+]00:00)"
_ZONED_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")


@dataclass(frozen=True)
class Times:
    """How a column of times is read: SQL of the wall microseconds (NULL: no time) and of the zone (NULL: naive).

    ``beside``: columns that both read, to be put beside those of the source one after the other.
    """

    wall: str
    zone: str
    beside: Mapping[str, str] = field(default_factory=dict)


def read_times(column: Field, role: str) -> Times:
    """How the column of a role is read, by its type."""
    value, type = column.sql, column.type
    if type in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"):
        return Times(f"epoch_us(CAST({value} AS TIMESTAMPTZ))", "0")
    if type.startswith("TIMESTAMP") or type == "DATE":
        return Times(f"epoch_us(CAST({value} AS TIMESTAMP))", "CAST(NULL AS BIGINT)")
    if type in _ZONED_NUMBERS:
        return Times(_epoch(f"TRY_CAST({value} AS BIGINT)"), "0")
    if type.startswith(("DOUBLE", "FLOAT", "DECIMAL")):
        return Times(_epoch_of_fraction(f"CAST({value} AS DOUBLE)"), "0")
    return _of_text(value if type == "VARCHAR" else f"CAST({value} AS VARCHAR)", role)


def _epoch(number: str) -> str:
    cases = " ".join(
        f"WHEN abs({number}) < {limit} THEN {number} * {factor} // {divisor}"
        for limit, factor, divisor in _MAGNITUDES[:-1]
    )
    return f"CASE {cases} ELSE {number} // 1000 END"


def _epoch_of_fraction(number: str) -> str:
    cases = " ".join(
        f"WHEN abs({number}) < {limit} THEN TRY_CAST(round({number} * {factor} / {divisor}) AS BIGINT)"
        for limit, factor, divisor in _MAGNITUDES
    )
    return f"CASE WHEN NOT isfinite({number}) THEN NULL {cases} END"


def _of_text(value: str, role: str) -> Times:
    # Written out where they are used, the patterns would be compiled anew for each of fifteen places.
    plain, text, parts = (f"rg_{role}_{name}" for name in ("plain", "text", "parts"))
    wall_us, zone_seconds = _of_parts(text, parts)
    return Times(
        f"CASE WHEN {plain} THEN epoch_us(TRY_CAST({value} AS TIMESTAMP)) ELSE {wall_us} END",
        f"CASE WHEN {plain} THEN 0 ELSE {zone_seconds} END",
        {
            plain: f"regexp_full_match({value}, {literal(PLAIN)})",
            text: f"CASE WHEN NOT {plain} THEN trim({value}, {literal(BLANKS)}) END",
            parts: f"CASE WHEN NOT {plain} THEN regexp_extract({text}, {literal(_ISO)}, ['wall', 'zone']) END",
        },
    )


def _of_parts(text: str, parts: str) -> tuple[str, str]:
    wall, zone = f"replace({parts}.wall, ',', '.')", f"{parts}.zone"
    whole = _is_match(text, r"^[+-]?\d{1,18}$")
    fraction = _is_match(text, r"^[+-]?(\d{19}|\d{1,19}\.\d*|\d(\.\d+)?[eE]\+?\d\d?)$")
    leap = f"substr({wall}, 17, 3) = ':60'"
    wall_us = f"""CASE
        WHEN {wall} <> '' AND {leap}
        THEN epoch_us(TRY_CAST(substr({wall}, 1, 16) || ':59' || substr({wall}, 20) AS TIMESTAMP)) + {SECOND}
        WHEN {wall} <> '' THEN epoch_us(TRY_CAST({wall} AS TIMESTAMP))
        WHEN {whole} THEN {_epoch(f"CAST({text} AS BIGINT)")}
        WHEN {fraction} THEN {_epoch_of_fraction(f"TRY_CAST({text} AS DOUBLE)")}
        END"""
    digits = f"replace({zone}, ':', '')"
    hours, minutes = (f"coalesce(TRY_CAST(substr({digits}, {at}, 2) AS BIGINT), 0)" for at in (2, 4))
    offset = f"({hours} * 3600 + {minutes} * 60)"
    zone_seconds = f"""CASE
        WHEN {wall} = '' THEN 0
        WHEN {zone} = '' THEN NULL
        WHEN {zone} IN ('Z', 'z', 'UTC', 'GMT') THEN 0
        WHEN starts_with({zone}, '-') THEN -{offset}
        ELSE {offset} END"""
    return wall_us, zone_seconds


def _is_match(text: str, pattern: str) -> str:
    return f"regexp_matches({text}, {literal(pattern)})"


def instant(microseconds: int) -> datetime:
    """A naive UTC datetime of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of a naive UTC datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def bounds(timezone: str) -> tuple[int, int]:
    """First and one past the last microsecond whose UTC day and local day both lie in ``dim_dates``."""
    low, high = time_bounds(timezone)
    return microseconds(low), microseconds(high)


def utc_to_local(us: str, timezone: str, low: int, high: int) -> str:
    """SQL of local microseconds of UTC microseconds that lie between ``low`` and ``high``."""
    found = offsets(timezone, instant(low), instant(high) + _DAY)
    steps = [(microseconds(offset.starts_at), offset.seconds * SECOND) for offset in found]
    return _shifted(us, steps, "+")


def local_to_utc(wall: str, timezone: str, low: int, high: int) -> str:
    """SQL of UTC microseconds of local ones between ``low`` and ``high``, as ``zoneinfo`` does with fold=0.

    An hour that happens twice is its first occurrence; one that is skipped is moved on by the skipped hour.
    """
    found = offsets(timezone, instant(low) - 2 * _DAY, instant(high) + 2 * _DAY)
    steps = [(microseconds(found[0].starts_at), found[0].seconds * SECOND)]
    for before, after in pairwise(found):
        # A gap belongs to the offset before it, and so does the first pass through a fold.
        begins = microseconds(after.starts_at) + max(before.seconds, after.seconds) * SECOND
        steps.append((begins, after.seconds * SECOND))
    return _shifted(wall, steps, "-")


def _shifted(expression: str, steps: list[tuple[int, int]], sign: str) -> str:
    if len(steps) == 1:
        return expression if steps[0][1] == 0 else f"({expression} {sign} ({steps[0][1]}))"
    return f"({expression} {sign} {_step_function(expression, steps)})"


def _step_function(expression: str, steps: list[tuple[int, int]]) -> str:
    """A balanced tree of CASE, so that a hundred transitions cost seven comparisons."""
    if len(steps) == 1:
        return f"({steps[0][1]})"
    middle = len(steps) // 2
    before, after = _step_function(expression, steps[:middle]), _step_function(expression, steps[middle:])
    return f"CASE WHEN {expression} < {steps[middle][0]} THEN {before} ELSE {after} END"
