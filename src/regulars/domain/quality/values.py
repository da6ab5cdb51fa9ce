"""Values of events and people: out of range, missing where they are usually there, new and gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regulars.domain.properties import PropertyNames, resolve, split_name
from regulars.domain.quality.declared import ValueRange
from regulars.domain.quality.record import EVENTS, Check, Look, complete_days
from regulars.domain.relations.rows import event_tables
from regulars.domain.schema import STORED_USER_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.sql import Values

SHIPPED_RANGES: Mapping[str, ValueRange] = {
    "quiz_score": ValueRange(at_least=0, at_most=100),
    "amount": ValueRange(at_least=0),
    "duration_seconds": ValueRange(at_least=0),
}
"""Minutes of watching are stored as ``duration_seconds``."""
RECENT_DAYS, BEFORE_DAYS = 7, 28
_FEW = 20  # events, below which shares say nothing
_MOSTLY = 0.5  # a field that more events lack than have is optional
_FIELDS = {
    "feature": "e.feature_key",
    "name": "e.event_name",
    "context": "e.action_context",
    "duration_seconds": "e.duration_seconds",
    "session_id": "e.client_session_id",
    "sequence": "e.sequence",
    "device": "e.device_key",
    "geo": "e.geography_key",
}
_PERSON = (*STORED_USER_ATTRIBUTES, "registration_date", "birth_date")


def _ranges(look: Look) -> dict[str, ValueRange]:
    return {**SHIPPED_RANGES, **look.ranges}


def _out_of_range(look: Look, values: Values) -> str:
    return "\nUNION ALL\n".join(_outside(name, limits, look, values) for name, limits in _ranges(look).items())


def _outside(name: str, limits: ValueRange, look: Look, values: Values) -> str:
    key = split_name(name)[1]
    spelled = name if "." in name else f"event.{name}"
    found = resolve(spelled, PropertyNames(event_properties=frozenset({key})), values)
    number = found.expression if found.numeric else f"rg_number({found.expression})"
    tests = [f"number < {values.add(float(limits.at_least))}"] if limits.at_least is not None else []
    tests += [f"number > {values.add(float(limits.at_most))}"] if limits.at_most is not None else []
    return f"""SELECT {values.add(name)} AS property, event_type, count(*) AS found,
  {values.add(_allowed(limits))} AS allowed, min(number) AS least, max(number) AS most, min(event_id) AS event_id
FROM (
  SELECT a.action_type AS event_type, e.event_id, {number} AS number
  {event_tables(found.expression, who="identities")}
  WHERE {found.expression} IS NOT NULL AND {look.events()}
) given WHERE number IS NULL OR {" OR ".join(tests)} GROUP BY event_type"""


def _allowed(limits: ValueRange) -> str:
    low, high = limits.at_least, limits.at_most
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"


def _valued(look: Look, _: Values) -> str:
    return f"""SELECT count(*) FROM fact_user_actions e
WHERE (e.action_metadata IS NOT NULL OR e.duration_seconds IS NOT NULL) AND {look.events()}"""


def _carried(condition: str, period: str = "'all'") -> str:
    """How many events of each type carry each field, in periods: properties, and the columns of their own."""
    names = ", ".join(f"'{name}'" for name in _FIELDS)
    counts = ", ".join(f"count({column})" for column in _FIELDS.values())
    return f"""
  SELECT action_key, period, field, count(*) AS n FROM (
    SELECT e.action_key, {period} AS period, unnest(json_keys(e.action_metadata)) AS field
    FROM fact_user_actions e WHERE e.action_metadata IS NOT NULL AND {condition}
  ) properties GROUP BY action_key, period, field
  UNION ALL
  SELECT action_key, period, unnest([{names}]) AS field, unnest(counts) AS n FROM (
    SELECT e.action_key, {period} AS period, [{counts}] AS counts FROM fact_user_actions e WHERE {condition}
    GROUP BY e.action_key, {period}
  ) columns_of_events"""


def _totals(condition: str, period: str = "'all'") -> str:
    return f"""
  SELECT e.action_key, {period} AS period, count(*) AS total
  FROM fact_user_actions e WHERE {condition} GROUP BY e.action_key, {period}"""


def _missing(look: Look, _: Values) -> str:
    condition = look.events()
    listed = ", ".join(f"'{name}'" for name in _PERSON)
    counts = ", ".join(f"count(u.{name})" for name in _PERSON)
    usual = f"total >= {_FEW} AND n >= {_MOSTLY} * total AND total - n > {look.limit} * total"
    return f"""WITH carried AS ({_carried(condition)}), totals AS ({_totals(condition)}
), people AS (
  SELECT unnest([{listed}]) AS field, unnest([{counts}]) AS n, count(*) AS total FROM dim_users u
  WHERE u.user_attributes IS NOT NULL
)
SELECT a.action_type AS event_type, c.field, t.total - c.n AS found, t.total AS events,
  round(100.0 * (t.total - c.n) / t.total, 1) AS percent_missing
