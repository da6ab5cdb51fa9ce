"""What a correct analysis of the generated data must find, collected while it is written."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from regulars.synthetic.activity import DAY, present, session_chance
from regulars.synthetic.billing import TICKET_CHANCE, payment_chance

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.synthetic.events import Events
    from regulars.synthetic.options import GeneratorOptions
    from regulars.synthetic.population import Population

LISTED_USERS: Final = 200_000
"""Up to this many users, truth.json names the churn date of each churner; beyond, it only counts them."""


class Truth:
    """The known answers, added up over the blocks of users."""

    def __init__(self, options: GeneratorOptions) -> None:
        self._options = options
        self._counts: Counter[str] = Counter()
        self._expected_days = 0.0
        self._expected_session_days = 0.0
        self._churn_dates: dict[str, str] = {}
        self.injected: Counter[str] = Counter()

    def add(self, people: Population, events: Events, injected: dict[str, int]) -> None:
        """Take in one block; `events` are the clean ones, before any fault."""
        stays = people.churn_day == self._options.days
        self._counts["paid_users"] += int(people.paid.sum())
        self._counts["churners"] += int((~stays).sum())
        self._counts["events"] += len(events)
        day = events.user * self._options.days + events.second // DAY
        self._counts["active_user_days"] += int((np.diff(day, prepend=-1) > 0).sum())
        self._expect(people)
        self.injected.update(injected)
        if self._options.n_users <= LISTED_USERS:
            dates = np.datetime64(self._options.start_date, "D") + people.churn_day[~stays]
            self._churn_dates.update(zip(map(str, people.user_id[~stays]), map(str, dates), strict=True))

    @property
    def event_count(self) -> int:
        """Clean events so far: the last event_id given out."""
        return self._counts["events"]

    def _expect(self, people: Population) -> None:
        """Chances given each user's engagement and churn date; a day without the user counts as 0."""
        session = session_chance(self._options, people) * present(self._options, people)
        quiet = (1 - TICKET_CHANCE) * (1 - payment_chance(self._options, people))
        anything = (1 - (1 - session) * quiet) * present(self._options, people)
        self._expected_session_days += float(session.sum())
        self._expected_days += float(anything.sum())

    def as_json(self) -> dict[str, object]:
        """The content of truth.json.

        ``events`` and ``active_user_days`` count clean events, before any fault. An active day has an event
        of any kind, a session day has a session; both rates are over all users and all days of the window,
        days before sign-up and after churn included. ``injected`` counts the faults; ``clock_skew``,
        ``anonymous`` and ``test_accounts`` are faults of users. ``churn_dates`` has the first day without
        events of each churner.
        """
        user_days = self._options.n_users * self._options.days
        answer: dict[str, object] = {
            "options": self._options.as_json(),
            "users": self._options.n_users,
            **{name: self._counts[name] for name in ("paid_users", "churners", "events", "active_user_days")},
            "expected_active_day_rate": round(self._expected_days / user_days, 9),
            "expected_session_day_rate": round(self._expected_session_days / user_days, 9),
            "injected": dict(self.injected),
        }
        if self._options.n_users <= LISTED_USERS:
            answer["churn_dates"] = self._churn_dates
        return answer

    def write(self, path: Path) -> None:
        """Write truth.json."""
        path.write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")
