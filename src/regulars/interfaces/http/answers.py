"""What an HTTP client is told: a status, a JSON document and a few headers."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = b"application/json"
_NONE: Mapping[bytes, bytes] = MappingProxyType({})


class Answer(NamedTuple):
    """One response."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: Mapping[bytes, bytes] = _NONE


class RefusedError(Exception):
    """The request as a whole is refused: a status, a stable code and a message that says what to do."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    def answer(self) -> Answer:
        """The refusal as a response; who was refused unread must open a new connection."""
        headers: dict[bytes, bytes] = {}
        if self.retry_after is not None:
            headers[b"retry-after"] = str(self.retry_after).encode()
        if self.status == 401:  # noqa: PLR2004 -- Unauthorized, which must say how to authorize
            headers[b"www-authenticate"] = b'Bearer realm="regulars"'
        return json_answer(self.status, {"error": {"code": self.code, "message": self.message}}, headers)


def json_answer(status: int, content: Mapping[str, Any], headers: Mapping[bytes, bytes] | None = None) -> Answer:
    """A JSON document."""
    return Answer(status, msgspec.json.encode(content) + b"\n", headers=headers or {})
