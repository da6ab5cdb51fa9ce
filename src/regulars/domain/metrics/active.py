"""Who is active: rolling windows, calendar periods, new and returning people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.metrics.options import Option
from regulars.domain.metrics.record import Measure, Metric, ResultColumn, Shape
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.query import Query

DATE = ResultColumn("date", "date", "day", "First day of the bucket")


def _active_users(query: Query) -> Shape:
    if query.grain == "hour" and query.window is not None:
        raise QueryError(
            "a rolling window needs a day, week or month grain: at an hour grain each hour counts its own people",
            code="window_at_hour_grain",
        )
    if query.calendar is not None or (query.window is None and query.bucket != "day"):
        measures, window = (Measure("active_users", "period"),), None
    else:
        window = query.window or 1
        measures = (Measure("active_users", "rolling", window),)
    return Shape(measures, {"active_users": "active_users"}, window=window, people={"active_users": ("active_users",)})


ACTIVE_USERS = Metric(
    name="active_users",
    title="Active users",
    definition=(
        "People who were active on at least one day of the window: the window of w days that ends on d is the "
        "closed set of calendar days from d - w + 1 to d in the workspace's time zone. With a calendar period, "
        "people active at least once in it. Without either, people active in the bucket."
    ),
    source="Rolling windows of closed calendar days, as DAU, WAU and MAU are commonly read",
    columns=(
        DATE,
        ResultColumn("active_users", "integer", "people", "Distinct people who were active", counts_people=True),
    ),
    shape=_active_users,
    grains=("hour", "day", "week", "month"),
    takes_window=True,
    takes_calendar=True,
)


def _new_vs_returning(query: Query) -> Shape:
    by_registration = NEW_VS_RETURNING.option(query, "new_by") == "registration"
    measures = (Measure("new", "registered" if by_registration else "new"), Measure("active_users", "period"))
    columns = {"new": "new", "returning": "active_users - new", "active_users": "active_users"}
    people = {"new": ("new",), "returning": ("active_users", "new"), "active_users": ("active_users",)}
    return Shape(measures, columns, people=people)


NEW_VS_RETURNING = Metric(
    name="new_vs_returning",
    title="New and returning users",
    definition=(
        "Of the people active in the bucket: new are those whose first active day ever lies in it, returning are "
        "the rest. First ever is judged on the whole history for the same activity, never on the range asked for. "
        "With new_by=registration, new are those whose registration date lies in the bucket."
    ),
    source="Growth accounting, as practised by product analytics",
    columns=(
        DATE,
        ResultColumn("new", "integer", "people", "Active for the first time ever", counts_people=True),
        ResultColumn("returning", "integer", "people", "Active, and active before", counts_people=True),
        ResultColumn("active_users", "integer", "people", "New and returning together", counts_people=True),
    ),
    shape=_new_vs_returning,
    options=(Option("new_by", "What makes a person new", "first_activity", ("first_activity", "registration")),),
    takes_window=False,
)
