"""One house for every test here: a workspace in memory, or in a folder that is closed and opened again on the way."""

from datetime import UTC, datetime, timedelta

import pytest

import regulars

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


class House:
    """A service on a workspace whose clock the test sets; :meth:`reopen` is what a restart of the program does."""

    def __init__(self, folder, **keywords):
        self.folder, self.keywords, self.moment = folder, keywords, MONDAY
        self._open()

    def _open(self):
        self.ws = regulars.open(self.folder, clock=lambda: self.moment, **self.keywords)
        self.service = regulars.UserAnalyticsMetricsService(self.ws)

    def reopen(self):
        """A workspace in memory does not outlive its process, so there nothing happens."""
        if self.folder is not None:
            self.ws.close()
            self._open()
        return self.service

    def at(self, text):
        """Set the clock to a time in UTC."""
        self.moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return self.service

    def later(self, **lapse):
        """Let time pass."""
        self.moment += timedelta(**lapse)
        return self.service

    def did(self, user_id, *days, event_type="like"):
        """Let a person do something at nine in the morning of days of March 2026, as MM-DD or whole dates."""
        for day in days:
            date = day if len(day) > 5 else f"2026-{day}"
            self.ws.track(user_id, event_type, timestamp=f"{date}T09:00:00Z")


@pytest.fixture(params=["memory", "folder"])
def house(request, tmp_path):
    """The same promises hold in memory and in a folder."""
    folder = regulars.init(tmp_path / "shop") if request.param == "folder" else None
    place = House(folder)
    yield place
    place.ws.close()


@pytest.fixture
def memory():
    """Where the place makes no difference."""
    place = House(None)
    yield place
    place.ws.close()
