"""The conversion rate, by an example small enough to count by hand."""

from __future__ import annotations

from datetime import date

from regulars.domain.query import Query, Range
from tests.oracle.conversion import conversion_rows
from tests.oracle.examples import column, event, world


def test_converters_and_actives_are_counted_by_themselves() -> None:
    """a buys on the 1st, b only looks, c's payment is renewed on the 2nd without c being there."""
    where = world(
        event("a", "2026-02-01", "purchase", platform="web"), event("b", "2026-02-01", platform="web"),
        event("c", "2026-02-02", "payment_success", platform="app"), event("b", "2026-02-03", platform="web"),
    )  # fmt: skip
    days = Range(start=date(2026, 2, 1), end=date(2026, 2, 3))
    rows = conversion_rows(where, Query(metric="conversion_rate", range=days))
    assert column(rows, "converted") == [1, 1, 0]
    assert column(rows, "active_users") == [2, 0, 1]
    assert column(rows, "conversion_rate") == [0.5, None, 0.0]
    assert rows[1]["people"] == {"converted": {"c"}, "active_users": set()}
    rolling = conversion_rows(where, Query(metric="conversion_rate", range=days, window=3))
    assert column(rolling, "conversion_rate") == [0.5, 1.0, 1.0]
    sliced = conversion_rows(where, Query(metric="conversion_rate", range=days, breakdown=("platform",)))
    assert [(row["platform"], row["converted"]) for row in sliced if row["date"] == date(2026, 2, 2)] == [
        ("web", 0), ("app", 1),
    ]  # fmt: skip
