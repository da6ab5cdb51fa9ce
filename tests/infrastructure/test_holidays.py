"""Public holidays in the calendar dimension."""

from __future__ import annotations

import pytest

import regulars
from regulars.errors import SettingsError
from regulars.settings import Settings


def marked(settings: Settings) -> list[tuple[object, ...]]:
    """What the calendar says of New Year and the day after."""
    with regulars.open(settings=settings) as ws:
        return ws.sql("SELECT is_holiday, holiday_name FROM dim_dates WHERE date_key IN (20260101, 20260102)").rows


def test_without_a_country_nothing_is_known_about_holidays() -> None:
    """Unknown is missing, not False."""
    assert marked(Settings()) == [(None, None), (None, None)]


def test_a_country_marks_its_public_holidays() -> None:
    """New Year is one in Germany, the day after is none."""
    pytest.importorskip("holidays")
    first, second = marked(Settings(holidays="DE"))
    assert first[0] is True
    assert first[1]
    assert second == (False, None)


def test_a_country_that_does_not_exist_is_refused() -> None:
    """The error names the value and the form that is wanted."""
    pytest.importorskip("holidays")
    with pytest.raises(SettingsError, match="ISO code"):
        marked(Settings(holidays="Atlantis"))
