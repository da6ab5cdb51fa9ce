"""Events as columns: one array per field, all of the same length."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from regulars.synthetic.population import Flags, Floats, Ints

KINDS: Final = (
    "login",
    "course_enroll",
    "video_watch",
    "quiz_attempt",
    "identify",
    "payment_success",
    "payment_failed",
    "support_ticket",
)
LOGIN, ENROLL, VIDEO, QUIZ, IDENTIFY, PAID, FAILED, TICKET = range(len(KINDS))
COURSES: Final = (
    "k8s-mastery",
    "devops-warrior",
    "mlops-foundation",
    "argo-cd",
    "terraform",
    "linux-pro",
    "observability",
)
_NO_COURSE = -1

Codes = NDArray[np.int8]
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Events:
    """Some events of one block of users."""

    user: Ints  # position in the block
    second: Ints  # since the start of the window
    kind: Codes  # position in KINDS
    course: Codes  # position in COURSES, negative for none
    measure: Floats  # minutes of a video, score of a quiz, else NaN
    hidden: Flags  # sent before the user was identified

    def __len__(self) -> int:
        return len(self.user)


def bare_events(user: Ints, second: Ints, kind: Codes) -> Events:
    """Events that are about no course and measure nothing."""
    n = len(user)
    course = np.full(n, _NO_COURSE, np.int8)
    return Events(user, second, kind, course, np.full(n, np.nan), np.zeros(n, np.bool_))


def merge(parts: list[Events], span: int) -> Events:
    """All parts in the order of user and second; `span` is the length of the window in seconds.

    Events of one user in the same second stay in the order of the parts.
    """
    joined = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Events)}
    order = np.argsort(joined["user"] * span + joined["second"], kind="stable")
    return Events(**{name: column[order] for name, column in joined.items()})
