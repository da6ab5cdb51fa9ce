"""Who of a cohort came back in which period, and how far each cohort can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regulars.domain.calendar import day_ends_at, epoch_day
from regulars.domain.relations import slices
from regulars.domain.relations.cohorts import sliced_events
from regulars.domain.relations.counts import tick
from regulars.domain.timezones import epoch_second

if TYPE_CHECKING:
    from regulars.domain.calendar import Buckets
    from regulars.domain.relations.cohorts import Entry
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

Clock = Literal["calendar", "anchored", "rolling"]
Unit = Literal["hour", "day", "week", "month"]
DAYS: dict[Unit, int] = {"hour": 0, "day": 1, "week": 7, "month": 30}
_MICROSECONDS: dict[Unit, int] = {unit: days * 86_400_000_000 or 3_600_000_000 for unit, days in DAYS.items()}


@dataclass(frozen=True)
class Periods:
    """Which periods are looked at.

    ``spans`` are pairs (first, last) of period numbers by ``clock``; a period has ``every`` units. ``is_open``: a
    return in a later period counts too. ``least`` return events are needed within a span, ``in_first`` in the one that
    holds the start; ``counts_start``: the start event is a return event of period 0 itself. ``matches``: the return
    must have the value of the start.
    """

    clock: Clock
    unit: Unit
    every: int
    spans: tuple[tuple[int, int], ...]
    is_open: bool
    least: int
    in_first: int
    counts_start: bool
    matches: bool

    @property
    def last(self) -> int:
        """The last period that is looked at."""
        return self.spans[-1][1]

    @property
    def is_plain(self) -> bool:
        """Whether a span is one period."""
        return all(first == last for first, last in self.spans)

    @property
    def takes_one(self) -> bool:
        """Whether one return event is enough in every period."""
        return self.least == self.in_first == 1


def kept(statement: Statement, source: Source, entry: Entry, periods: Periods) -> dict[str, str]:
    """The relation ``kept``: cohort, slice, person, and the ``period`` in which the person came back.

    A person has one row per period in it, and per entry where each opens a count of its own.
    """
    is_by_day = entry.marks is None
    named = _by_active_days(statement, source, entry, periods) if is_by_day else _by_events(statement, entry, periods)
    span = _span_of("period", periods)
    columns = f"date, last_day, slice, user_key{', entry' if entry.is_each else ''}"
    if is_by_day and periods.takes_one and periods.is_plain:
        named["kept"] = f"SELECT {columns}, period FROM returned WHERE period <= {periods.last}"
        return named
    needed = f"CASE WHEN {span} = {periods.spans[0][0]} THEN {periods.in_first} ELSE {periods.least} END"
    needs, having = f", actions, {needed} AS needed", "\nHAVING sum(actions) >= max(needed)"
    if periods.takes_one:
        needs = having = ""
    named["kept"] = f"""
SELECT {columns}, period FROM (
  SELECT {columns}, {span} AS period{needs}
  FROM returned WHERE period <= {periods.last}
) spanned WHERE period IS NOT NULL
GROUP BY {columns}, period{having}"""
    return named


def _by_active_days(statement: Statement, source: Source, entry: Entry, periods: Periods) -> dict[str, str]:
    """The active days of members by period; only the first of each period where one return is enough."""
    named, table = {}, "chain"
    if source == "arrivals":
        # The members are chosen already: nobody's attributes have to be looked at again.
        named, table = {"visits": statement.visits()}, "visits"
    elif entry.cohort == "registration":
        named = statement.chain(source)
    buckets = statement.frame.buckets
    number = _by_days("c.day", "m.day", periods, buckets)
    tests = ["c.day >= m.day"]
    if periods.takes_one:
        later = f"{_by_days('c.day - c.gap', 'm.day', periods, buckets)} < {number}"
        if periods.clock == "calendar":
            later = f"{tick('c.day - c.gap', buckets)} < {tick('c.day', buckets)}"
        # A registration need not fall on an active day, so others may lie before it in its own period.
        before = " OR c.day - c.gap < m.day" if entry.cohort == "registration" else ""
        tests.append(f"(c.gap IS NULL OR {later}{before})")
    named["returned"] = f"""
SELECT m.date, m.last_day, m.slice, m.user_key, {number} AS period, c.actions
FROM members m JOIN {table} c ON c.user_key = m.user_key
WHERE {" AND ".join(tests)}"""
    return named


def _by_events(statement: Statement, entry: Entry, periods: Periods) -> dict[str, str]:
    """The return events of members by period."""
    at = f"floor((c.at - m.at) / {_MICROSECONDS[periods.unit] * periods.every}.0)"
    number = at if periods.clock == "rolling" else _by_days("c.day", "m.day", periods, statement.frame.buckets)
    events = f"({sliced_events(statement.scope)})" if periods.matches else "events"
    same = " AND c.slice = m.slice" if periods.matches else ""
    tests = ["c.returns = 1"]
    if entry.cohort == "registration":
        tests.append("c.day >= m.day")
    else:
        tests += ["c.at >= m.at", *([] if periods.counts_start else ["c.event_id <> m.event_id"])]
    own = ", m.event_id AS entry" if entry.is_each else ""
    return {
        "returned": f"""
