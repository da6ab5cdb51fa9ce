"""Records that can be handed to a program which knows dictionaries only."""

from __future__ import annotations

from typing import Any

import msgspec


class Plain:
    """A record with a form in plain values."""

    def to_dict(self) -> dict[str, Any]:
        """The record as a dictionary ready for JSON: days and instants as ISO 8601 text, tuples as lists."""
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return plain
