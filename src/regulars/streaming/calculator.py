"""Daily, weekly and monthly actives of a stream, exact, whatever the order of its updates."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from threading import RLock
from typing import TYPE_CHECKING

from regulars.domain.rules import MAX_WINDOW, TIER_WINDOW, TIERS_BY_DAYS, tier_of
from regulars.errors import EventError, QueryError
from regulars.streaming.checks import UserId, count_of, day_of, id_of, ids_of, option_of
from regulars.streaming.columns import column_sums, packed, spread
from regulars.streaming.rolling import RollingCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from regulars.streaming.rolling import Block

Day = dt.date | str
DAU, WAU = 1, 7


class DAUMAUCalculator:
    """Daily, weekly and monthly actives, stickiness and tiers from counts of actions per user and day.

    A user is active on a day when the count that was last set for it reaches the threshold. Ids are compared as they
    are: 7 and "7" are two users here, so give one kind. Adding costs a dict update; the first question after adding
    takes in what was changed, and any other reads a number. Nothing ever looks through a set of users for DAU, WAU or
    MAU.

    Thread-safe: adding and asking hold one lock.

    Args:
        activity_threshold: Actions that make a user active on a day, 1 by default.
        window: Days of MAU and of everything else that looks back, 1 to 366; 30 by default.

    Raises:
        QueryError: ``bad_option``.

    Example:
        >>> people = DAUMAUCalculator()
        >>> for user, day, actions in (("ada", "2026-01-01", 5), ("ben", "2026-01-01", 2), ("ada", "2026-01-03", 1)):
        ...     people.add_user_activity(user, day, actions)
        >>> people.calculate_dau("2026-01-03"), people.calculate_mau("2026-01-03")
        (1, 2)
        >>> people.calculate_dau_mau_ratio("2026-01-03")
        0.5
        >>> people.add_user_activity("ben", "2026-01-01", 0)  # a correction
        >>> people.calculate_mau("2026-01-03")
        1
    """

    def __init__(self, activity_threshold: int = 1, window: int = TIER_WINDOW) -> None:
        self._threshold = option_of(activity_threshold, "activity_threshold")
        self._window = option_of(window, "window", MAX_WINDOW)
        self._lock = RLock()
        self._rolling = RollingCounts((DAU, WAU, self._window))
        # What was ever given as a day, so that a day is read once, and where it lies.
        self._places: dict[object, tuple[Block, int]] = {}

    def add_user_activity(self, user_id: UserId, date: Day, action_count: int) -> None:
        """Set (not add to) the number of actions of a user on a day; a smaller one can make them inactive again.

        Args:
            user_id: Text or int.
            date: A date, or text like 2026-01-31.
            action_count: From 0 on.

        Raises:
            EventError: ``bad_id``, ``bad_date``, ``bad_count``; nothing was changed.
        """
        # The usual types are recognised by their class alone: this is called once per user and day.
        if user_id.__class__ is not int and (user_id.__class__ is not str or not user_id):
            user_id = id_of(user_id, "user_id")
        if action_count.__class__ is not int or action_count < 0:
            action_count = count_of(action_count)
        try:
            block, bit = self._places[date]
        except (KeyError, TypeError):
            block, bit = self._place_of(date)
        self._lock.acquire()  # not `with`, which costs a third of the whole call
        try:
            days = block.days.get(user_id, 0)
            if (action_count >= self._threshold) is not (days & bit > 0):
                if block.before is not None:
                    block.before.setdefault(user_id, days)
                block.days[user_id] = days ^ bit
        finally:
            self._lock.release()

    def calculate_dau(self, date: Day) -> int:
        """Users active on a day.

        Raises:
            EventError: ``bad_date``.
        """
        return self._count(DAU, date)

    def calculate_wau(self, date: Day) -> int:
        """Users active on at least one of the seven days up to a day, that day included.

        Raises:
            EventError: ``bad_date``.
        """
        return self._count(WAU, date)

    def calculate_mau(self, date: Day) -> int:
        """Users active on at least one day of the window up to a day, that day included.

        Raises:
            EventError: ``bad_date``.
        """
        return self._count(self._window, date)

    def calculate_dau_mau_ratio(self, date: Day) -> float:
        """DAU over MAU: stickiness. 0.0 when nobody is in the window.

        Raises:
            EventError: ``bad_date``.
        """
        with self._lock:
            return _ratio(self.calculate_dau(date), self.calculate_mau(date))

    def calculate_stickiness_series(
        self, start: Day, end: Day, users: Iterable[UserId] | None = None
    ) -> dict[dt.date, float]:
        """DAU over MAU of each day from start to end, both included, of everybody or of the given users alone.

        Raises:
            EventError: ``bad_date``, ``bad_id``.
            QueryError: ``bad_range``: it ends before it starts; ``bad_option``.

        Example:
            >>> people = DAUMAUCalculator()
            >>> people.add_user_activity("ada", "2026-01-01", 3)
            >>> list(people.calculate_stickiness_series("2026-01-01", "2026-01-02").values())
            [1.0, 0.0]
        """
        first, last = day_of(start).toordinal(), day_of(end).toordinal()
        if first > last:
            raise QueryError(f"the series ends on {end}, before its start {start}; swap them", code="bad_range")
        days = last - first + 1
        with self._lock:
            if users is None:
                span = range(first, last + 1)
                daily, monthly = ([self._rolling.count(window, day) for day in span] for window in (DAU, self._window))
            else:
                lead = self._window - 1
                daily, monthly = (counts[lead:] for counts in self._followed(users, first - lead, days + lead))
        dates = (dt.date.fromordinal(day) for day in range(first, last + 1))
        return {day: _ratio(*counts) for day, *counts in zip(dates, daily, monthly, strict=True)}

    def get_engagement_distribution(self, date: Day) -> dict[str, int]:
        """Users by tier: active on 1-5 (casual), 6-15 (regular), 16-19 (core), 20 and more (power) days of the window.

        Looks at everybody who may be in the window.

        Raises:
            EventError: ``bad_date``.

        Example:
            >>> people = DAUMAUCalculator()
            >>> people.add_user_activity("ada", "2026-01-01", 3)
            >>> people.get_engagement_distribution("2026-01-30")
            {'casual': 1, 'regular': 0, 'core': 0, 'power': 0}
        """
        last = day_of(date).toordinal()
        first, rolling = last - self._window + 1, self._rolling
        with self._lock:
            users = rolling.users(first, last)
            active_days = Counter(rolling.history(user, first, self._window).bit_count() for user in users)
        found = dict.fromkeys((tier for tier, _ in TIERS_BY_DAYS), 0)
        for days, people in active_days.items():
            if days:
                found[tier_of(days)] += people
        return found

    def analyze_cohort_stickiness(self, cohort_users: Iterable[UserId], start_date: Day, days: int = 30) -> list[float]:
        """Stickiness of a fixed set of users from a start day on, day by day.

        On day n (0 is the start) the cohort's users active on it, over those active in the ``min(window, n + 1)`` days
        up to it; 0.0 while nobody is.

        Raises:
            EventError: ``bad_date``, ``bad_id``.
            QueryError: ``bad_option``.

        Example:
            >>> people = DAUMAUCalculator()
            >>> for user, day in (("ada", "2026-01-01"), ("ben", "2026-01-01"), ("ada", "2026-01-02")):
            ...     people.add_user_activity(user, day, 1)
            >>> people.analyze_cohort_stickiness({"ada", "ben"}, "2026-01-01", days=3)
            [1.0, 0.5, 0.0]
        """
        first = day_of(start_date).toordinal()
        days = option_of(days, "days", dt.date.max.toordinal() - first + 1)
        with self._lock:
            daily, monthly = self._followed(cohort_users, first, days)
        return [_ratio(*counts) for counts in zip(daily, monthly, strict=True)]

    @property
    def daily_active_users(self) -> Mapping[dt.date, frozenset[UserId]]:
        """The users active on each day that has any: a live view, to be read only. Keys may be given as text.

        Opening a day looks through the users of its block of 128 days.

        Example:
            >>> people = DAUMAUCalculator()
            >>> people.add_user_activity("ada", "2026-01-01", 3)
            >>> people.daily_active_users["2026-01-01"], list(people.daily_active_users)
            (frozenset({'ada'}), [datetime.date(2026, 1, 1)])
        """
        return _DailyActiveUsers(self._rolling, self._lock)

    def _place_of(self, date: object) -> tuple[Block, int]:
        day = day_of(date)
        with self._lock:
            place = self._places[date] = self._rolling.place_of(day.toordinal())
        return place

    def _count(self, window: int, date: Day) -> int:
        day = day_of(date).toordinal()
        with self._lock:
            return self._rolling.count(window, day)

    def _followed(self, users: Iterable[UserId], first: int, days: int) -> tuple[list[int], list[int]]:
        """Of some users, how many are active on each day, and in the window up to it, which opens on the first day."""
        histories = [self._rolling.history(user, first, days) for user in ids_of(users, "users")]
        whole = (1 << days) - 1
        spreads = (spread(history, self._window) & whole for history in histories)
        return column_sums(packed(histories, days), days), column_sums(packed(spreads, days), days)


class _DailyActiveUsers(Mapping[dt.date, frozenset[UserId]]):
    def __init__(self, rolling: RollingCounts, lock: RLock) -> None:
        self._rolling, self._lock = rolling, lock

    def __getitem__(self, date: Day) -> frozenset[UserId]:
        try:
            day = day_of(date).toordinal()
        except EventError:
            raise KeyError(date) from None
        with self._lock:
            found = frozenset(u for u in self._rolling.users(day, day) if self._rolling.history(u, day, 1))
        if not found:
            raise KeyError(date)
        return found

    def __iter__(self) -> Iterator[dt.date]:
        with self._lock:
            days = self._rolling.days_with_people()
        return map(dt.date.fromordinal, days)

    def __len__(self) -> int:
        with self._lock:
            return len(self._rolling.days_with_people())

    def __repr__(self) -> str:
        return f"<users of {len(self)} days>"


def _ratio(daily: int, monthly: int) -> float:
    return daily / monthly if monthly else 0.0
