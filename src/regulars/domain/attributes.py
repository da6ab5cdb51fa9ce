"""Attributes of a person as a program gives them: which there can be, and the text that is stored."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from regulars.domain.schema import POPULATIONS
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

AttributeValue = str | int | float | bool | date | None


def attribute_texts(attributes: Mapping[str, Any], *, most: int) -> dict[str, str | None]:
    """The texts under which attributes are stored, None for one that is to be cleared; names have ``most`` characters.

    Errors: :class:`QueryError` ``bad_attribute``, :class:`UnknownNameError` ``unknown_population``.

    >>> attribute_texts({"plan": "paid", "beta": True, "city": None}, most=200)
    {'plan': 'paid', 'beta': 'true', 'city': None}
    """
    if (population := attributes.get("population")) is not None:
        check_population(population)
    return {_name(name, most): _text(name, value) for name, value in attributes.items()}


def check_population(population: object) -> None:
    """Refuse what is no population of a person."""
    if population not in POPULATIONS:
        raise UnknownNameError("population", str(population), POPULATIONS, code="unknown_population")


def _name(name: object, most: int) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > most:
        raise QueryError(
            f"an attribute has a name of 1 to {most} characters, not {str(name)[:most]!r}", code="bad_attribute"
        )
    return name


def _text(name: str, value: object) -> str | None:
    """The text that an import would give it."""
    if value is None:
        return None
    if not isinstance(value, AttributeValue):
        raise QueryError(
            f"attribute {name!r} is a text, a number, True, False, a day, or None, not {type(value).__name__}",
            code="bad_attribute", name=name,
        )  # fmt: skip
    return str(value).lower() if isinstance(value, bool) else str(value)
