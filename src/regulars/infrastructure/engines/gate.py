"""Many readers, or one who must be alone."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Gate:
    """How many readers are inside; who needs to be alone waits until there is none, and lets none begin."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._here = threading.local()
        self._count = 0
        self._closed = False

    @property
    def is_inside(self) -> bool:
        """Whether this thread is one of the readers already."""
        return getattr(self._here, "reads", False)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Be one of the readers."""
        if self.is_inside:
            # A query inside a snapshot must not wait for somebody who waits for the snapshot.
            yield
            return
        with self._enter():
            self._here.reads = True
            try:
                yield
            finally:
                self._here.reads = False

    @contextmanager
    def _enter(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    @contextmanager
    def none(self, patience: float | None = None, hurry: Callable[[], None] | None = None) -> Iterator[None]:
        """Be alone. Who is still inside after ``patience`` seconds is hurried."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._closed = True
            while not self._changed.wait_for(lambda: self._count == 0, patience):
                if hurry is not None:
                    hurry()
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()
