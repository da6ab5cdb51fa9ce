"""All rules of a workspace: its cohorts, and its segments in their order.

A *cohort* is one rule. *Segments* are rules in an order: everybody belongs to the first one that holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regulars.domain.cohorts import Cohort, bad_rule
from regulars.domain.query import MAX_FILTER_DEPTH, MAX_FILTER_NODES, EventCondition
from regulars.errors import SettingsError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from regulars.domain.cohorts import Rule

SEGMENT = "segment"
PREFIX = "cohort."
FROZEN = "frozen cohort"
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

DEFAULT_SEGMENTS: Mapping[str, Cohort] = {
    "new_user": Cohort(measure="tenure", at_most=7, description="Registered, or first seen, at most 7 days ago"),
    "churned": Cohort(measure="days_since", at_least=61, description="Last active more than 60 days ago"),
    "dormant": Cohort(measure="days_since", at_least=31, description="Last active more than 30 days ago"),
    "at_risk": Cohort(measure="days_since", at_least=8, description="Last active more than 7 days ago"),
    "power_user": Cohort(measure="days", at_least=20, last_days=30, description="Active on 20 or more of 30 days"),
    "active_user": Cohort(measure="days_since", at_least=0, description="Everybody else who was ever active"),
}


@dataclass(frozen=True)
class Stay:
    """How long a person belonged: from the first day to the last, both included; no last day: they still do.

    What was before the workspace's first day is not known, so stays begin on it at the earliest; where a rule counts
    raw events, and older ones were dropped, on the first day for which those are here that it looks at.
    ``is_truncated``: there is no such day, as it looks at all of history, and it counts what is left.
    """

    name: str
    first_day: date
    last_day: date | None
    is_segment: bool = False
    is_frozen: bool = False
    is_truncated: bool = False


@dataclass(frozen=True)
class CohortRules:
    """Every declared cohort, and the segments in the order in which they are tried."""

    cohorts: Mapping[str, Rule] = field(default_factory=dict)
    segments: Mapping[str, Rule] = field(default_factory=lambda: dict(DEFAULT_SEGMENTS))

    def property_names(self, names: Iterable[str]) -> list[str]:
        """The properties that the rules behind some property names (``cohort.x``, ``segment``) read."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        waiting = [_node(name) for name in names]
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            for rule in self.behind(node):
                found |= dict.fromkeys(_properties(rule))
                waiting += _references(rule)
        return list(found)

    def behind(self, node: str) -> list[Rule]:
        """The rules that a node ``cohort NAME`` or ``segment NAME`` depends on; ``segment`` alone on all of them."""
        kind, _, name = node.partition(" ")
        if kind == "cohort":
            return [self.cohorts[name]] if name in self.cohorts else []
        if kind != SEGMENT:
            return []
        order = list(self.segments)
        return [self.segments[each] for each in (order[: order.index(name) + 1] if name in order else order)]


def ordered_segments(declared: Mapping[str, Cohort], order: Sequence[str] = ()) -> dict[str, Cohort]:
    """The segments as they are tried: those of one's own first, then the shipped ones, or in the given order.

    Raises:
        SettingsError: ``unknown_segment``, the order names one that is not there, or leaves out a declared one.
    """
    every = {**{n: r for n, r in declared.items() if n not in DEFAULT_SEGMENTS}, **DEFAULT_SEGMENTS, **declared}
    for name in order:
        if name not in every:
            raise SettingsError(
                f"segment_order: unknown segment {name!r}; {did_you_mean(name, every)}",
                code="unknown_segment", value=name,
            )  # fmt: skip
    left = [name for name in declared if order and name not in order]
    if left:
        raise SettingsError(
            f"segment_order leaves out the declared segment {left[0]!r}; put it where it is to be tried",
            code="unknown_segment", value=left[0],
        )  # fmt: skip
    return {name: every[name] for name in order or every}


def check_rules(rules: CohortRules) -> None:
    """Refuse names that cannot be used, references to nothing, and rules that refer to themselves.

    Raises:
        SettingsError: ``bad_rule``, ``unknown_cohort``, ``unknown_segment``, ``cohort_cycle``.
    """
    named = [f"cohort {name}" for name in rules.cohorts] + [f"segment {name}" for name in rules.segments]
    for node in named:
        _check_name(node)
        kind, _, name = node.partition(" ")
        rule = rules.cohorts[name] if kind == "cohort" else rules.segments[name]
        _check_size(node, [rule])
        _check_references(node, rule, rules)
    done: set[str] = set()
    for node in named:
        _find_cycle(node, (), rules, done)


def _check_name(node: str) -> None:
    kind, _, name = node.partition(" ")
    if not NAME.fullmatch(name) or (kind == "cohort" and name == SEGMENT):
        raise bad_rule(f"{kind} name {name!r} must be lower-case letters, digits and _, and not {SEGMENT!r}")


def _check_size(node: str, level: list[Rule]) -> None:
    nodes = depth = 0
    while level:
        depth, nodes = depth + 1, nodes + len(level)
        if depth > MAX_FILTER_DEPTH or nodes > MAX_FILTER_NODES:
            raise bad_rule(
                f"{node}: a rule may have at most {MAX_FILTER_NODES} conditions in {MAX_FILTER_DEPTH} levels"
            )
        level = [member for rule in level for member in rule.members()]


def _check_references(node: str, rule: Rule, rules: CohortRules) -> None:
    for each in _references(rule):
        kind, _, name = each.partition(" ")
        known = rules.cohorts if kind == "cohort" else rules.segments
        if name not in known:
            raise SettingsError(
                f"{node}: unknown {kind} {name!r}; {did_you_mean(name, known) or 'none is declared'}",
                code=f"unknown_{kind}", value=name,
            )  # fmt: skip


def _find_cycle(node: str, path: tuple[str, ...], rules: CohortRules, done: set[str]) -> None:
    if node in path:
        way = " -> ".join((*path[path.index(node) :], node))
        raise SettingsError(f"a rule refers to itself: {way}; take one of these references out", code="cohort_cycle")
    if node in done:
        return
    for rule in rules.behind(node):
        for each in _references(rule):
            _find_cycle(each, (*path, node), rules, done)
    done.add(node)


def _references(rule: Rule) -> list[str]:
    found = []
    for each in rule.tree():
        found += [f"cohort {each.cohort}"] if each.cohort is not None else []
        found += [f"segment {each.segment}"] if each.segment is not None else []
    return found


def _node(name: str) -> str:
    if name in (SEGMENT, f"user.{SEGMENT}", f"{PREFIX}{SEGMENT}"):
        return SEGMENT
    return f"cohort {name.removeprefix(PREFIX)}" if name.startswith(PREFIX) else ""


def _properties(rule: Rule) -> Iterator[str]:
    for each in rule.tree():
        if each.property is not None:
            yield each.property
        conditions = each.events()
        if isinstance(conditions, EventCondition):
            yield from (leaf.property or "" for one in conditions.where for leaf in one.leaves())
