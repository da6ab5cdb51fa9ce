"""From one cell of a result to the people it counts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from regulars.domain.activity import chosen_events
from regulars.domain.calendar import EPOCH, epoch_day
from regulars.domain.limited import reads_events, refuse_dropped
from regulars.domain.metrics import find_metric
from regulars.domain.plan import choose_source, resolve_question, without_alias
from regulars.domain.relations.cells import Cell
from regulars.domain.relations.rows import event_tables
from regulars.domain.relations.scope import day_number, where
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.context import Context
    from regulars.domain.metrics.record import Shape
    from regulars.domain.query import Query
    from regulars.domain.relations.scope import Source
    from regulars.domain.sql import BoundSql
    from regulars.domain.statement import Statement


def plan_people(
    query: Query, context: Context, row: Mapping[str, Any], column: str | None = None, source: Source | None = None
) -> BoundSql | None:
    """The SELECT for the ids of the people behind one cell; None while there is nothing to show.

    ``row`` is a row of the result: its date, its breakdown values, and the flag ``other`` for the rest. ``column``
    may be left out when only one column counts people.
    """
    query = without_alias(query)
    statement, _, shape = resolve_question(query, find_metric(query.metric), context, keep_people=True)
    if statement is None:
        return None
    measure, *without = shape.people[_column(query, shape, column, row)]
    cell = Cell(measure, tuple(without), _instant(statement, row.get("date")), _slice(query, row))
    found = statement.values.bind(statement.people(source or choose_source(statement), cell, row))
    if reads_events(found):
        refuse_dropped(_last_day(statement, row.get("date")), "listing these people", context)
    return found


def plan_events(query: Query, context: Context, row: Mapping[str, Any], people: list[str]) -> BoundSql | None:
    """The SELECT for the events that make given people count in a row, in their order; None while there are none."""
    query = without_alias(query)
    metric = find_metric(query.metric)
    statement, scope, _ = resolve_question(query, metric, context, keep_people=True)
    if statement is None:
        return None
    values = statement.values
    first, last = _reach(statement, row.get("date"))
    refuse_dropped(
        EPOCH + timedelta(days=max(first, epoch_day(statement.frame.first_day))), "showing these events", context
    )
    named = [chosen_events(one, context, values) for one in metric.events(query)]
    either = " OR ".join(f"({test})" for test in named) or scope.qualifies
    number, who = day_number(scope.day), "u.user_id" if scope.is_about_users else scope.key
    tests = [
        f"({either})",
        *scope.event_conditions,
        f"{who} IN ({values.add_all(tuple(people))})",
        f"{number} BETWEEN {first} AND {last}",
    ]
    return values.bind(f"""
SELECT {who} AS user_id, rg_epoch_us(e.action_timestamp) AS at, a.action_type, e.event_id
{event_tables(*tests)}
{where(tests)}
ORDER BY user_id, at, e.event_id""")


def _reach(statement: Statement, shown: object) -> tuple[int, int]:
    """The first and last day whose events can matter to a row."""
    frame, shape = statement.frame, statement.shape
    if not shape.dated:
        return epoch_day(frame.scan_from), epoch_day(frame.scan_to)
    if statement.hourly:
        day = epoch_day(date.fromisoformat(str(shown)[:10]))
        return day, day
    end = _instant(statement, shown)
    start = epoch_day(date.fromisoformat(str(shown)))
    return min(start - shape.lead_days, end - shape.lookback), max(
        end, epoch_day(frame.scan_to) * (shape.ahead_days > 0)
    )


def _last_day(statement: Statement, shown: object) -> date:
    """The last day of a row."""
    if statement.hourly:
        return date.fromisoformat(str(shown)[:10])
    return EPOCH + timedelta(days=_instant(statement, shown))


def _column(query: Query, shape: Shape, column: str | None, row: Mapping[str, Any]) -> str:
    countable = list(shape.people)
    if column is None and len(countable) == 1:
        column = countable[0]
    if column is None and countable:
        raise QueryError(f"say which column: {', '.join(countable)}", code="which_column")
    if column is None or column not in shape.people:
        listed = ", ".join(countable) or "none"
        raise QueryError(
            f"the cells of {column or query.metric} count no people; columns that do: {listed}", code="no_people"
        )
    if column in row and row[column] is None:
        raise QueryError(f"{column} is undefined in this row, so it counts nobody", code="no_people")
    return column


def _instant(statement: Statement, shown: object) -> int:
    if statement.hourly:
        try:
            return int(datetime.fromisoformat(str(shown)).timestamp())
        except ValueError:
            raise QueryError(f"{shown!r} is no hour of this result", code="no_such_row") from None
    frame = statement.frame
    if not statement.shape.dated:
        return epoch_day(frame.last)
    try:
        day = shown if isinstance(shown, date) else date.fromisoformat(str(shown))
    except ValueError:
        day = None
    if day is None or not frame.first <= day <= frame.last or frame.bucket_start(day) != day:
        raise QueryError(f"{shown!r} is no row of this result; dates are those of its rows", code="no_such_row")
    return epoch_day(min(frame.bucket_end(day), frame.last))


def _slice(query: Query, row: Mapping[str, Any]) -> tuple[str, ...] | None:
    if "other" in (row.get("flags") or ()):
        return None
    for name in query.breakdown:
        if row.get(name) is None:
            raise QueryError(
                f"the row has no value for {name!r}; give one for each of: {', '.join(query.breakdown)}",
                code="no_such_row", name=name,
            )  # fmt: skip
    return tuple(str(row[name]) for name in query.breakdown)
