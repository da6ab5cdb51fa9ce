"""Conditions as people type them: ``plan = 'paid' and country in ('DE', 'FR')`` becomes filters.

The text is parsed as a SQL expression and only the forms of a filter are taken over; nothing of it reaches a
statement as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from regulars.domain.query import Filter
from regulars.domain.sql import identifier
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.query import Scalar

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_KNOWN: dict[type[exp.Expr], str] = {exp.Contains: "contains", exp.StartsWith: "starts_with"}
_FUNCTIONS = ("contains", "icontains", "starts_with", "istarts_with")
_OPPOSITE = {
    "=": "!=", "!=": "=", "in": "not_in", "not_in": "in", "is_set": "is_not_set", "is_not_set": "is_set",
    "contains": "not_contains",
}  # fmt: skip
_FORMS = (
    "plan = 'paid', amount >= 10, country in ('DE', 'FR'), amount between 1 and 9, plan is not null, "
    "contains(name, 'x'), starts_with(name, 'x'), cohort.buyers, joined by and / or / not"
)


def parse_where(text: str) -> tuple[Filter, ...]:
    """Filters that must all hold.

    >>> parse_where("plan = 'paid' and country in ('DE', 'FR')")[1].op
    'in'
    """
    try:
        found = _filter(parse_one(text, dialect="duckdb", into=exp.Condition), text)
    except SqlglotError:
        raise _refused(text) from None
    except RecursionError:
        raise QueryError(f"the condition {text[:100]!r}... nests too deep", code="bad_where") from None
    return found.all if found.all is not None else (found,)


def _refused(text: str) -> QueryError:
    return QueryError(f"cannot read the condition {text!r}; forms: {_FORMS}", code="bad_where")


def _filter(node: exp.Expr, text: str) -> Filter:
    if isinstance(node, exp.Paren):
        return _filter(node.this, text)
    if isinstance(node, exp.And | exp.Or):
        members = tuple(_filter(member, text) for member in node.flatten())
        return Filter(all=members) if isinstance(node, exp.And) else Filter(any=members)
    if isinstance(node, exp.Not):
        return _negated(_filter(node.this, text), text)
    return _condition(node, text)


def _negated(found: Filter, text: str) -> Filter:
    if found.property is None:
        opposite = tuple(_negated(member, text) for member in found.members())
        return Filter(any=opposite) if found.all is not None else Filter(all=opposite)
    if found.op not in _OPPOSITE:
        raise QueryError(f"not is only understood before =, in, is null and contains, in {text!r}", code="bad_where")
    return Filter(property=found.property, op=_OPPOSITE[found.op], value=found.value)


def _condition(node: exp.Expr, text: str) -> Filter:
    if isinstance(node, exp.Column) and node.table == "cohort":
        return Filter(property=_name(node, text), value="yes")
    if type(node) in _COMPARISONS:
        return Filter(property=_name(node.this, text), op=_COMPARISONS[type(node)], value=_value(node.expression, text))
    if isinstance(node, exp.In) and node.expressions:
        listed = tuple(_value(one, text) for one in node.expressions)
        return Filter(property=_name(node.this, text), op="in", value=listed)
    if isinstance(node, exp.Between):
        bounds = (_value(node.args["low"], text), _value(node.args["high"], text))
        return Filter(property=_name(node.this, text), op="between", value=bounds)
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        return Filter(property=_name(node.this, text), op="is_not_set")
    return _function(node, text)


def _function(node: exp.Expr, text: str) -> Filter:
    name = _KNOWN.get(type(node), node.name.lower())
    arguments = node.expressions if isinstance(node, exp.Anonymous) else [one for one in node.args.values() if one]
    if name not in _FUNCTIONS or len(arguments) != 2 or not isinstance(arguments[1], exp.Expr):  # noqa: PLR2004
        raise _refused(text)
    return Filter(property=_name(arguments[0], text), op=name, value=_value(arguments[1], text))


def _name(node: exp.Expr, text: str) -> str:
    if not isinstance(node, exp.Column):
        raise _refused(text)
    parts = node.parts
    # A quoted name is literal, so its dots are no prefix.
    return ".".join(identifier(part.name) if part.args.get("quoted") else part.name for part in parts)


def _value(node: exp.Expr, text: str) -> Scalar:
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
        return -_number(node.this.name)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Literal):
        return node.name if node.is_string else _number(node.name)
    raise _refused(text)


def _number(text: str) -> int | float:
    return int(text) if text.isdigit() else float(text)
