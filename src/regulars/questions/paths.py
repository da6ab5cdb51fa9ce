"""What people do one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from regulars.questions.asking import Asking, Question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.query import EventCondition
    from regulars.domain.result import Result

    Events = str | EventCondition | Mapping[str, Any]


class PathQuestions(Asking):
    """Paths."""

    def paths(
        self,
        *,
        view: Literal["flow", "matrix"] = "flow",
        unit: Literal["session", "user"] = "session",
        gap: str | int | Mapping[str, Any] | None = None,
        node: str = "action",
        collapse: bool = True,
        from_event: Events | None = None,
        to_event: Events | None = None,
        steps: int = 5,
        top: int = 8,
        **question: Unpack[Question],
    ) -> Result:
        """Which way people take: from node to node, step by step.

        A path is what one person does in one session, or until a long pause. Its nodes are the events of the activity
        that pass the filters, in the order of time, client sequence and id. It belongs to the local day on which it
        begins, and may go on after the range, never after the last day of data.

        Args:
            view: ``flow``: transitions from node to node; ``matrix``: how many paths are at which node on each step.
            unit: ``session``, by the rules in the settings, or ``user``: everything until a pause longer than ``gap``.
            gap: For ``unit="user"``: ``"30 minutes"``, ``"2 days"``, a number of days; one day by default.
            node: The event property that names a node: ``action``, ``context`` (screens), ``feature``, or any other.
                Events without it are left out.
            collapse: Whether repeats in a row are one node.
            from_event: An activity, an event type or a condition: paths begin with the first such event, and those
                without one are left out.
            to_event: The same for the last event. With it alone, steps count back from it.
            steps: How many nodes of each path to look at, 2 to 20.
            top: How many nodes per step are shown, by paths and then by name; the others are one.
            question: Keywords of :meth:`regulars.Workspace.question`.

        Returns:
            Columns: the breakdown, ``step``, ``from_node`` and ``to_node`` (``view="matrix"``: ``node``), ``paths``,
            ``users`` (distinct people), ``share`` (of the paths on that step), ``flags``. A missing node is the end of
            the path (flag ``end``; counting back its beginning, ``start``) or all nodes beyond ``top`` (flag
            ``from_node_other``, ``to_node_other`` or ``node_other``).

        Raises:
            QueryError: ``bad_option``: a gap for sessions, or a value out of bounds; ``wrong_scope``: the node is no
                event property; ``bad_events``: an activity about whole days.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": user, "event_type": kind, "timestamp": f"2026-01-05T09:0{minute}:00Z"}
            ...         for user, kinds in [("ada", ["search", "view", "buy"]), ("bob", ["search", "view"])]
            ...         for minute, kind in enumerate(kinds)
            ...     ]
            ... )
            >>> for row in ws.paths().rows:
            ...     print(row["step"], row["from_node"], row["to_node"], row["paths"], row["share"], row["flags"])
            1 search view 2 1.0 []
            2 view buy 1 0.5 []
            2 view None 1 0.5 ['end']
            3 buy None 1 1.0 ['end']
        """
        asked: dict[str, Any] = {
            "view": view, "unit": unit, "gap": gap, "node": node, "collapse": collapse, "from_event": from_event,
            "to_event": to_event, "steps": steps, "top": top,
        }  # fmt: skip
        return self.metric("paths", **question, **{name: value for name, value in asked.items() if value is not None})
