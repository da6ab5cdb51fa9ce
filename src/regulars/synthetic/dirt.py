"""Faults with known counts: what real exports do to good events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regulars.synthetic.events import IDENTIFY, KINDS, Columns, Events
from regulars.synthetic.population import DIRT, stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regulars.synthetic.options import GeneratorOptions
    from regulars.synthetic.population import Flags, Ints, Population

UNKNOWN_TYPE: Final = "widget_twirled"
UNKNOWN: Final = len(KINDS)
BROKEN_TIME, BROKEN_USER, BROKEN_TYPE = 1, 2, 3
_CLEAN, _TWICE, _LATE, _MALFORMED, _UNKNOWN = range(5)
_ON_THE_WAY: Final = 2  # seconds from an event to its receipt
_LATE_SECONDS: Final = (25 * 3600, 7 * 24 * 3600)  # that a late event waits on its device


@dataclass(frozen=True)
class SoiledEvents:
    """The rows of one block as they are written, and how many of each fault are in them."""

    rows: Columns
    late: Columns  # rows that belong at the end of the file
    injected: dict[str, int]


def soil(options: GeneratorOptions, people: Population, events: Events, first_id: int, block: int) -> SoiledEvents:
    """Number the events from `first_id` on and inject the faults that the options ask for."""
    rng = stream(options.seed, DIRT, block)
    columns = _columns(people, events, first_id)
    fate = _fates(options, rng, _protected(events))
    columns["broken"] = np.where(fate == _MALFORMED, rng.integers(1, 4, len(events)), 0).astype(np.int8)
    columns["label"] = np.where(fate == _UNKNOWN, UNKNOWN, events.kind).astype(np.int8)
    order = np.repeat(np.arange(len(events)), np.where(fate == _TWICE, 2, 1))
    order, overtaken = _swap_neighbours(options, rng, order[fate[order] != _LATE], events)
    wait = np.where(fate == _LATE, rng.integers(*_LATE_SECONDS, len(events)), _ON_THE_WAY)
    # The later event of a pair is sent at once, and the earlier one a second after it.
    wait[order[overtaken]] += events.second[order[overtaken - 1]] - events.second[order[overtaken]] + 1
    columns["sent"], columns["received"] = columns["second"] + wait, events.second + wait
    return SoiledEvents(
        rows=_take(columns, order),
        late=_take(columns, np.flatnonzero(fate == _LATE)),
        injected={**_row_counts(fate), "out_of_order": len(overtaken), **_user_counts(people, events)},
    )


def _columns(people: Population, events: Events, first_id: int) -> Columns:
    return {
        "event_id": np.arange(first_id, first_id + len(events), dtype=np.int64),
        "user_id": people.user_id[events.user],
        "second": events.second + people.skew[events.user],
        "kind": events.kind,
        "course": events.course,
        "measure": events.measure,
        "hidden": events.hidden,
    }


def _take(columns: Columns, order: Ints) -> Columns:
    return {name: column[order] for name, column in columns.items()}


def _protected(events: Events) -> Flags:
    """The rows that link a person together; a fault in one would change who did all the others."""
    protected: Flags = events.hidden | (events.kind == IDENTIFY)
    return protected


def _fates(options: GeneratorOptions, rng: np.random.Generator, protected: Flags) -> NDArray[np.int8]:
    """At most one fault per row, so that every count can be found again exactly."""
    rates = (options.duplicates, options.late, options.malformed, options.unknown_types)
    draws = rng.random(len(protected))
    fate = np.searchsorted(np.cumsum(rates), draws, side="right").astype(np.int8) + 1
    fate[fate > len(rates)] = _CLEAN
    fate[protected & (fate >= _MALFORMED)] = _CLEAN
    return fate.astype(np.int8)


def _swap_neighbours(
    options: GeneratorOptions, rng: np.random.Generator, order: Ints, events: Events
) -> tuple[Ints, Ints]:
    """Write some pairs of rows in reverse; pairs do not overlap, so each is one step back in event_id.

    Returns the order, and the places in it that hold the earlier event of a pair.
    """
    pairs = len(order) // 2
    left, right = order[: 2 * pairs : 2].copy(), order[1 : 2 * pairs : 2].copy()
    flip = (rng.random(pairs) < options.out_of_order) & (left != right) & (events.user[left] == events.user[right])
    flip &= events.second[left] < events.second[right]  # of two events in one second none is the later
    order[: 2 * pairs : 2] = np.where(flip, right, left)
    order[1 : 2 * pairs : 2] = np.where(flip, left, right)
    return order, 2 * np.flatnonzero(flip) + 1


def _row_counts(fate: NDArray[np.int8]) -> dict[str, int]:
    names = {"duplicates": _TWICE, "late": _LATE, "malformed": _MALFORMED, "unknown_types": _UNKNOWN}
    return {name: int((fate == code).sum()) for name, code in names.items()}


def _user_counts(people: Population, events: Events) -> dict[str, int]:
    skewed = people.skew != 0
    return {
        "clock_skew_users": int(skewed.sum()),
        "clock_skew_events": int(skewed[events.user].sum()),
        "test_accounts": int(people.test.sum()),
        "anonymous_users": int((events.kind == IDENTIFY).sum()),
        "anonymous_events": int(events.hidden.sum()),
    }
