"""Event logs to measure on: string ids, heavy-tailed activity, a year of days, in the order of time.

``python benchmarks/data.py --size S --out DIR`` writes ``DIR/events-S.parquet``. Some users come daily and
most come rarely: a user's chance to be active on a day is a uniform draw to a high power.
"""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from regulars.synthetic.population import pick, stream
from regulars.synthetic.write import TableFile, block_connection, scratch_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regulars.synthetic.events import Columns
    from regulars.synthetic.population import Ints

START: Final = dt.date(2025, 1, 1)
DAYS: Final = 365
SIZES: Final = {"S": 5_000, "M": 75_000, "L": 1_000_000}

COUNTRIES: Final = (
    "US", "IN", "BR", "GB", "DE", "FR", "JP", "CA", "MX", "ID", "AU", "ES", "IT",
    "KR", "NL", "TR", "PL", "SE", "PH", "VN", "AR", "CO", "ZA", "TH", "MY", "CH",
    "BE", "AT", "NO", "DK", "FI", "IE", "PT", "CZ", "GR", "RO", "HU", "IL", "AE",
    "SA", "EG", "NG", "KE", "PK", "BD", "NZ", "SG", "HK", "CL", "PE",
)  # fmt: skip
PLATFORMS: Final = {"web": 0.46, "ios": 0.27, "android": 0.22, "desktop": 0.05}
PLANS: Final = {"free": 0.72, "pro": 0.19, "team": 0.07, "enterprise": 0.02}
FEATURES: Final = (
    "feed", "search", "editor", "dashboard", "inbox", "library", "calendar", "reports",
    "billing", "settings", "sharing", "api",
)  # fmt: skip
EVENT_TYPES: Final = {
    "page_view": 26, "click": 14, "view": 9, "search": 7, "video_play": 5, "article_read": 5, "scroll": 5,
    "like": 4, "comment": 3, "share": 2, "message_send": 4, "edit": 4, "create": 2, "upload": 1.5,
    "download": 1.5, "document_create": 1, "invite": 0.5, "add_to_cart": 1.2, "checkout_start": 0.6,
    "purchase": 0.4, "subscribe": 0.2, "notification_open": 2, "feedback_submit": 0.3, "support_ticket": 0.2,
}  # fmt: skip
_SESSION_OPENER = "login"
_NAMES = (*EVENT_TYPES, _SESSION_OPENER)

_RARELY = 0.008  # active days per user and day of the rarest users: three a year
_TAIL = 11.88  # lifts the mean to 0.085
_SECOND_SESSION = 0.1
_MEAN_LATER_EVENTS = 4.5  # after the one that opens the session
_MOST_LATER_EVENTS = 29
_PAUSE_SECONDS = (5, 111)
_HOURS = np.array([2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 7, 6, 6, 6, 6, 7, 8, 9, 10, 10, 8, 5])
_BLOCK_ROWS = 1_000_000

_SELECT = f"""SELECT
    'evt_' || lower(to_hex(event_key)) AS event_id,
    'user_' || lpad(user_key::VARCHAR, 8, '0') AS user_id,
    make_timestamp(micros) AS event_time,
    {list(_NAMES)}[event_type + 1] AS event_type,
    {list(COUNTRIES)}[country + 1] AS country,
    {list(PLATFORMS)}[platform + 1] AS platform,
    {list(PLANS)}[plan + 1] AS plan,
    {list(FEATURES)}[feature + 1] AS feature
FROM block"""


@dataclass(frozen=True)
class _Users:
    chance: NDArray[np.float32]  # of being active on a day
    country: NDArray[Any]
    platform: NDArray[Any]
    plan: NDArray[Any]


