"""Keys of programs: made, shown once, kept as a hash, replaced and ended."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from regulars.domain.keys import ROLES, Key, Role
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from regulars.application.ports import KeyStore

MOST_NAME = 100


def digest_of(secret: str) -> bytes:
    """The SHA-256 under which a secret is kept. It is random and long, so that no slow hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def make_key(role: Role, name: str, now: datetime) -> tuple[Key, str]:
    """A new key and its secret, which exists nowhere else."""
    if role not in ROLES:
        raise UnknownNameError("role", role, ROLES, code="unknown_role")
    if not re.fullmatch(r"[^\x00-\x1f\x7f]*", name) or len(name) > MOST_NAME:
        raise QueryError(f"a key's name is one line of at most {MOST_NAME} characters", code="bad_name")
    secret = f"rg_{role}_{secrets.token_urlsafe(32)}"
    return Key(secrets.token_hex(4), role, name, digest_of(secret), secret[-4:], now), secret


def create(store: KeyStore, role: Role, name: str, now: datetime) -> tuple[Key, str]:
    """Make a key and keep it; returns it with its secret."""
    key, secret = make_key(role, name, now)
    store.put(key)
    return key, secret


def revoke(store: KeyStore, key_id: str, now: datetime, *, grace: timedelta | None = None) -> Key:
    """End a key now, or after ``grace``.

    Errors: :class:`UnknownNameError` ``unknown_key``.
    """
    key = _named(store, key_id)
    until = now if grace is None else now + grace
    ended = replace(key, expires_at=min(until, key.expires_at or until))
    store.put(ended)
    return ended


def rotate(store: KeyStore, key_id: str, now: datetime, *, grace: timedelta) -> tuple[Key, str]:
    """Make a key with the same role and name; the old one goes on working for ``grace``."""
    old = _named(store, key_id)
    made = create(store, old.role, old.name, now)
    revoke(store, key_id, now, grace=grace)
    return made


def find(keys: Iterable[Key], secret: str, now: datetime) -> Key | None:
    """The key that a secret opens. Every key is compared, in constant time, so that timing tells nothing."""
    digest = digest_of(secret)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found if found and found.works_at(now) else None


def _named(store: KeyStore, key_id: str) -> Key:
    keys = {key.id: key for key in store.all()}
    if key_id not in keys:
        raise UnknownNameError("key", key_id, keys, code="unknown_key")
    return keys[key_id]
