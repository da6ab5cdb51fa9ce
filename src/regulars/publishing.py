"""Published answers: the part of a workspace that remembers what was told to others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.application.publications import Publications
    from regulars.domain.publications import Changes, Publication
    from regulars.domain.query import Query
    from regulars.domain.result import Result
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.settings import Settings


class Publishing(ABC):
    """What :class:`regulars.workspace.Workspace` can do with answers that were handed on."""

    settings: Settings
    _engine: DuckDBEngine

    def publish(self, name: str, metric: str, **keywords: Any) -> Publication:
        """Keep today's answer to a question under a name, as its next version; nothing is ever written over.

        Args:
            name: What it is called, such as ``board-march``.
            metric: A metric, or ``dau``, ``wau``, ``mau``.
            keywords: Those of :meth:`regulars.Workspace.question`. Without ``end``, the last day with data is kept as
                the end, so that the answer stays about the same days.

        Raises:
            QueryError: ``names_people``: the rows are people, who could not be erased from it; ``nothing_to_publish``:
                there are no data; ``bad_name``; whatever the question raises.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.track("ada", "like", timestamp="2026-01-05T09:00:00Z")
            >>> ws.publish("board", "dau", start="2026-01-05").version
            1
            >>> _ = ws.track("ben", "like", timestamp="2026-01-05T10:00:00Z")  # arrives late
            >>> changed = ws.changed("board")
            >>> [(row["published"], row["now"]) for row in changed.rows], [cause.code for cause in changed.causes]
            ([(1, 2)], ['late_events'])
        """
        return self.publish_query(name, self.question(metric, **keywords))

    def publish_query(self, name: str, query: Query) -> Publication:
        """:meth:`publish` for a question that is made already."""
        self._refuse_read_only("publish an answer")
        return self._publications().publish(name, query)

    def published(self, name: str | None = None, version: int | None = None) -> list[Publication]:
        """What was published, newest first: everything, or one version of a name (the last one by default).

        Raises:
            QueryError: ``unknown_publication``.
        """
        kept = self._publications()
        return kept.all() if name is None else [kept.find(name, version)]

    def changed(self, name: str, version: int | None = None) -> Changes:
        """What has changed in a published answer: the numbers that differ today, and what happened since.

        Raises:
            QueryError: ``unknown_publication``.
        """
        kept = self._publications()
        return kept.changes(kept.find(name, version))

    def _publications(self) -> Publications:
        from regulars.application.publications import Publications  # noqa: PLC0415 -- few programs need it

        self.flush()
        return Publications(self._engine, self.settings, self.now, self.query)

    @abstractmethod
    def flush(self) -> None:
        """Bring what was tracked into the database."""

    @abstractmethod
    def now(self) -> datetime:
        """The present instant, naive UTC."""

    @abstractmethod
    def question(self, name: str, **keywords: Any) -> Query:
        """The question that keywords ask."""

    @abstractmethod
    def query(self, query: Query) -> Result:
        """Answer one question."""

    @abstractmethod
    def _refuse_read_only(self, what: str) -> None:
        """Refuse what a reader cannot do."""
