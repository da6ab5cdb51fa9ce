"""One question under two conventions."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import msgspec

from regulars.domain.comparison import compare_results, two_conventions
from regulars.questions.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.comparison import Comparison
    from regulars.domain.query import Query
    from regulars.domain.result import Result


class Comparing(Asking):
    """Whatever can count a question twice."""

    def compare(self, name: str, conventions: str | Sequence[str], **keywords: Any) -> Comparison:
        """Why another tool shows another number: the same question by two conventions, cell by cell.

        Args:
            name: A metric, or ``dau``, ``wau``, ``mau``.
            conventions: Two of ``regulars``, ``posthog``, ``amplitude``, ``mixpanel``, ``statsig``; one alone is
                compared with ``regulars``.
            keywords: Those of :meth:`question`, but ``convention``.

        Returns:
            Rows with both values and their gap, the rules on which the two differ, and the people behind each gap.

        Raises:
            QueryError: ``two_conventions``; ``no_convention``: one of them says nothing about this metric; whatever the
                question raises.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> for day in ("2026-01-05", "2026-02-03"):
            ...     _ = ws.track("ada" if day < "2026-02" else "ben", "like", timestamp=f"{day}T09:00:00Z")
            >>> comparison = ws.compare("mau", "statsig", start="2026-02-03")
            >>> comparison.rows[-1]["baseline"], comparison.rows[-1]["compared"], comparison.rows[-1]["gap"]
            (2, 1, -1)
            >>> comparison.rules, comparison.users()
            ((Rule(name='window', baseline=30, compared=28),), Gap(only_baseline=['ada'], only_compared=[]))
        """
        given = [conventions] if isinstance(conventions, str) else conventions
        return self.compare_query(self.question(name, **keywords), given)

    def compare_query(self, asked: Query, conventions: Sequence[str]) -> Comparison:
        """:meth:`compare` for a question that is made already."""
        pair = two_conventions(asked, conventions)
        baseline, compared = (self.query(msgspec.structs.replace(asked, convention=one)) for one in pair)
        return compare_results(asked, pair, baseline, compared)

    @abstractmethod
    def query(self, query: Query) -> Result:
        """Answer one question."""
