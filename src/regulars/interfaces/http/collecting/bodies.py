"""Read the body of a request without trusting it: bounded in bytes, in time, and in what it unpacks to."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any

from regulars.interfaces.http.answers import RefusedError
from regulars.interfaces.http.collecting.deadlines import Deadlines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Receive = Callable[[], Awaitable[dict[str, Any]]]

MIB = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's number for "with a gzip header"


class Bodies:
    """Reads bodies. All those that are being read at one moment share ``most_bytes`` of memory."""

    def __init__(
        self,
        *,
        body_bytes: int = 5 * MIB,
        inflated_bytes: int = 20 * MIB,
        seconds: float = 15,
        most_bytes: int = 64 * MIB,
    ) -> None:
        self.body_bytes, self.inflated_bytes = body_bytes, inflated_bytes
        self._deadlines = Deadlines(seconds)
        self._most_bytes, self._reading = most_bytes, 0

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        """The whole body, inflated.

        Errors: :class:`RefusedError` 400, 408, 413, 415 or 503.
        """
        refuse_ambiguous_length(headers)
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self.body_bytes:
            raise self._too_large()
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in {b"identity", b"gzip", b""}:
            raise RefusedError(
                415, "unsupported_encoding", "a body is sent as it is or with Content-Encoding: gzip, nothing else"
            )
        task = self._deadlines.begin()
        try:
            body = await self._receive(receive)
        except asyncio.CancelledError:
            if not self._deadlines.has_ended(task):
                raise
            limit = self._deadlines.seconds
            raise RefusedError(
                408, "body_too_slow", f"the body did not arrive within {limit:g} seconds; send it again"
            ) from None
        finally:
            self._deadlines.end(task)
        if encoding == b"gzip" or body.startswith(_GZIP_MAGIC):
            # Some clients cannot name the encoding (sendBeacon); no JSON text begins like this.
            return await self._inflated(body)
        return body

    async def _receive(self, receive: Receive) -> bytes:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            body: bytes = message.get("body", b"")
            if len(body) > self.body_bytes:
                raise self._too_large()
            return body
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                if message["type"] != "http.request":
                    # The client is gone, or what it sends is no body; only the second one reads this.
                    raise RefusedError(400, "body_incomplete", "the body broke off before its end")
                part = message.get("body", b"")
                size += len(part)
                self._reading += len(part)
                parts.append(part)
                if size > self.body_bytes:
                    raise self._too_large()
                if self._reading > self._most_bytes:
                    raise RefusedError(
                        503, "busy", "too many requests are being read at once; try again in a moment", retry_after=1
                    )
                if not message.get("more_body"):
                    return b"".join(parts)
                message = await receive()
        finally:
            self._reading -= size

    async def _inflated(self, body: bytes) -> bytes:
        if len(body) < 16_384:  # noqa: PLR2004 -- quicker than handing it to a thread
            return inflate(body, self.inflated_bytes)
        return await asyncio.to_thread(inflate, body, self.inflated_bytes)

    def _too_large(self) -> RefusedError:
        return RefusedError(
            413, "body_too_large", f"a body has at most {self.body_bytes} bytes; send the events in several batches"
        )


def refuse_ambiguous_length(headers: Mapping[bytes, bytes]) -> None:
    """Two statements about where a body ends are how one request is smuggled inside another."""
    if b"transfer-encoding" in headers and b"content-length" in headers:
        raise RefusedError(400, "ambiguous_length", "give Content-Length or Transfer-Encoding, not both")


def inflate(body: bytes, most: int) -> bytes:
    """Unpack gzip, and stop as soon as more than ``most`` bytes come out.

    Errors: :class:`RefusedError` 400 for what is no gzip, 413 for too much.

    >>> import gzip
    >>> inflate(gzip.compress(b"events"), 100)
    b'events'
    """
    out = bytearray()
    while body:
        packed = zlib.decompressobj(_GZIP_WINDOW)
        try:
            out += packed.decompress(body, most + 1 - len(out))
        except zlib.error as exc:
            raise RefusedError(400, "bad_gzip", f"the body is no gzip: {exc}") from None
        if len(out) > most:
            raise RefusedError(413, "inflated_too_large", f"the body unpacks to more than {most} bytes")
        if not packed.eof:
            raise RefusedError(400, "bad_gzip", "the gzip body ends too early")
        body = packed.unused_data
    return bytes(out)
