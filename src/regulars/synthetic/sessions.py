"""What people do on an active day: one to three sessions, hours apart, of a few events each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regulars.synthetic.activity import DAY, present, session_chance
from regulars.synthetic.events import COURSES, ENROLL, IDENTIFY, LOGIN, QUIZ, VIDEO, Events
from regulars.synthetic.population import ACTIVITY, stream

if TYPE_CHECKING:
    from regulars.synthetic.events import Codes
    from regulars.synthetic.options import GeneratorOptions
    from regulars.synthetic.population import Flags, Floats, Ints, Population

# How often a session starts in each hour of the day. None starts in the last one, so all end by midnight.
_HOURS = (2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 7, 6, 6, 6, 6, 7, 8, 9, 10, 10, 8, 5)
_MOST_SESSIONS = 3
_HOURS_APART = 2.5
_SECONDS_APART = (20, 240)
_IDENTIFY_AFTER = 5
_ENROLL_AGAIN = 0.02


@dataclass(frozen=True)
class _Sessions:
    """In the order of user and time."""

    user: Ints
    start: Ints  # seconds since the start of the window
    first: Flags  # the first one the user has in the window
    engagement: Floats

    def __len__(self) -> int:
        return len(self.user)


def session_events(options: GeneratorOptions, people: Population, block: int) -> Events:
    """All events inside the sessions of a block of users, in the order of user and time."""
    rng = stream(options.seed, ACTIVITY, block)
    sessions = _draw_sessions(options, people, rng)
    does = _draw_steps(sessions, people, rng)
    session, step = np.nonzero(does)
    kind = step.astype(np.int8)
    second = sessions.start[session] + _offsets(does, rng)[session, step]
    user = sessions.user[session]
    hidden = people.anonymous[user] & sessions.first[session] & (kind != IDENTIFY)
    course = np.where((kind >= ENROLL) & (kind <= QUIZ), _courses(does, rng)[session], -1).astype(np.int8)
    return Events(user, second, kind, course, _measures(kind, sessions.engagement[session], rng), hidden)


def _draw_sessions(options: GeneratorOptions, people: Population, rng: np.random.Generator) -> _Sessions:
    draws = rng.random((len(people), options.days), dtype=np.float32)
    active = (draws < session_chance(options, people)) & present(options, people)
    user, day = np.nonzero(active)
    count = rng.integers(1, _MOST_SESSIONS + 1, len(user))
    hour, exists = _start_hours(count, rng)
    user = np.repeat(user, count)
    start = np.repeat(day, count) * DAY + (hour[exists] * 3600).astype(np.int64)
    return _Sessions(user, start, np.diff(user, prepend=-1) > 0, people.engagement[user])


def _start_hours(count: Ints, rng: np.random.Generator) -> tuple[Floats, Flags]:
    """Draw on a day shortened by the gaps between sessions, then put the gaps back in."""
    position = np.arange(_MOST_SESSIONS)
    exists: Flags = position < count[:, None]
    edges = np.concatenate([[0], np.cumsum(_HOURS)]) / sum(_HOURS)
    draws = np.interp(rng.random(exists.shape), edges, np.arange(len(edges)))
    hours = np.sort(np.where(exists, draws, np.inf), axis=1)
    shrink = 1 - _HOURS_APART * (count - 1) / len(_HOURS)
    return hours * shrink[:, None] + position * _HOURS_APART, exists


def _draw_steps(sessions: _Sessions, people: Population, rng: np.random.Generator) -> Flags:
    """Which events each session holds: sessions x the first five kinds, in the order they happen."""
    draws = rng.random((len(sessions), 3), dtype=np.float32)
    does = np.zeros((len(sessions), IDENTIFY + 1), np.bool_)
    does[:, LOGIN] = True
    does[:, ENROLL] = sessions.first | (draws[:, 0] < _ENROLL_AGAIN)
    does[:, VIDEO] = draws[:, 1] < 0.5 + 0.4 * sessions.engagement
    does[:, QUIZ] = draws[:, 2] < 0.25 + 0.35 * sessions.engagement
    does[:, IDENTIFY] = sessions.first & people.anonymous[sessions.user]
    return does


def _offsets(does: Flags, rng: np.random.Generator) -> Ints:
    """Seconds from the start of the session to each of its events."""
    pauses = np.zeros(does.shape, np.int64)
    pauses[:, ENROLL:IDENTIFY] = rng.integers(*_SECONDS_APART, (len(does), IDENTIFY - ENROLL), np.int16)
    pauses[:, IDENTIFY] = _IDENTIFY_AFTER
    return np.cumsum(pauses * does, axis=1)


def _courses(does: Flags, rng: np.random.Generator) -> Codes:
    """The course each session is about: the one its user enrolled in last."""
    enrols = does[:, ENROLL]
    chosen = rng.integers(0, len(COURSES), int(enrols.sum()), np.int8)
    # Every user's first session enrols, so the count of enrolments never reaches back to another user.
    return chosen[np.cumsum(enrols) - 1] if len(chosen) else np.zeros(0, np.int8)


def _measures(kind: Codes, engagement: Floats, rng: np.random.Generator) -> Floats:
    measure = np.full(len(kind), np.nan)
    videos, quizzes = kind == VIDEO, kind == QUIZ
    measure[videos] = _clipped_normal(rng, 20 + 40 * engagement[videos], 10, (1, 240))
    measure[quizzes] = _clipped_normal(rng, 50 + 40 * engagement[quizzes], 15, (0, 100))
    return measure


def _clipped_normal(rng: np.random.Generator, mean: Floats, deviation: float, limits: tuple[float, float]) -> Floats:
    return np.clip(rng.normal(mean, deviation), *limits).round(1)
