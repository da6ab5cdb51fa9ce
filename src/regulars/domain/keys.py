"""A key of a program: what it may do, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

Role = Literal["write", "read", "admin"]
ROLES: tuple[Role, ...] = ("write", "read", "admin")


@dataclass(frozen=True)
class Key:
    """One key. ``write`` may only append events, ``read`` may only ask, ``admin`` may do everything.

    ``hint`` is the end of the secret, so that people can tell keys apart. ``expires_at`` is when it stops to work.
    """

    id: str
    role: Role
    name: str
    digest: bytes
    hint: str
    created_at: datetime
    expires_at: datetime | None = None

    def works_at(self, now: datetime) -> bool:
        """Whether the key is good at an instant (naive UTC)."""
        return self.expires_at is None or now < self.expires_at

    def may(self, role: Role) -> bool:
        """Whether the key allows what a route asks for.

        >>> from datetime import datetime
        >>> key = Key("1", "write", "web", b"...", "x7Qa", datetime(2026, 1, 5))
        >>> key.may("write"), key.may("read")
        (True, False)
        """
        return self.role in (role, "admin")
