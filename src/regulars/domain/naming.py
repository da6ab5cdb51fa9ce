"""Whose an event is, as it came: before it was loaded, or where it could not be."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from regulars.domain.events import usable_id

_IDS = (("user_id", "known"), ("anonymous_id", "anonymous"), ("previous_id", "anonymous"))


class _Named(msgspec.Struct):
    user_id: Any = None
    anonymous_id: Any = None
    previous_id: Any = None


_DECODER = msgspec.json.Decoder(_Named)


@dataclass(frozen=True)
class PersonIds:
    """Every id of one person, as pairs of kind (``known`` or ``anonymous``) and id."""

    ids: frozenset[tuple[str, str]]

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """Each id as it is, and as JSON writes it."""
        forms = {form for _, text in self.ids for form in (
            text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])}  # fmt: skip
        return tuple(sorted(forms))

    @cached_property
    def pattern(self) -> str:
        """Finds an id that a text is, or has as a value: of a JSON text, or of a line of CSV."""
        words = "|".join(re.escape(form) for form in self.spellings)
        return rf'(^|[:,;\t|\[{{])\s*"?({words})"?\s*($|[,;\t|}}\]])'

    def own(self, body: bytes) -> bool:
        """Whether an event in wire form is this person's: one of its ids is.

        What no id can be read from is theirs when it has one of their ids as a value.

        >>> ada = PersonIds(frozenset({("known", "ada"), ("anonymous", "x")}))
        >>> ada.own(b'{"user_id": "ada"}'), ada.own(b'{"user_id": "x"}'), ada.own(b'{"user_id":"bob","by":"ada"}')
        (True, False, False)
        >>> ada.own(b'{"user_id":"bob","anonymous_id":"x"}'), ada.own(b'{"by": "ada"}'), ada.own(b"like,ada")
        (True, True, True)
        """
        if not self._may_name(body):
            return False
        named = _named(body)
        if named:
            return not named.isdisjoint(self.ids)
        return re.search(self.pattern, body.decode("utf-8", "replace")) is not None

    def _may_name(self, body: bytes) -> bool:
        """Whether one of the ids, or a character in disguise, is in a body at all."""
        return b"\\" in body or any(form in body for form in self._encoded)

    @cached_property
    def _encoded(self) -> tuple[bytes, ...]:
        # JSON can hold half of a surrogate pair, which no encoding has.
        return tuple(form.encode("utf-8", "surrogatepass") for form in self.spellings)


def _named(body: bytes) -> set[tuple[str, str]]:
    """The usable ids that a body in wire form has; none where it cannot be read."""
    try:
        found = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return set()
    usable = ((kind, usable_id(getattr(found, key))) for key, kind in _IDS)
    return {(kind, text) for kind, text in usable if text is not None}
