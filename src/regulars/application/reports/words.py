"""Numbers, days and changes in words, as a reader who is no analyst expects them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
SHARES = ("ratio", "share")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def number(value: float | None, unit: str) -> str:
    """A value in the unit of its column; a dash where it is undefined.

    >>> number(1318, "people"), number(0.4187, "ratio"), number(152.9, "seconds")
    ('1,318', '41.9%', '2 min 33 s')
    """
    if value is None:
        return DASH
    if unit in SHARES:
        return f"{value:.1%}"
    if unit.startswith("seconds"):
        return duration(value)
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:,.2f}"  # noqa: PLR2004


def duration(seconds: float) -> str:
    """Seconds in the two greatest units that matter.

    >>> duration(48), duration(152.9), duration(7320), duration(200000)
    ('48 s', '2 min 33 s', '2 h 2 min', '2 d 7 h')
    """
    whole = round(seconds)
    for size, name, smaller, lesser in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {lesser}" if rest else "")
    return f"{whole} s"


def counted(value: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "person", "people"), counted(1318, "person", "people")
    ('1 person', '1,318 people')
    """
    return f"{value:,} {noun if value == 1 else plural or f'{noun}s'}"


def in_days(value: float) -> str:
    """A number of days, which may be a half.

    >>> in_days(1), in_days(2.5)
    ('1 day', '2.5 days')
    """
    return f"{value:g} day{'' if value == 1 else 's'}"


def day(when: date, *, year: bool = False) -> str:
    """A day as one writes it.

    >>> from datetime import date
    >>> day(date(2025, 4, 1)), day(date(2025, 4, 1), year=True)
    ('1 Apr', '1 Apr 2025')
    """
    return f"{when.day} {when:%b}" + (f" {when.year}" if year else "")


def days(first: date, last: date, *, year: bool = False) -> str:
    """A stretch of days as one writes it; a year is said where the days lie in two of them, or when asked for.

    >>> from datetime import date
    >>> for end in (date(2025, 4, 30), date(2025, 5, 13), date(2026, 1, 1)):
    ...     print(days(date(2025, 4, 1), end).replace(DASH, "-"))
    1-30 Apr
    1 Apr - 13 May
    1 Apr 2025 - 1 Jan 2026
    """
    if first == last:
        return day(first, year=year)
    if first.year != last.year:
        return f"{day(first, year=True)} {DASH} {day(last, year=True)}"
    if first.month != last.month:
        return f"{day(first)} {DASH} {day(last, year=year)}"
    return f"{first.day}{DASH}{day(last, year=year)}"


def listed(parts: Sequence[str]) -> str:
    """Parts as a sentence lists them.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
