"""From the body of a request to what the journal gets, and to what is rejected and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from regulars.application.ports import Envelope
from regulars.errors import EventError
from regulars.interfaces.http.collecting.decoding import Batch, Rejection, read_batch
from regulars.interfaces.http.collecting.events import Receipt, journal_body, request_key, sent_at
from regulars.interfaces.http.collecting.plain import plain_envelopes
from regulars.interfaces.http.collecting.urlencoded import sent_at_in, unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from regulars.domain.wire import Limits
    from regulars.interfaces.http.collecting.forms import Route

    # Checks the key that was given, counts events against it, and returns its id.
    Admit = Callable[[str | None, int], str]

_LINES = (b"application/x-ndjson", b"application/jsonl")
_MOST_MESSAGE = 500


class Submission(NamedTuple):
    """A body with what the request says about it.

    ``secret`` is the key, where it is not in the body; ``query`` is what stands behind the address.
    """

    route: Route
    body: bytes
    headers: Mapping[bytes, bytes]
    receipt: Receipt
    secret: str | None
    query: bytes = b""


class Verdict(NamedTuple):
    """What is accepted as soon as it is durable, and what is not."""

    envelopes: Sequence[Envelope] = ()
    rejected: Sequence[Rejection] = ()


def judge_plain(submission: Submission, limits: Limits, admit: Admit) -> Verdict | None:
    """The short way for usual events; None where the long one is needed."""
    if not submission.route.is_own or b"idempotency-key" in submission.headers:
        return None
    is_batch = bool(submission.route.lists)
    found = plain_envelopes(submission.body, submission.receipt.received_at, limits, is_batch=is_batch)
    if found is None:
        return None
    envelopes, secret = found
    admit(submission.secret or secret, len(envelopes))
    return Verdict(envelopes)


def judge(submission: Submission, limits: Limits, admit: Admit) -> Verdict:
    """The long way: each event on its own, so that a bad one takes no neighbour with it."""
    kind = submission.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    body = unwrapped(submission.body) if submission.route.is_browsers else submission.body
    batch = read_batch(body, submission.route.lists, lines=kind in _LINES)
    key_id = admit(submission.secret or _secret_in(batch), len(batch.items) + len(batch.rejected))
    retry_key = request_key(submission.headers.get(b"idempotency-key"), key_id)
    receipt = submission.receipt._replace(request_key=retry_key)
    envelopes: list[Envelope] = []
    rejected = list(batch.rejected)
    around = batch.envelope.get("sent_at") or batch.envelope.get("sentAt")
    if around is None and submission.route.is_browsers:
        around = sent_at_in(submission.query)
    for item in batch.items:
        try:
            event, own = submission.route.read(item.value, receipt.received_at)
            body = journal_body(event, receipt._replace(sent_at=sent_at(own or around)), limits, item.index)
        except EventError as exc:
            rejected.append(Rejection(item.index, exc.code, exc.message[:_MOST_MESSAGE]))
        else:
            envelopes.append(Envelope(body, receipt.received_at))
    return Verdict(envelopes, sorted(rejected, key=lambda each: each.index))


def _secret_in(batch: Batch) -> str | None:
    """The key where libraries put it: around the events, in the first one, or in its properties."""
    first = batch.items[0].value if batch.items else {}
    around = batch.envelope or first
    properties = first.get("properties")
    places = [around.get("api_key"), around.get("writeKey")]
    places += [properties.get("token")] if isinstance(properties, dict) else []
    return next((found for found in places if isinstance(found, str)), None)
