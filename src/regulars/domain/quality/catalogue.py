"""The catalogue of data-quality checks, as settings leave it.

Add a check: write a :class:`~regulars.domain.quality.record.Check` in the module of its family. Command line, settings,
history and documentation read it from here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from regulars.domain.quality import conservation, people, prepared, rows, sessions, times, values, volume
from regulars.domain.quality.own import own_check
from regulars.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from regulars.domain.context import Context
    from regulars.domain.quality.declared import CheckSettings
    from regulars.domain.quality.record import Check

FAMILIES: Mapping[str, tuple[Check, ...]] = {
    "Rows of imports": rows.CHECKS,
    "People": people.CHECKS,
    "Types and times": times.CHECKS,
    "Values": values.CHECKS,
    "Volume": volume.CHECKS,
    "Sessions and tracking": sessions.CHECKS,
    "Prepared tables": prepared.CHECKS,
    "Conservation": conservation.CHECKS,
}
CHECKS: Mapping[str, Check] = {check.name: check for family in FAMILIES.values() for check in family}


def checks_after_import(declared: Mapping[str, CheckSettings]) -> tuple[Check, ...]:
    """The checks that run after every import: the cheap ones, as settings leave them."""
    found = []
    for name, check in CHECKS.items():
        said = declared.get(name)
        wanted = check.is_cheap if said is None or said.after_import is None else said.after_import
        if wanted and (said is None or said.enabled):
            found.append(_changed(check, said))
    return tuple(found)


def chosen_checks(
    declared: Mapping[str, CheckSettings], context: Context, only: Iterable[str] = ()
) -> tuple[Check, ...]:
    """The checks that a run asks for, shipped ones first: all that are switched on, or ``only`` those named.

    Raises:
        UnknownNameError: ``unknown_check``.
    """
    every = {name: _changed(check, declared.get(name)) for name, check in CHECKS.items()}
    every |= {name: own_check(name, said, context) for name, said in declared.items() if name not in CHECKS}
    named = tuple(dict.fromkeys(only))
    for name in named:
        if name not in every:
            raise UnknownNameError("check", name, every, code="unknown_check")
    return tuple(every[name] for name in named or [n for n in every if n not in declared or declared[n].enabled])


def _changed(check: Check, said: CheckSettings | None) -> Check:
    """A shipped check with what settings change about it."""
    if said is None:
        return check
    return replace(
        check,
        severity=said.severity or check.severity,
        threshold=check.threshold if said.threshold is None else said.threshold,
        limit=check.limit if said.limit is None else said.limit,
        property=said.property or check.property,
        since=said.since,
        words=said.description or check.words,
        fix=said.fix or check.fix,
    )
