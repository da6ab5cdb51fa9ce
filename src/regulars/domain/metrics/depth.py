"""How much people do when they are active."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.record import Measure, Metric, Option, ResultColumn, Shape

if TYPE_CHECKING:
    from regulars.domain.query import Query


def _actions(query: Query) -> Shape:
    measures = [Measure("actions", "actions"), Measure("users", "period")]
    columns = {
        "actions": "actions",
        "users": "users",
        "actions_per_user": "CAST(actions AS DOUBLE) / nullif(users, 0)",
    }
    if ACTIONS.option(query, "weighted"):
        measures.append(Measure("weighted_actions", "weight"))
        columns["weighted_actions"] = "CAST(weighted_actions AS DOUBLE)"
    return Shape(tuple(measures), columns, people={"users": ("users",)})


ACTIONS = Metric(
    name="actions",
    title="Actions",
    definition=(
        "Actions that qualify for the activity, on days on which their user was active, per bucket; the distinct "
        "people who did them, and actions per person. weighted=true adds the sum of the action weights."
    ),
    source="Event counts; break down by action for counts by type",
    columns=(
        DATE,
        ResultColumn("actions", "integer", "actions", "Qualifying actions"),
        ResultColumn("users", "integer", "people", "Distinct people who did them", counts_people=True),
        ResultColumn("actions_per_user", "number", "actions per person", "actions / users"),
        ResultColumn("weighted_actions", "number", "weight points", "Sum of action weights (weighted=true only)"),
    ),
    shape=_actions,
    grains=("hour", "day", "week", "month"),
    options=(Option("weighted", "Add the sum of action weights", default=False, choices=(False, True)),),
)
