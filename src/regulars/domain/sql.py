"""Building blocks of canonical SQL: values that only ever enter as syntax-tree literals, and named relations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlglot import exp, parse_one

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Value = str | int | float | bool | date


class ComposedSql(str):
    """The text of a statement that still knows its named relations and its body, see :func:`with_relations`."""

    __slots__ = ("body", "relations")

    relations: Mapping[str, str]
    body: str


class StagedSql(str):
    """A statement that can also be run stage by stage, each a name with the SELECT for it, and a last SELECT.

    See :func:`in_stages`.
    """

    __slots__ = ("last", "stages")

    stages: tuple[tuple[str, str], ...]
    last: str


@dataclass(frozen=True)
class BoundSql:
    """Canonical text with the values of its placeholders by name; types tell 1, 1.0 and True apart.

    :func:`regulars.domain.dialect.render` spells it for an engine.
    """

    text: str
    values: tuple[tuple[str, type, Value], ...]

    def part(self, text: str) -> BoundSql:
        """A part of the text, with those of the values that it may hold."""
        held = set(re.findall(r"\$(v[0-9]+)", text))
        return BoundSql(text, tuple(value for value in self.values if value[0] in held))

    def tree(self) -> exp.Expr:
        """A syntax tree of its own, with literals in the places of the placeholders."""
        by_name = {name: value for name, _, value in self.values}
        tree = _parsed(self.text).copy()
        for node in list(tree.find_all(exp.Placeholder)):
            node.replace(literal(by_name[node.name]))
        return tree


class Values:
    """The values of one statement. Text holds a placeholder, the tree gets a literal: nothing can break out.

    >>> values = Values()
    >>> text = "SELECT 1 WHERE x = " + values.add("it's")
    >>> text, values.bind(text).tree().sql()
    ('SELECT 1 WHERE x = $v1', "SELECT 1 WHERE x = 'it''s'")
    """

    def __init__(self) -> None:
        self._names: dict[tuple[type, Value], str] = {}

    def add(self, value: Value) -> str:
        """Remember a value and return the placeholder that stands for it in the text."""
        known = (type(value), value)
        if known not in self._names:
            self._names[known] = f"v{len(self._names) + 1}"
        return f"${self._names[known]}"

    def add_all(self, values: tuple[Value, ...]) -> str:
        """Placeholders of several values, separated by commas."""
        return ", ".join(self.add(value) for value in values)

    def bind(self, text: str) -> BoundSql:
        """The text with its values, ready to be rendered."""
        return BoundSql(text, tuple((name, *known) for known, name in self._names.items())).part(text)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> exp.Expr:
    return parse_one(text, dialect="duckdb")


def literal(value: Value) -> exp.Expr:
    """A value as a syntax-tree literal."""
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, date):
        return exp.Cast(this=exp.Literal.string(value.isoformat()), to=exp.DataType.build("date"))
    if isinstance(value, str):
        return exp.Literal.string(value)
    number = exp.Literal.number(repr(abs(value)))
    return exp.Neg(this=number) if value < 0 else number


def identifier(name: str) -> str:
    """A column name as a quoted identifier of the canonical dialect."""
    return exp.to_identifier(name, quoted=True).sql(dialect="duckdb")


def with_relations(relations: Mapping[str, str], body: str, *, once: Collection[str] = (), how: str = "") -> str:
    """One statement from named relations in reading order and the SELECT that uses them.

    ``how`` is what an engine has to be told to work those of ``once`` out only once.
    """
    if not relations:
        return body
    named = ",\n".join(
        f"{name} AS {how if name in once else ''}(\n{text.strip()}\n)" for name, text in relations.items()
    )
    composed = ComposedSql(f"WITH {named}\n{body.strip()}")
    composed.relations, composed.body = dict(relations), body
    return composed


def read_again(relations: Mapping[str, str], body: str) -> set[str]:
    """The relations that are read more than once; a column of the same name counts as well.

    >>> read_again({"days": "SELECT 1", "both": "SELECT * FROM days a JOIN days b"}, "SELECT * FROM both")
    {'days'}
    """
    whole = "\n".join((*relations.values(), body))
    return {name for name in relations if len(re.findall(rf"(?<![\w.]){name}(?![\w.])", whole)) > 1}


def in_stages(relations: Mapping[str, str], body: str, *, once: Collection[str], how: str) -> StagedSql:
    """One statement as :func:`with_relations` makes it, which knows the SELECT of each relation of ``once``.

    The other relations go with each of those, so that only the named ones have to be kept in between.
    """
    staged = StagedSql(with_relations(relations, body, once=once, how=how))
    beside: dict[str, str] = {}
    stages = []
    for name, text in relations.items():
        if name in once:
            stages.append((name, _beside(beside, text)))
        else:
            beside[name] = text
    staged.stages, staged.last = tuple(stages), _beside(beside, body)
    return staged


def _beside(relations: Mapping[str, str], text: str) -> str:
    """A SELECT, which may name relations itself, with others that it may read."""
    body = f"SELECT * FROM (\n{text.strip()}\n) AS named" if relations and text.lstrip().startswith("WITH") else text
    return str(with_relations(relations, body))
