"""How much one key may send: a bucket of tokens per key that fills up again with time."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from regulars.interfaces.http.answers import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

_BURST_SECONDS = 2
_MOST_KEYS = 10_000


class Rates:
    """Events per second and key; twice as many may come at once. The longest unused bucket is forgotten first."""

    def __init__(self, events_per_second: int, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._seconds = events_per_second, seconds
        self._changing = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, events: int) -> None:
        """Count events against a key; a batch passes as a whole as soon as the bucket is not in debt.

        Errors: :class:`RefusedError` 429 with the time after which it is worth trying again.
        """
        with self._changing:
            self._take(key, events)

    def _take(self, key: str, events: int) -> None:
        now = self._seconds()
        left, seen = self._buckets.pop(key, (float(self._rate * _BURST_SECONDS), now))
        left = min(left + (now - seen) * self._rate, float(self._rate * _BURST_SECONDS))
        if left < 0:
            self._buckets[key] = (left, now)
            raise RefusedError(
                429,
                "rate_limited",
                f"this key sends more than {self._rate} events per second ([collector] events_per_second)",
                retry_after=max(1, math.ceil(-left / self._rate)),
            )
        self._buckets[key] = (left - events, now)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
