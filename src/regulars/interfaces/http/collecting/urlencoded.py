"""Bodies of HTML forms: PostHog's browser library may send its JSON as ``data=``, plain or in base64."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import parse_qs, unquote_to_bytes

from regulars.interfaces.http.answers import RefusedError

# Each field is looked at once, whatever is in it.
_DATA = re.compile(rb"(?:(?!data=)\w{1,40}=[^&]*+&)*+data=([^&]*+)", re.ASCII)
_URL_SAFE = bytes.maketrans(b"-_ ", b"+/+")
_MOST_ESCAPES = 500_000
_MOST_QUERY = 4096


def unwrapped(body: bytes) -> bytes:
    """The JSON in a form; a body that is no form is returned as it is, whatever its Content-Type says.

    Errors: :class:`RefusedError` 400 ``bad_form``, 413 ``body_too_large``.

    >>> unwrapped(b"data=eyJldmVudCI6Imxpa2UifQ%3D%3D&ip=1"), unwrapped(b"data=%7B%7D"), unwrapped(b"{}")
    (b'{"event":"like"}', b'{}', b'{}')
    """
    found = _DATA.match(body)
    if found is None:
        return body
    if found[1].count(b"%") > _MOST_ESCAPES:
        raise RefusedError(413, "body_too_large", f"a form has at most {_MOST_ESCAPES} escapes; send JSON as it is")
    plain = unquote_to_bytes(found[1].replace(b"+", b" ")).strip()
    if plain.startswith((b"{", b"[")):
        return plain
    packed = plain.translate(_URL_SAFE).rstrip(b"=")
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(
            400, "bad_form", "data= holds neither JSON nor base64 of JSON; set the compression to gzip-js or base64"
        ) from None


def sent_at_in(query: bytes) -> float | None:
    """When a request was sent, by its client's clock: milliseconds since 1970 under ``_``.

    >>> sent_at_in(b"compression=base64&_=1767614400000"), sent_at_in(b"_=now")
    (1767614400000.0, None)
    """
    found = parse_qs(query[:_MOST_QUERY].decode("ascii", "replace")).get("_", [""])[0]
    return float(found) if found.isascii() and found.isdigit() and len(found) == len("1767614400000") else None
