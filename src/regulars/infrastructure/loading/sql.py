"""Quoting of names and text, so that no column name and no value can leave its place."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A column or table name as SQL.

    >>> print(quoted('a"b; drop'))
    "a""b; drop"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | None) -> str:
    """A text value as SQL.

    >>> print(literal("it's"), literal(None))
    'it''s' NULL
    """
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def either(expressions: list[str]) -> str:
    """The first expression that is not missing."""
    return expressions[0] if len(expressions) == 1 else f"coalesce({', '.join(expressions)})"
