"""Growth accounting: who is new, stays, comes back, and falls silent, from one period to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.options import Option
from regulars.domain.metrics.record import Measure, Metric, ResultColumn, Shape

if TYPE_CHECKING:
    from regulars.domain.query import Query

# So far back that the bucket before the first one is whole.
_LEAD = {"day": 1, "week": 7, "month": 31}
_COLUMNS = {
    "new": "new",
    "retained": "retained",
    "resurrected": "active_users - new - retained",
    "churned": "previous - retained",
    "active_users": "active_users",
    "quick_ratio": "CAST(active_users - retained AS DOUBLE) / nullif(previous - retained, 0)",
}


def _lifecycle(query: Query) -> Shape:
    by_registration = LIFECYCLE.option(query, "new_by") == "registration"
    return Shape(
        (
            Measure("new", "joined" if by_registration else "new"),
            Measure("retained", "retained"),
            Measure("previous", "previous"),
            Measure("active_users", "period"),
        ),
        _COLUMNS,
        lead_days=_LEAD[query.grain] * query.range.every,
        people={
            "new": ("new",),
            "retained": ("retained",),
            "resurrected": ("active_users", "new", "retained"),
            "churned": ("previous", "retained"),
            "active_users": ("active_users",),
        },
        judged_once=True,
    )


LIFECYCLE = Metric(
    name="lifecycle",
    title="Lifecycle",
    definition=(
        "People of each period (day, week or month) by what they did in the one before. New: active for the first time "
        "ever, judged on the whole history for the same activity. Retained: active in this period and the one before. "
        "Resurrected: active now, not in the period before, but earlier. Churned: active in the period before and not "
        "in this one, a positive number. So active_users = new + retained + resurrected, and retained + churned are "
        "the active users of the period before. quick_ratio is what came over what went, (new + resurrected) / "
        "churned; it is undefined when nobody churned. One silent period is no farewell: who churned may be "
        "resurrected later. With new_by=registration, new are those whose registration date lies in the period."
    ),
    source="Growth accounting; the quick ratio of subscription businesses, applied to people",
    columns=(
        DATE,
        ResultColumn("new", "integer", "people", "Active for the first time ever", counts_people=True),
        ResultColumn("retained", "integer", "people", "Active in this period and the one before", counts_people=True),
        ResultColumn("resurrected", "integer", "people", "Back after a silent period or more", counts_people=True),
        ResultColumn("churned", "integer", "people", "Active in the period before, silent in this", counts_people=True),
        ResultColumn("active_users", "integer", "people", "new + retained + resurrected", counts_people=True),
        ResultColumn("quick_ratio", "number", "came per person who went", "(new + resurrected) / churned"),
    ),
    shape=_lifecycle,
    options=(
        Option(
            "new_by",
            "What makes a person new; by registration, who was active before it stays retained or resurrected",
            "first_activity",
            ("first_activity", "registration"),
        ),
    ),
    chart="flows",
)