def write_bench_events(path: Path, users: int, days: int, seed: int, *, first_day: int = 0, first_key: int = 1) -> int:
    """Write one Parquet file of events and return how many there are.

    Rows are in the order of event_time, which is in UTC and has microseconds. The same arguments give the
    same rows. About ``users * days / 2`` rows; memory grows with one day of events, not with all. A log goes on
    with the same people when ``first_day`` is its number of days and ``first_key`` its number of events plus one.
    """
    people = _draw_users(users, seed)
    with (
        scratch_folder(path.parent) as scratch,
        block_connection(scratch) as connection,
        TableFile(path, _SELECT, scratch, connection) as table,
    ):
        waiting: list[Columns] = []
        for day in range(first_day, first_day + days):
            waiting.append(_draw_day(people, seed, day, first_key))
            first_key += len(waiting[-1]["micros"])
            if day == first_day + days - 1 or sum(len(block["micros"]) for block in waiting) >= _BLOCK_ROWS:
                table.append({name: np.concatenate([b[name] for b in waiting]) for name in waiting[0]})
                waiting.clear()
        table.close()
        table.publish()
    return table.rows


def _draw_users(users: int, seed: int) -> _Users:
    rng = stream(seed, 0, 0)
    skewed = 1 / np.arange(1, len(COUNTRIES) + 1)
    return _Users(
        chance=(_RARELY + (1 - _RARELY) * rng.random(users) ** _TAIL).astype(np.float32),
        country=pick(rng, list(skewed), users).astype(np.int8),
        platform=pick(rng, list(PLATFORMS.values()), users).astype(np.int8),
        plan=pick(rng, list(PLANS.values()), users).astype(np.int8),
    )


def _draw_day(people: _Users, seed: int, day: int, first_key: int) -> Columns:
    rng = stream(seed, 1, day)
    active = np.flatnonzero(rng.random(len(people.chance), dtype=np.float32) < people.chance)
    session_user, start = _draw_sessions(active, rng)
    later = np.minimum(rng.geometric(1 / (1 + _MEAN_LATER_EVENTS), len(start)) - 1, _MOST_LATER_EVENTS)
    session = np.repeat(np.arange(len(start)), later + 1)
    opens = np.diff(session, prepend=-1) > 0
    micros = start[session] + _since_opening(opens, rng)
    order = np.argsort(micros)
    user = session_user[session][order]
    return {
        "event_key": _scatter(np.arange(first_key, first_key + len(order), dtype=np.uint64)),
        "user_key": user,
        "micros": micros[order] + _midnight(day),
        "event_type": _event_types(opens, rng)[order],
        "country": people.country[user],
        "platform": people.platform[user],
        "plan": people.plan[user],
        "feature": pick(rng, list(1 / np.arange(1.0, len(FEATURES) + 1)), len(order)).astype(np.int8),
    }


def _draw_sessions(active: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Who opens a session and when, in microseconds of the day; a second one comes hours after the first."""
    edges = np.concatenate([[0], np.cumsum(_HOURS)]) / _HOURS.sum()
    hours = np.interp(rng.random(len(active)), edges, np.arange(len(edges)))
    again = rng.random(len(active)) < _SECOND_SESSION
    hours[again] *= (len(_HOURS) - 4) / len(_HOURS)
    start = np.concatenate([hours, hours[again] + 4])
    return np.concatenate([active, active[again]]), (start * 3.6e9).astype(np.int64)


def _since_opening(opens: NDArray[np.bool_], rng: np.random.Generator) -> Ints:
    """Microseconds since the first event of the same session."""
    low, high = _PAUSE_SECONDS
    total = np.cumsum(np.where(opens, 0, rng.integers(low * 1_000_000, high * 1_000_000, len(opens))))
    since: Ints = total - total[opens][np.cumsum(opens) - 1]
    return since


def _event_types(opens: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int8]:
    drawn = pick(rng, list(EVENT_TYPES.values()), len(opens))
    return np.where(opens, _NAMES.index(_SESSION_OPENER), drawn).astype(np.int8)


def _scatter(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the bits of a counter, one to one: unique ids that compress as badly as real ones."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


def _midnight(day: int) -> np.int64:
    return np.datetime64(START + dt.timedelta(days=day), "us").astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write an event log to measure on.")
    parser.add_argument("--size", choices=SIZES, default="S", help="S ~1 M, M ~14 M, L ~187 M events")
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/data"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"events-{given.size}.parquet"
    rows = write_bench_events(path, SIZES[given.size], given.days, given.seed)
    print(f"wrote {rows:,} events to {path}")


if __name__ == "__main__":
    main()
