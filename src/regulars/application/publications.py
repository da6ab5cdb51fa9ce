"""Publish an answer, and tell later what has changed in it, and what can have changed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from regulars.application.canonical import execute
from regulars.domain.definitions import changed_parts
from regulars.domain.dialect import render
from regulars.domain.population import FLAGS
from regulars.domain.publications import Cause, Changes, Publication, changes, completed
from regulars.domain.retold import retold
from regulars.domain.sql import Values
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from regulars.application.ports import Engine
    from regulars.domain.query import Query
    from regulars.domain.result import Result
    from regulars.settings import Settings

_COLUMNS = "name, version, published_at, load_id, answer, definitions"
_MOST_CHARACTERS = 200


@dataclass(frozen=True)
class Publications:
    """The published answers of a workspace. ``ask`` answers a question, ``now`` is the present instant, naive UTC."""

    engine: Engine
    settings: Settings
    now: Callable[[], datetime]
    ask: Callable[[Query], Result]

    def publish(self, name: str, query: Query) -> Publication:
        """Keep today's answer as the next version of a name.

        Errors: :class:`QueryError` ``bad_name``, ``names_people``, ``nothing_to_publish``; as the question.
        """
        if not name.strip() or len(name) > _MOST_CHARACTERS or not name.isprintable():
            raise QueryError(f"{name!r} is no name; use up to {_MOST_CHARACTERS} printable characters", code="bad_name")
        # Read before the answer: what is loaded in between is told as later, and nothing is left out.
        (load_id,) = self._one("SELECT coalesce(max(load_id), 0) AS load_id FROM loads")
        result = self.ask(self._pinned(query))
        if any(column.name == "user_id" for column in result.columns):
            raise QueryError(
                "the rows of this answer name people, who could not be erased from what was published; "
                "publish counts of them instead",
                code="names_people",
            )
        self._keep(name, result, int(load_id))
        return self.find(name)

    def all(self) -> list[Publication]:
        """Everything that was published, newest first."""
        if not self._has_table():
            return []
        ordered = f"SELECT {_COLUMNS} FROM publications ORDER BY published_at DESC, name, version DESC"
        return [_publication(row) for row in self.engine.query(ordered).rows]

    def find(self, name: str, version: int | None = None) -> Publication:
        """One version of a published answer, the last one by default.

        Errors: :class:`QueryError` ``unknown_publication``.
        """
        if not self._has_table():
            raise UnknownNameError("publication", name, (), code="unknown_publication", hint="see: regulars published")
        values = Values()
        which = f" AND version = {int(version)}" if version is not None else ""
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM publications WHERE name = {values.add(name)}{which} ORDER BY version DESC LIMIT 1",
            values,
        )
        if rows:
            return _publication(rows[0])
        names = {row[0] for row in self.engine.query("SELECT DISTINCT name FROM publications").rows}
        if name in names:
            raise QueryError(f"{name!r} has no version {version}; see: regulars published", code="unknown_publication")
        raise UnknownNameError("publication", name, names, code="unknown_publication", hint="see: regulars published")

    def changes(self, publication: Publication) -> Changes:
        """Ask a published question again: which numbers differ, and everything since that can have changed them."""
        result = self.ask(publication.result.query)
        causes = tuple(cause for cause in self._causes(publication, result) if cause.times)
        return changes(publication, result, causes)

    def _pinned(self, query: Query) -> Query:
        """The question with its last day, so that it is about the same days for ever."""
        if query.range.end is not None:
            return query
        watermark = self.ask(query).watermark
        if watermark is None:
            raise QueryError("there are no data yet, so there is nothing to publish", code="nothing_to_publish")
        return msgspec.structs.replace(query, range=msgspec.structs.replace(query.range, end=watermark))

    def _keep(self, name: str, result: Result, load_id: int) -> None:
        answer = result.to_mapping() | {"people_columns": result.people_columns}
        values = Values()
        parts = (answer, self.settings.definitions())
        texts = [values.add(msgspec.json.encode(part).decode()) for part in parts]
        own, moment = values.add(name), values.add(self.now().isoformat(sep=" "))
        with self.engine.transaction():
            execute(
                self.engine,
                f"""INSERT INTO publications
SELECT {own}, 1 + (SELECT coalesce(max(version), 0) FROM publications WHERE name = {own}),
  CAST({moment} AS TIMESTAMP), {load_id}, {", ".join(texts)}""",
                values,
            )

    def _causes(self, publication: Publication, result: Result) -> Iterator[Cause]:
        before, since = publication.result, publication.load_id
        yield Cause("completed", completed(before, result), "rows that were not over when published, and are now")
        yield self._late_events(publication)
        (links,) = self._one(f"SELECT count(*) AS links FROM fact_identity_links WHERE load_id > {since}")
        yield Cause("merged", links, "anonymous ids found to be known people")
        yield from self._attributes(publication)
        moment = f"TIMESTAMP '{publication.published_at.isoformat(sep=' ')}'"
        (erased,) = self._one(f"SELECT count(DISTINCT erasure_id) AS erased FROM erasures WHERE erased_at >= {moment}")
        yield Cause("erased", erased, "people erased")
        parts = changed_parts(publication.definitions, self.settings.definitions())
        if result.definitions != before.definitions:
            parts = parts or ("week_start or core_features",)
        yield Cause("definitions", len(parts), f"settings changed ({', '.join(parts)})")

    def _has_table(self) -> bool:
        """A reader of a workspace that an older version wrote finds none."""
        named = "SELECT count(*) AS tables FROM information_schema.tables WHERE table_name = 'publications'"
        return bool(self._one(named)[0])

    def _late_events(self, publication: Publication) -> Cause:
        events, people, first, last = self._one(
            f"""SELECT count(*) AS events, count(DISTINCT identity_key) AS people, min(day) AS first, max(day) AS last
FROM fact_user_actions WHERE load_id > {publication.load_id} AND day <= DATE '{publication.result.query.range.end}'"""
        )
        words = f"events that arrived later, by {people:,} ids, for days from {first} to {last}"
        return Cause("late_events", events, words)

    def _attributes(self, publication: Publication) -> Iterator[Cause]:
        """Attributes that the question is about, or that tell test users, set on people who were there before."""
        query, since = publication.result.query, publication.load_id
        named = [*query.breakdown, *(one.property for one in query.filters if one.property)]
        values = Values()
        keys = values.add_all(tuple(sorted({name.rpartition(".")[2] for name in named} | set(FLAGS))))
        rows = self._rows(
            f"""SELECT key, count(DISTINCT identity_key) AS people FROM fact_user_attributes
WHERE load_id > {since} AND key IN ({keys})
  AND identity_key IN (SELECT identity_key FROM fact_user_actions WHERE load_id <= {since})
GROUP BY key ORDER BY key""",
            values,
        )
        for key, people in rows:
            yield Cause("attributes", people, f"people with {key} set")

    def _one(self, statement: str) -> tuple[Any, ...]:
        (row,) = self.engine.query(statement).rows
        return tuple(row)

    def _rows(self, statement: str, values: Values) -> list[tuple[Any, ...]]:
        return self.engine.query(render(values.bind(statement), self.engine.dialect)).rows


def _publication(row: tuple[Any, ...]) -> Publication:
    name, version, published_at, load_id, answer, definitions = row
    return Publication(
        name, version, published_at, load_id, retold(msgspec.json.decode(answer)), msgspec.json.decode(definitions)
    )
