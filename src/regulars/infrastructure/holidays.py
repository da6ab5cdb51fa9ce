"""Public holidays of the calendar dimension, from the ``holidays`` library where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.schema import FIRST_DATE, LAST_DATE
from regulars.errors import SettingsError

if TYPE_CHECKING:
    from regulars.infrastructure.engines.duckdb import DuckDBEngine


def fill_holidays(engine: DuckDBEngine, country: str | None) -> None:
    """Mark a country's public holidays in dim_dates; without the library, or a country, they stay unknown.

    Nothing is done when the calendar knows this country already.
    """
    known = engine.query("SELECT value FROM workspace_state WHERE name = 'holidays'").rows
    if (known[0][0] if known else None) == country:
        return
    days = _public_holidays(country) if country else {}
    if days is None:
        return
    with engine.transaction():
        unknown = "NULL" if country is None else "FALSE"
        engine.execute(f"UPDATE dim_dates SET is_holiday = {unknown}, holiday_name = NULL")
        if days:
            engine.execute(
                """UPDATE dim_dates SET is_holiday = TRUE, holiday_name = h.name
FROM (SELECT unnest($1::DATE[]) AS day, unnest($2::VARCHAR[]) AS name) h WHERE h.day = dim_dates.full_date""",
                [list(days), list(days.values())],
            )
        engine.execute("DELETE FROM workspace_state WHERE name = 'holidays'")
        if country is not None:
            engine.execute("INSERT INTO workspace_state VALUES ('holidays', $1)", [country])


def _public_holidays(country: str) -> dict[str, str] | None:
    try:
        import holidays  # noqa: PLC0415 -- optional
    except ImportError:
        return None
    years = range(int(FIRST_DATE[:4]), int(LAST_DATE[:4]) + 1)
    try:
        found = holidays.country_holidays(country, years=years)
    except NotImplementedError:
        raise SettingsError(
            f"holidays = {country!r} is no country the holidays library knows; use an ISO code such as 'DE'",
            value=country,
        ) from None
    return {day.isoformat(): name for day, name in sorted(found.items())}
