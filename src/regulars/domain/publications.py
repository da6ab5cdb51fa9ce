"""Answers that were published, and what has changed in them since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from regulars.domain.places import pairs, rows_by_place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from regulars.domain.result import Result

_EXACT = 1e-9  # sums of the same numbers in another order differ by less


@dataclass(frozen=True)
class Publication:
    """One version of a published answer: ``result`` as it was, without the people behind it."""

    name: str
    version: int
    published_at: datetime
    load_id: int
    result: Result
    definitions: dict[str, str]


class Cause(NamedTuple):
    """Something that happened since and can change numbers: its code, how often, and what, in words."""

    code: str
    times: int
    words: str


@dataclass(frozen=True)
class Changes:
    """What has changed in a published answer.

    Each row is one number that is another one now: where it stands, ``column``, ``published``, ``now``, ``change``
    (now less published, None where either is missing), and the flags of either. ``unchanged`` counts the rest,
    ``causes`` is everything that happened since and can change such numbers; each may have changed some or none.
    """

    publication: Publication
    result: Result
    rows: list[dict[str, Any]]
    unchanged: int
    causes: tuple[Cause, ...]

    def to_mapping(self) -> dict[str, Any]:
        """Everything as plain values, ready for any encoder."""
        published = self.publication
        return {
            "name": published.name,
            "version": published.version,
            "published_at": published.published_at,
            "query": msgspec.to_builtins(published.result.query),
            "rows": self.rows,
            "unchanged": self.unchanged,
            "causes": [cause._asdict() for cause in self.causes],
        }

    def to_json(self) -> bytes:
        """Everything as JSON: the form that the command line prints."""
        return msgspec.json.encode(self.to_mapping())


def changes(publication: Publication, result: Result, causes: tuple[Cause, ...]) -> Changes:
    """Put a published answer and today's side by side."""
    told = list(_changed(publication.result, result))
    rows = [row for row in told if row is not None]
    return Changes(publication, result, rows, len(told) - len(rows), causes)


def _changed(before: Result, now: Result) -> Iterator[dict[str, Any] | None]:
    for pair in pairs(before, now):
        if pair.first == pair.second or (pair.gap is not None and abs(pair.gap) <= _EXACT * abs(pair.first)):
            yield None
            continue
        values = {"column": pair.column, "published": pair.first, "now": pair.second, "change": pair.gap}
        yield dict(pair.place.names) | values | {"flags": pair.flags}


def completed(before: Result, now: Result) -> int:
    """How many rows were not over when they were published, and are now."""
    later = rows_by_place(before, now.rows)
    return sum(
        "incomplete" in row["flags"] and "incomplete" not in later.get(place, {}).get("flags", ())
        for place, row in rows_by_place(before, before.rows).items()
    )
