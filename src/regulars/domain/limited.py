"""Questions that need raw events, in a workspace that has dropped the older ones.

What is answered from stored rows knows nothing of it. A statement that reads raw events is refused when it is asked
about days before the raw floor; when it only looks back on them, its rows are flagged ``truncated``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec

from regulars.domain.schema import FACT_USER_ACTIONS
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.context import Context
    from regulars.domain.frame import Frame
    from regulars.domain.query import Query
    from regulars.domain.sql import BoundSql

BEYOND_RETENTION = "beyond_retention"


def reads_events(*statements: BoundSql | None) -> bool:
    """Whether any of the statements reads raw events."""
    return any(each is not None and FACT_USER_ACTIONS.name in each.text for each in statements)


def limited_query(query: Query, frame: Frame, context: Context) -> tuple[Query, str | None]:
    """The question about those days only whose raw events are here, and a warning where that leaves some out.

    Errors: :class:`QueryError` ``beyond_retention``: the question names an earlier day itself.
    """
    floor, start = context.raw_floor, query.range.start
    if floor is None or (frame.first if start is None else start) >= floor:
        return query, None
    if start is not None or frame.asked_end < floor:
        raise QueryError(
            f"{query.metric}, asked like this, is counted from raw events, and those before {floor} were archived and "
            f"dropped ([retention] events_days); ask from {floor} on, or without what only single events know",
            code="beyond_retention", floor=floor.isoformat(),
        )  # fmt: skip
    narrowed = msgspec.structs.replace(query, range=msgspec.structs.replace(query.range, start=floor))
    return narrowed, (
        f"{BEYOND_RETENTION}: counted from raw events, and those before {floor} were archived and dropped; "
        "the range begins there"
    )


def refuse_dropped(day: date, what: str, context: Context) -> None:
    """Refuse what needs raw events of a day that were dropped.

    Errors: :class:`QueryError` ``beyond_retention``.
    """
    if context.raw_floor is not None and day < context.raw_floor:
        raise QueryError(
            f"{what} needs raw events from {day} on, and those before {context.raw_floor} were archived and "
            "dropped ([retention] events_days)",
            code="beyond_retention", floor=context.raw_floor.isoformat(),
        )  # fmt: skip


def limited_frame(frame: Frame, floor: date) -> Frame:
    """The frame of a statement that misses what lies before the floor."""
    return replace(frame, dropped_through=floor - timedelta(days=1), first_day=floor)
