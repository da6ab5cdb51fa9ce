"""How values are read, whatever their spelling: SQL from a text to a time, a date, a number, a word, a yes or no.

What cannot be read is NULL. Nothing is guessed: 01/02/2025 is a date only where the column shows elsewhere which
part of it is the day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from regulars.domain.dialect import NUMBER_PATTERN
from regulars.domain.events import BLANKS, JUNK_IDS
from regulars.synthetic.sql import literal

if TYPE_CHECKING:
    from typing import Literal

    DayOrder = Literal["day", "month"] | None

_PLAIN_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}Z$"
_TIME = (
    r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:(?:T| +)(\d{1,2}):(\d{2})(?::(\d{2}(?:[.,]\d{1,9})?))?)?"
    r" ?(Z|z|UTC|GMT|[+-](?:0\d|1[0-8])(?::?[0-5]\d)?)?$"
)
_SLASHED = r"^(\d{1,2})[/-](\d{1,2})[/-](\d{4})$"
_DATES = (
    (r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ].*)?$", r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}", ("%Y-%m-%d",)),
    (r"^\d{8}$", r"^.*$", ("%Y%m%d",)),
    (r"^\d{1,2}\.\d{1,2}\.\d{4}$", r"^.*$", ("%d.%m.%Y",)),
    (r"^\d{1,2}[ -]\pL+[ -]\d{4}$", r"^.*$", ("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%B-%Y")),
    (r"^\pL+ \d{1,2},? \d{4}$", r"^.*$", ("%b %d %Y", "%B %d %Y", "%b %d, %Y", "%B %d, %Y")),
)
_FIRST_DATE, _LAST_DATE = "1900-01-01", "2199-12-31"
_SECOND = 1_000_000
_YES, _NO = ("true", "t", "1", "yes", "y"), ("false", "f", "0", "no", "n")
LARGEST: Final = 1e12
"""Numbers from here on are no minutes, scores or amounts; below it, sums of six decimals are exact."""


def trimmed(value: str) -> str:
    """SQL of a text without blanks around it; nothing but blanks is missing."""
    # Trimming a set of characters is ten times as slow as looking at the ends.
    plain = f"ascii({value}) BETWEEN 33 AND 126 AND ascii({value}[-1]) BETWEEN 33 AND 126"
    return f"CASE WHEN {plain} THEN {value} ELSE nullif(trim({value}, {literal(BLANKS)}), '') END"


def usable_id(text: str) -> str:
    """SQL of an id that is missing when it is one of the words that name nobody."""
    words = ", ".join(literal(word) for word in JUNK_IDS)
    longest = max(len(word) for word in JUNK_IDS)
    return f"CASE WHEN strlen({text}) > {longest} OR lower({text}) NOT IN ({words}) THEN {text} END"


def number(text: str) -> str:
    """SQL of a finite number of ordinary size."""
    value = f"TRY_CAST({text} AS DOUBLE)"
    return (
        f"CASE WHEN regexp_matches({text}, {literal(NUMBER_PATTERN)}) AND abs({value}) < {LARGEST:.0f} THEN {value} END"
    )


def word(text: str) -> str:
    """SQL of a name in lower case with underscores: ``Video Watch`` and ``videoWatch`` are ``video_watch``."""
    parted = f"regexp_replace({text}, '([a-z0-9])([A-Z])', '\\1_\\2', 'g')"
    joined = f"regexp_replace(lower({parted}), '[\\s./-]+', '_', 'g')"
    return f"CASE WHEN regexp_matches({text}, '^[a-z0-9_]+$') THEN {text} ELSE {joined} END"


def yes_or_no(text: str) -> str:
    """SQL of a boolean."""
    listed = {answer: ", ".join(map(literal, words)) for answer, words in (("true", _YES), ("false", _NO))}
    cases = " ".join(f"WHEN lower({text}) IN ({words}) THEN {answer}" for answer, words in listed.items())
    return f"CASE {cases} END"


def moment(text: str) -> str:
    """SQL of a time as a naive UTC timestamp; a text that names no zone is UTC, and so are numbers since 1970."""
    parts = f"regexp_extract({text}, {literal(_TIME)}, ['y', 'm', 'd', 'h', 'min', 's', 'zone'])"
    return f"""CASE
        WHEN regexp_matches({text}, {literal(_PLAIN_TIME)}) THEN TRY_CAST(left({text}, 19) AS TIMESTAMP)
        WHEN regexp_matches({text}, '^\\d{{9,17}}$') THEN {_epoch(f"CAST({text} AS BIGINT)")}
        WHEN regexp_matches({text}, {literal(_TIME)}) THEN {_composed(parts)}
        END"""


def utc_time(column: str, *, text: bool) -> str:
    """SQL of a naive UTC timestamp as it is written: with its zone, as text for CSV."""
    if not text:
        return f"make_timestamptz(epoch_us({column}))"
    whole = f"epoch_us({column}) % {_SECOND} = 0"
    return (
        f"CASE WHEN {whole} THEN strftime({column}, '%Y-%m-%dT%H:%M:%SZ') "
        f"ELSE strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ') END"
    )


def _epoch(value: str) -> str:
    """Seconds, milliseconds or microseconds, told apart by their size."""
    return (
        f"make_timestamp(CASE WHEN {value} < {10**11} THEN {value} * {_SECOND} "
        f"WHEN {value} < {10**14} THEN {value} * 1000 ELSE {value} END)"
    )


def _composed(parts: str) -> str:
    wall = (
        f"TRY_CAST(concat({parts}.y, '-', lpad({parts}.m, 2, '0'), '-', lpad({parts}.d, 2, '0'), ' ', "
        f"lpad(coalesce(nullif({parts}.h, ''), '0'), 2, '0'), ':', coalesce(nullif({parts}.min, ''), '00'), ':', "
        f"coalesce(nullif(replace({parts}.s, ',', '.'), ''), '00')) AS TIMESTAMP)"
    )
    digits = f"replace({parts}.zone, ':', '')"
    hours, minutes = (f"coalesce(TRY_CAST(substr({digits}, {at}, 2) AS INTEGER), 0)" for at in (2, 4))
    offset = (
        f"to_minutes(CASE left({digits}, 1) WHEN '+' THEN 1 WHEN '-' THEN -1 ELSE 0 END * ({hours} * 60 + {minutes}))"
    )
    return f"{wall} - {offset}"


def date(text: str, order: DayOrder) -> str:
    """SQL of a date; ``order`` says which part of 01/02/2025 comes first, None that nobody knows."""
    cases = []
    for pattern, part, formats in _DATES:
        taken = f"replace(regexp_extract({text}, {literal(part)}), '/', '-')"
        listed = ", ".join(map(literal, formats))
        cases.append(f"WHEN regexp_matches({text}, {literal(pattern)}) THEN try_strptime({taken}, [{listed}])")
    if order:
        form = "%d-%m-%Y" if order == "day" else "%m-%d-%Y"
        slashed = f"try_strptime(replace({text}, '/', '-'), '{form}')"
        cases.append(f"WHEN regexp_matches({text}, {literal(_SLASHED)}) THEN {slashed}")
    value = f"CAST(CASE {' '.join(cases)} END AS DATE)"
    return f"CASE WHEN {value} BETWEEN DATE '{_FIRST_DATE}' AND DATE '{_LAST_DATE}' THEN {value} END"


def order_evidence(text: str) -> str:
    """SQL of two aggregates: does any 31/01/2025 show that days come first, any 01/31/2025 that months do."""
    parts = f"regexp_extract({text}, {literal(_SLASHED)}, ['first', 'second', 'year'])"
    first, second = (f"coalesce(TRY_CAST({parts}.{name} AS INTEGER), 0) > 12" for name in ("first", "second"))
    return f"coalesce(bool_or({first}), false), coalesce(bool_or({second}), false)"


def day_order(evidence: tuple[bool, bool]) -> DayOrder:
    """What a column shows about the order of its parts; both or neither is no answer.

    >>> day_order((True, False)), day_order((False, False)), day_order((True, True))
    ('day', None, None)
    """
    days_first, months_first = evidence
    if days_first == months_first:
        return None
    return "day" if days_first else "month"
