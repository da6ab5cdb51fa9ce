"""Who may do what: the key of a request against the role of a route."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from typing import TYPE_CHECKING

from regulars.application.keys import find
from regulars.interfaces.http.answers import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from regulars.application.ports import KeyStore
    from regulars.domain.keys import Key, Role

_FRESH_SECONDS = 1.0
_MOST_KEY_BYTES = 256


class Authority:
    """Checks keys. Keys are read again at most once a second, so a revoked one ends without a restart.

    As long as no key was ever made, everything is open: the server then listens on this machine only.
    """

    def __init__(
        self, store: KeyStore, clock: Callable[[], datetime], *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._clock, self._seconds = store, clock, seconds
        self._reading = threading.Lock()
        self._keys: Sequence[Key] = ()
        self._read_at = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether no key was ever made."""
        return not self._fresh()

    def check(self, secret: str | None, role: Role) -> Key | None:
        """The key that was given; None where none is needed.

        Errors: :class:`RefusedError` 401 for no key or an unknown one, 403 for one that may not do this.
        """
        keys = self._fresh()
        if not keys:
            return None
        if not secret:
            raise RefusedError(401, "key_missing", "give a key: Authorization: Bearer KEY (regulars keys create)")
        key = find(keys, secret, self._clock()) if len(secret) <= _MOST_KEY_BYTES else None
        if key is None:
            raise RefusedError(401, "key_unknown", "this key does not exist or no longer works (regulars keys list)")
        if not key.may(role):
            raise RefusedError(403, "key_not_allowed", f"a key of role {key.role} may not do this; it takes {role}")
        return key

    def _fresh(self) -> Sequence[Key]:
        now = self._seconds()
        if now - self._read_at >= _FRESH_SECONDS:
            with self._reading:
                if now - self._read_at >= _FRESH_SECONDS:
                    self._keys = self._store.all()
                    self._read_at = now
        return self._keys


def secret_in(headers: Mapping[bytes, bytes]) -> str | None:
    """The key in a request's headers: as bearer, as the user of Basic authentication, or in ``X-Api-Key``."""
    given = headers.get(b"authorization")
    if given is None:
        return _text(headers.get(b"x-api-key"))
    scheme, _, value = given.partition(b" ")
    if scheme.lower() == b"basic":
        try:
            return _text(base64.b64decode(value.strip(), validate=True).partition(b":")[0])
        except (binascii.Error, ValueError):
            return "?"
    return _text(value.strip()) if scheme.lower() == b"bearer" else "?"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
