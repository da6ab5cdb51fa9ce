"""W11: actives of a stream, in this process, against a union of sets and a plain dict."""

from __future__ import annotations

import time
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import duckdb

from benchmarks.records import Measurement, Sample, Target
from benchmarks.turns import Contender, say, take_turns
from regulars.streaming import DAUMAUCalculator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.dataset import Size
    from benchmarks.turns import Row

MOST_USER_DAYS: Final = 10_000_000
WINDOW: Final = 30
ASKED: Final = 20
UserDays = dict[str, list[tuple[str, int]]]


def user_days(log: Path, most: int = MOST_USER_DAYS) -> UserDays:
    """Users and their actions per day, in the order of days; of a larger log a part of its users, all their days."""
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE user_days AS SELECT user_id, CAST(CAST(event_time AS DATE) AS VARCHAR) AS day, "
            f"count(*) AS actions FROM '{log}' GROUP BY ALL"
        )
        connection.execute("CREATE TABLE people AS SELECT user_id, count(*) AS days FROM user_days GROUP BY user_id")
        found: UserDays = {}
        names: dict[str, str] = {}
        cursor = connection.execute(f"""SELECT d.day, d.user_id, d.actions FROM user_days d JOIN (
            SELECT user_id FROM people QUALIFY sum(days) OVER (ORDER BY hash(user_id), user_id) <= {most}
        ) USING (user_id) ORDER BY d.day, hash(d.user_id), d.user_id""")
        while rows := cursor.fetchmany(100_000):
            for day, user, actions in rows:
                # One text per user, as a program has it that knows its users.
                found.setdefault(day, []).append((names.setdefault(user, user), actions))
        return found


def measure_stream(size: Size, log: Path, runs: int) -> Iterator[Measurement]:
    """Adding, the first question after it, and any other."""
    say(f"W11 on size {size.name}")
    days = user_days(log)
    count = sum(map(len, days.values()))
    yield from _asking(size, days, count, runs)
    own = Contender("regulars", lambda: _calculator(days), lambda people: _active_of_calculator(days, people))
    plain = Contender("plain dict, one key per user and day", lambda: _plain_dict(days), _active_of_dict)
    found, rows = take_turns([own, plain], runs)
    yield Measurement(
        "W11.add", "W11", f"adding {count:,} user-days one by one", "s", found[own.name], found[plain.name],
        Target("at most", 2), sense="at most", rows_compared=rows,
    )  # fmt: skip
    firsts = Sample.of("regulars", [_first_answer(size, days) for _ in range(runs)])
    yield Measurement("W11.first", "W11", f"first MAU after adding {count:,} user-days", "s", firsts)


def _asking(size: Size, days: UserDays, count: int, runs: int) -> Iterator[Measurement]:
    people = _calculator(days)
    sets = {day: {user for user, _ in users} for day, users in days.items()}
    people.calculate_mau(size.last_day)
    asked = {day: _window_of(day) for day in sorted(days)[-1 :: -max(1, len(days) // ASKED)][:ASKED]}
    own = Contender("regulars", lambda: [(day, people.calculate_mau(day)) for day in asked], sorted)
    union = Contender(
        f"union of {WINDOW} daily sets",
        lambda: [(day, len(set().union(*(sets.get(each, ()) for each in window)))) for day, window in asked.items()],
        sorted,
    )
    found, rows = take_turns([own, union], runs)
    yield Measurement(
        "W11", "W11", f"MAU of {len(asked)} days, {count:,} user-days", "s", found[own.name], found[union.name],
        Target("at least", 100), rows_compared=rows,
    )  # fmt: skip


def _window_of(day: str) -> list[str]:
    last = date.fromisoformat(day)
    return [(last - timedelta(days=back)).isoformat() for back in range(WINDOW)]


def _calculator(days: UserDays) -> DAUMAUCalculator:
    people = DAUMAUCalculator(window=WINDOW)
    add = people.add_user_activity
    for day, users in days.items():
        for user, actions in users:
            add(user, day, actions)
    return people


def _plain_dict(days: UserDays) -> dict[tuple[str, str], int]:
    counts = {}
    for day, users in days.items():
        for user, actions in users:
            counts[user, day] = actions
    return counts


def _first_answer(size: Size, days: UserDays) -> float:
    people = _calculator(days)
    begun = time.perf_counter()
    people.calculate_mau(size.last_day)
    return time.perf_counter() - begun


def _active_of_calculator(days: UserDays, people: DAUMAUCalculator) -> list[Row]:
    return sorted((day, people.calculate_dau(day)) for day in days)


def _active_of_dict(counts: dict[tuple[str, str], int]) -> list[Row]:
    return sorted(Counter(day for _, day in counts).items())
