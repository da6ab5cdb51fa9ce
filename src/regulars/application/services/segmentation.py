"""Which segment people are in: those of the settings, or rules set while the program runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from regulars.application.services.asking import asked_day, id_text, on_day
from regulars.domain.cohorts import Cohort, bad_rule
from regulars.domain.query import Filter
from regulars.domain.segments import SEGMENT
from regulars.domain.vocabulary import UserSegment
from regulars.errors import SettingsError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regulars.application.services.asking import UserId, Workspace
    from regulars.domain.calendar import Day
    from regulars.domain.cohorts import Rule


class UserSegmentation:
    """Puts people into segments: the first whose rule holds.

    Example:
        >>> import regulars
        >>> ws = regulars.open()
        >>> _ = ws.track("ada", "purchase")
        >>> segments = UserSegmentation(ws)
        >>> segments.classify("ada")
        <UserSegment.NEW_USER: 'new_user'>
        >>> _ = segments.set_rules({"buyer": {"did": "purchase", "at_least": 1}})
        >>> segments.members("buyer")
        ['ada']
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @property
    def rules(self) -> dict[str, Rule]:
        """The segments with their rules, in the order in which they are tried."""
        return dict(self._workspace.settings.rules.segments)

    def classify(self, user_id: UserId, date: Day | None = None) -> UserSegment | str | None:
        """The segment of a person on a day, whatever their population; None before they were known.

        Args:
            user_id: Any id of the person.
            date: The day; the local day of now by default.

        Returns:
            A :class:`~regulars.domain.UserSegment`, or the name of a segment of one's own.

        Raises:
            QueryError: ``unknown_user``; ``bad_date``, also for a day that has not begun.
        """
        person = self._workspace.timeline(id_text(user_id), limit=1).profile.user_id
        asked = on_day(asked_day(self._workspace, date), by=SEGMENT, population="all")
        only = Filter(property="user.user_id", value=person)
        rows = self._workspace.metric("cohort_size", where=only, **asked).rows
        found = next((row[SEGMENT] for row in rows if row["cohort_size"]), None)
        return _named(found) if found in self.rules else None

    def members(self, segment: str, date: Day | None = None, **question: Any) -> list[str]:
        """Ids of the people in a segment on a day, sorted.

        Args:
            segment: A :class:`~regulars.domain.UserSegment`, or the name of a segment of one's own.
            date: The day; the local day of now by default.
            question: Keywords of :meth:`regulars.Workspace.question`, such as ``where`` and ``population``.

        Raises:
            UnknownNameError: ``unknown_segment``.
            QueryError: ``bad_date``, also for a day that has not begun.
        """
        if segment not in self.rules:
            raise UnknownNameError("segment", str(segment), self.rules, code="unknown_segment")
        # People whom no rule fits make one slice more.
        asked = on_day(asked_day(self._workspace, date), by=SEGMENT, limit=len(self.rules) + 1, **question)
        result = self._workspace.metric("cohort_size", **asked)
        mine = [row for row in result.rows if row[SEGMENT] == segment]
        return result.users(mine[0]) if mine else []

    def set_rules(
        self, rules: Mapping[str, Cohort | Mapping[str, Any]], *, order: Sequence[str] = ()
    ) -> dict[str, Rule]:
        """Declare segments, in the place of those of ``regulars.toml`` and for as long as the workspace is open.

        Args:
            rules: Rules by name, written as under ``[segments.NAME]``. They are tried before the shipped ones; one that
                has the name of a shipped one replaces it. An empty mapping leaves the shipped ones.
            order: In which order segments are tried, where it matters; those that are left out do not exist.

        Returns:
            The segments that hold now, in their order.

        Raises:
            SettingsError: ``bad_rule``, ``unknown_segment``, ``unknown_cohort``, ``cohort_cycle``; nothing was changed.
        """
        declared = {name: _read(name, rule) for name, rule in rules.items()}
        # A new record checks its rules, and is put in the place of the old one only when they hold.
        self._workspace.settings = msgspec.structs.replace(
            self._workspace.settings, segments=declared, segment_order=tuple(map(str, order))
        )
        return self.rules


def _named(segment: str) -> UserSegment | str:
    return UserSegment(segment) if segment in list(UserSegment) else segment


def _read(name: str, rule: Cohort | Mapping[str, Any]) -> Cohort:
    if isinstance(rule, Cohort):
        return rule
    try:
        return msgspec.convert(rule, Cohort)
    except msgspec.ValidationError as exc:
        cause = exc.__cause__
        if isinstance(cause, SettingsError):
            raise cause from exc
        raise bad_rule(f"segment {name!r} cannot be read: {exc}") from exc
