"""How much of a period people are active in: DAU/MAU and its relatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.options import Option
from regulars.domain.metrics.record import Measure, Metric, ResultColumn, Shape
from regulars.domain.rules import MAX_WINDOW
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.query import Query

_RATIO = "CAST(numerator AS DOUBLE) / nullif(denominator, 0)"
_SUMMARIES = {"mean": "avg({})", "min": "min({})", "max": "max({})", "median": "rg_quantile({}, 0.5)"}


def _stickiness(query: Query) -> Shape:
    methods = {"ratio": _ratio, "mean": _mean_share, "return": _next_day_return}
    shape = methods[str(STICKINESS.option(query, "method"))](query)
    summary = STICKINESS.option(query, "summary")
    return _summarised(shape, str(summary)) if summary else shape


def _windows(query: Query) -> tuple[int, int]:
    numerator, denominator = STICKINESS.option(query, "numerator"), query.window or 30
    if not isinstance(numerator, int) or numerator > denominator:
        raise QueryError(
            f"the numerator's window ({numerator} days) must not be longer than the denominator's ({denominator})",
            code="bad_window",
        )
    return numerator, denominator


def _ratio(query: Query) -> Shape:
    numerator, denominator = _windows(query)
    return Shape(
        (Measure("numerator", "rolling", numerator), Measure("denominator", "rolling", denominator)),
        {"numerator": "numerator", "denominator": "denominator", "stickiness": _RATIO},
        window=denominator,
        people={"numerator": ("numerator",), "denominator": ("denominator",)},
    )


def _mean_share(query: Query) -> Shape:
    numerator, denominator = _windows(query)
    window = f"(PARTITION BY slice ORDER BY day ROWS BETWEEN {denominator - 1} PRECEDING AND CURRENT ROW)"
    mean = f"CAST(sum(numerator) OVER {window} AS DOUBLE) / {denominator}"
    return Shape(
        (Measure("numerator", "rolling", numerator), Measure("denominator", "rolling", denominator)),
        {"numerator": mean, "denominator": "denominator", "stickiness": f"{mean} / nullif(denominator, 0)"},
        lead_days=denominator - 1,
        window=denominator + numerator - 1,
        people={"denominator": ("denominator",)},
    )


def _next_day_return(query: Query) -> Shape:
    if query.window is not None or "numerator" in query.options:
        raise QueryError("method=return compares two neighbouring days; it takes no window", code="bad_window")
    seen = "CASE WHEN day < :last_seen THEN {} END"  # of a day later nothing is known
    return Shape(
        (Measure("numerator", "next_day"), Measure("denominator", "rolling", 1)),
        {
            "numerator": seen.format("numerator"),
            "denominator": "denominator",
            "stickiness": seen.format(_RATIO),
        },
        ahead_days=1,
        window=1,
        people={"numerator": ("numerator",), "denominator": ("denominator",)},
    )


def _summarised(shape: Shape, summary: str) -> Shape:
    return Shape(
        shape.measures,
        shape.columns,
        shape.lead_days,
        shape.ahead_days,
        summary=_SUMMARIES[summary],
        window=shape.window,
        notes=("numerator and denominator are empty: a summary of daily ratios has none of its own",),
    )


STICKINESS = Metric(
    name="stickiness",
    title="Stickiness",
    definition=(
        "Actives of a short window over actives of a long one on the same day, by default DAU/MAU with a 30-day "
        "month. Read it as the mean share of the window's days on which a monthly user is active, not as the share "
        "of users who come daily. method=mean divides the mean daily actives of the window by its actives; "
        "method=return is the share of a day's users who are active on the next day; summary gives the mean, "
        "minimum, maximum or median of the daily ratio over complete days. Undefined when nobody was active."
    ),
    source="DAU/MAU ratio; next-day return share",
    columns=(
        DATE,
        ResultColumn("numerator", "number", "people", "Actives of the short window", counts_people=True),
        ResultColumn("denominator", "integer", "people", "Actives of the long window", counts_people=True),
        ResultColumn("stickiness", "number", "ratio", "numerator / denominator"),
    ),
    shape=_stickiness,
    options=(
        Option("numerator", "Window of the numerator, in days", 1, largest=MAX_WINDOW),
        Option("method", "How the two counts are put together", "ratio", ("ratio", "mean", "return")),
        Option("summary", "Summarise the daily ratio per bucket", None, (None, "mean", "min", "max", "median")),
    ),
    takes_window=True,
)
