"""Arguments that are one of a few words."""

from __future__ import annotations

from typing import Any, get_args

from regulars.errors import UnknownNameError


def check_choice(name: str, value: str, literal: Any) -> None:
    """Refuse a word that is none of a ``Literal`` type.

    >>> from typing import Literal
    >>> check_choice("direction", "upp", Literal["up", "down"])
    Traceback (most recent call last):
    regulars.errors.UnknownNameError: unknown direction 'upp'; did you mean 'up'?
    """
    if value not in get_args(literal):
        raise UnknownNameError(name, value, get_args(literal), code="unknown_choice")
