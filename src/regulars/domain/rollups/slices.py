"""Active days inside the slices of an event property."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.activity import qualifies
from regulars.domain.dimensions import event_property
from regulars.domain.rollups.daily import events_of_people

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from regulars.domain.context import ActivityRule, Context
    from regulars.domain.sql import Values


def sliced_days(
    names: Sequence[str], rules: Sequence[ActivityRule], context: Context, values: Values, *, since: date | None
) -> str:
    """Per value of event properties, person and day: how many events qualify, as n0, n1, ... per activity.

    ``since`` is the first dirty day: only the days of dirty people since theirs are counted.
    """
    tests = [qualifies(rule, context, values) for rule in rules]
    counted = "".join(f",\n  count(CASE WHEN {test} THEN 1 END) AS n{number}" for number, test in enumerate(tests))
    return "\nUNION ALL\n".join(
        f"""SELECT {values.add(found.stored_name)} AS dimension, {found.label} AS value, i.user_key, e.day{counted}
{events_of_people(found.label, *tests, values=values, since=since)}
GROUP BY {found.label}, i.user_key, e.day"""
        for found in (event_property(name, values) for name in names)
    )