FROM carried c JOIN totals t ON t.action_key = c.action_key JOIN dim_actions a ON a.action_key = c.action_key
WHERE {usual}
UNION ALL
SELECT '(people)', 'user.' || field, total - n, total, round(100.0 * (total - n) / total, 1)
FROM people WHERE {usual}"""


def _drifted(look: Look, _: Values) -> str:
    end = look.through or look.now.date()
    recent, before = end - timedelta(days=RECENT_DAYS), end - timedelta(days=RECENT_DAYS + BEFORE_DAYS)
    condition = f"e.day > DATE '{before}' AND e.day <= DATE '{end}' AND {look.events()}"
    period = f"CASE WHEN e.day > DATE '{recent}' THEN 'recent' ELSE 'before' END"
    return f"""WITH carried AS ({_carried(condition, period)}), totals AS ({_totals(condition, period)}
), both_periods AS (
  SELECT b.action_key, b.total AS before_total, r.total AS recent_total FROM totals b
  JOIN totals r ON r.action_key = b.action_key AND r.period = 'recent' WHERE b.period = 'before'
), shares AS (
  SELECT p.action_key, c.field, min(p.before_total) AS before_total, min(p.recent_total) AS recent_total,
    sum(CASE WHEN c.period = 'before' THEN c.n ELSE 0 END) AS before_n,
    sum(CASE WHEN c.period = 'recent' THEN c.n ELSE 0 END) AS recent_n
  FROM both_periods p JOIN carried c ON c.action_key = p.action_key
  WHERE p.before_total >= {_FEW} AND p.recent_total >= {_FEW} GROUP BY p.action_key, c.field
)
SELECT a.action_type AS event_type, s.field, CASE WHEN s.recent_n = 0 THEN 'gone' ELSE 'new' END AS change, 1 AS found,
  round(100.0 * s.before_n / s.before_total, 1) AS percent_before,
  round(100.0 * s.recent_n / s.recent_total, 1) AS percent_now
FROM shares s JOIN dim_actions a ON a.action_key = s.action_key
WHERE (s.recent_n = 0 AND s.before_n > {look.limit} * s.before_total)
  OR (s.before_n = 0 AND s.recent_n > {look.limit} * s.recent_total)"""


def _fields(look: Look, _: Values) -> str:
    condition = look.events()
    return f"SELECT count(*) FROM ({_carried(condition)}) carried WHERE n > 0"


CHECKS = (
    Check(
        name="out_of_range",
        title="Values out of range",
        words="Values that a property cannot have, and texts where a number belongs: `quiz_score` 0 to 100, `amount` "
        "and `duration_seconds` (minutes of watching too) at least 0, and what `[ranges.NAME]` declares.",
        fix="repair the sender; until then leave the values out with a filter such as `event.quiz_score <= 100`",
        severity="error",
        rows=_out_of_range,
        whole=_valued,
        judge="share",
        threshold=0.0,
        needs=(EVENTS,),
    ),
    Check(
        name="missing_values",
        title="Fields that are sometimes missing",
        words=f"Fields that most events of a type have, or most described people, and that some lack. Types with fewer "
        f"than {_FEW} events are left out, and fields that more lack than have: they are optional.",
        fix="ask whoever sends the events which version or platform leaves the field out",
        severity="info",
        rows=_missing,
        whole=_fields,
        noun="fields",
        counts="count(*)",
        limit=0.1,
        limit_words="share of events without the field",
        needs=(EVENTS,),
    ),
    Check(
        name="key_drift",
        title="Fields that appeared or disappeared",
        words=f"Fields of an event type that no event of the last {RECENT_DAYS} complete days has and some of the "
        f"{BEFORE_DAYS} days before had, or the other way round.",
        fix="a renamed property splits every breakdown by it; send both names for a while, or map the old one at the "
        "import",
        severity="warning",
        rows=_drifted,
        whole=_fields,
        noun="fields",
        order="event_type, field",
        limit=0.05,
        limit_words="share of events with the field in the other period",
        needs=(EVENTS, complete_days(RECENT_DAYS + BEFORE_DAYS)),
    ),
)