SELECT m.date, m.last_day, m.slice, m.user_key{own}, {number} AS period, 1 AS actions
FROM members m JOIN {events} c ON c.user_key = m.user_key{same}
WHERE {" AND ".join(tests)}"""
    }


def _by_days(later: str, sooner: str, periods: Periods, buckets: Buckets) -> str:
    """How many periods lie between two days."""
    if periods.clock == "anchored":
        days = DAYS[periods.unit] * periods.every
        return f"{later} - {sooner}" if days == 1 else f"floor(({later} - {sooner}) / {days}.0)"
    return f"{tick(later, buckets)} - {tick(sooner, buckets)}"


def _span_of(period: str, periods: Periods) -> str:
    if periods.is_plain:
        return period
    cases = " ".join(f"WHEN {period} BETWEEN {first} AND {last} THEN {first}" for first, last in periods.spans)
    return f"CASE {cases} END"


def counted(statement: Statement, entry: Entry, periods: Periods) -> dict[str, str]:
    """The relations from ``kept`` to ``grid``: every cell that has begun, and the people in it."""
    people = "kept"
    if entry.is_each or periods.is_open:
        last = "max(period)" if periods.is_open else "period"
        group = "date, slice, user_key" + ("" if periods.is_open else ", period")
        people = f"(SELECT date, slice, user_key, {last} AS period FROM kept GROUP BY {group}) one"
    return {
        "sizes": """
SELECT date, slice, count(DISTINCT user_key) AS people, %s AS last_at FROM members GROUP BY date, slice"""
        % ("max(at)" if periods.clock == "rolling" else "0"),
        "backs": f"SELECT date, slice, period, count(*) AS people FROM {people} GROUP BY date, slice, period",
        "grid": _grid(statement, periods),
    }


def _grid(statement: Statement, periods: Periods) -> str:
    """Cohorts by periods that have begun, with the last day on which the period can change."""
    frame, unit = statement.frame, periods.unit
    numbers = " UNION ALL ".join(f"SELECT {first} AS period, {last} AS through" for first, last in periods.spans)
    if periods.is_plain:
        through = str(periods.last) if periods.is_open else "epoch_day"
        numbers = f"""
SELECT epoch_day AS period, {through} AS through FROM dim_dates WHERE epoch_day BETWEEN 0 AND {periods.last}"""
    days = max(DAYS[unit], 1) * periods.every
    joins = ""
    if periods.clock == "calendar" and unit == "month":
        months = f"""(
  SELECT tick, min(epoch_day) AS opens, max(epoch_day) AS closes
  FROM (SELECT epoch_day, {tick("epoch_day", frame.buckets, "(year - 1970) * 12 + month - 1")} AS tick FROM dim_dates) d
  GROUP BY tick
)"""
        opens, closes = "a.opens", "z.closes"
        joins = f"""
JOIN {months} a ON a.tick = {tick("c.first_day", frame.buckets)} + n.period
JOIN {months} z ON z.tick = {tick("c.first_day", frame.buckets)} + n.through"""
    elif unit == "hour":
        opens, closes = "c.first_day + floor(n.period / 24.0)", "c.last_day + floor((n.through + 1) / 24.0) + 1"
    else:
        opens, until = (
            f"c.first_day + n.period * {days}",
            "c.first_day" if periods.clock == "calendar" else "c.last_day",
        )
        closes = f"{until} + n.through * {days} + {days - 1}"
    return f"""
SELECT c.date, n.period, n.through, {opens} AS opens, {closes} AS closes
FROM (SELECT date, min(first_day) AS first_day, max(last_day) AS last_day FROM days GROUP BY date) c
CROSS JOIN ({numbers}) n{joins}
WHERE {opens} <= {epoch_day(frame.scan_to)}"""


def rows(statement: Statement, periods: Periods) -> str:
    """The SELECT for the rows: cohort, slice, period, its size, those who came back, whether that is final.

    The last column but one tells whether the period lies within the data, from its first day on.
    """
    scope, frame = statement.scope, statement.frame
    back = "coalesce(b.people, 0)"
    if periods.is_open:
        back = f"sum({back}) OVER (PARTITION BY g.date, k.slice ORDER BY g.period DESC ROWS UNBOUNDED PRECEDING)"
    done = f"g.closes <= {epoch_day(frame.complete_through)}"
    if periods.clock == "rolling":
        end = epoch_second(day_ends_at(frame.complete_through, statement.context.timezone)) * 1_000_000
        reach = f"s.last_at + (g.through + 1) * {_MICROSECONDS[periods.unit] * periods.every}"
        done = f"CASE WHEN s.last_at IS NULL THEN {done} ELSE {reach} <= {end} END"
    size = "coalesce(s.people, 0)"
    through = "" if periods.is_plain else "g.through AS period_end, "
    return f"""
SELECT g.date, {slices.shown_columns(scope)}g.period, {through}{size} AS cohort_size,
  CAST({back} AS BIGINT) AS retention_users, CAST({back} AS DOUBLE) / nullif({size}, 0) AS retention,
  {done} AS is_complete, g.opens >= {epoch_day(frame.first_day)} AS is_seen, {slices.is_other(scope)} AS is_other
FROM grid g CROSS JOIN ({slices.axis(scope)}) k
LEFT JOIN sizes s ON s.date = g.date AND s.slice = k.slice
LEFT JOIN backs b ON b.date = g.date AND b.slice = k.slice AND b.period = g.period
ORDER BY g.date, k.slice, g.period"""
