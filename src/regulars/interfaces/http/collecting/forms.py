"""Which address takes which form of events: ours, Segment's and PostHog's, one table.

Where one address serves two forms (``/v1/batch``, ``/v1/track``), each event says by its keys whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from regulars.interfaces.http.collecting import posthog, segment
from regulars.interfaces.http.collecting.events import own_form

if TYPE_CHECKING:
    from datetime import datetime

Read = Callable[[Mapping[str, Any], "datetime"], tuple[dict[str, Any], object]]


@dataclass(frozen=True)
class Route:
    """An address for events: how one is read (the event, and when it was sent), and under which keys lists stand.

    ``is_own``: events in our own form need no word from the address. ``is_browsers``: the body may be a form, and the
    query may say when it was sent.
    """

    read: Read
    lists: tuple[str, ...] = ()
    success: Mapping[str, Any] = field(default_factory=dict)
    is_own: bool = False
    is_browsers: bool = False

    @cached_property
    def told(self) -> bytes:
        """What a success says besides, as the beginning of a JSON object."""
        return msgspec.json.encode(self.success)[1:-1] + b"," if self.success else b""


def _own_or_segment(kind: str | None) -> Read:
    """Events of ``kind`` where the address says it."""

    def read(value: Mapping[str, Any], received_at: datetime) -> tuple[dict[str, Any], object]:
        del received_at
        if segment.is_message(value):
            return segment.event_of(value, kind), value.get("sentAt")
        event = own_form(value)
        if kind in {"identify", "alias"}:
            event.setdefault("event_type", kind)
        return event, value.get("sent_at")

    return read


def _posthog(value: Mapping[str, Any], received_at: datetime) -> tuple[dict[str, Any], object]:
    return posthog.event_of(value, received_at), posthog.sent_at_of(value, received_at)


_SEGMENT_ADDRESSES = {
    "track": ("/v1/track", "/v1/t"), "identify": ("/v1/identify", "/v1/i"), "alias": ("/v1/alias", "/v1/a"),
    "page": ("/v1/page", "/v1/p"), "screen": ("/v1/screen", "/v1/s"), "group": ("/v1/group", "/v1/g"),
}  # fmt: skip
_POSTHOG_ADDRESSES = ("/batch", "/capture", "/track", "/e", "/i/v0/e")
ROUTES: Mapping[str, Route] = {
    "/v1/batch": Route(_own_or_segment(None), ("events", "batch"), {"success": True}, is_own=True),
    **{
        address: Route(_own_or_segment(kind), success={"success": True}, is_own=kind == "track")
        for kind, addresses in _SEGMENT_ADDRESSES.items()
        for address in addresses
    },
    **{address: Route(_posthog, ("batch",), {"status": 1}, is_browsers=True) for address in _POSTHOG_ADDRESSES},
}
