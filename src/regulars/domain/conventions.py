"""Other tools' conventions: which options make a metric count as they document it, and what is not followed.

Options that a question gives itself win. Sources: the public documentation and code of each tool as of November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.query import Query


@dataclass(frozen=True)
class Convention:
    """How one tool counts one metric: its window, its options, and where it differs in what has no option."""

    options: Mapping[str, Any] = field(default_factory=dict)
    window: int | None = None
    differs: str = ""


_ROLLING_RETURNS = {"kind": "on_or_after", "clock": "rolling"}

_FUNNELS = ("funnel", "funnel_trend", "time_to_convert")


def _funnels(within: str, differs: str) -> dict[str, Convention]:
    return dict.fromkeys(_FUNNELS, Convention({"within": within}, differs=differs))


CONVENTIONS: Mapping[str, Mapping[str, Convention]] = {
    "posthog": {
        "mau": Convention(window=30),
        "retention": Convention(
            {"kind": "on", "clock": "calendar"},
            differs="period 0 is always 100 %, also when the return event is another one",
        ),
        "lifecycle": Convention(
            {"new_by": "registration"}, differs="the profile's creation stands for the registration"
        ),
    },
    "amplitude": {
        "mau": Convention(window=30),
        "retention": Convention(_ROLLING_RETURNS, differs="times are first cut to the full hour"),
        "lifecycle": Convention(differs="new is new to the product, not to the chosen activity"),
        **_funnels("1 day", "events within one second of each other count in either order"),
    },
    "mixpanel": {
        "mau": Convention(window=30),
        "retention": Convention({**_ROLLING_RETURNS, "cohort": "recurring"}, differs="averages weigh rates by size"),
        "lifecycle": Convention(differs="those who fell silent have no series"),
        **_funnels("7 days", "only the first entry of the range counts, with a grace of two seconds between steps"),
    },
    "statsig": {"mau": Convention(window=28), "stickiness": Convention({"method": "return"})},
}


def find_convention(query: Query) -> Convention | None:
    """How the tool that a question names counts its metric; None where it says nothing about it."""
    return CONVENTIONS.get(query.convention, {}).get(query.metric)


def in_convention(query: Query) -> Query:
    """The question with the tool's choices in the places that it leaves open."""
    found = find_convention(query)
    if found is None:
        return query
    options = {**found.options, **query.options}
    window = query.window if query.window is not None or query.calendar is not None else found.window
    return msgspec.structs.replace(query, options=options, window=window)


def unfollowed(query: Query) -> str:
    """What no option can follow, in words; empty where there is nothing."""
    found = find_convention(query)
    return found.differs if found else ""


def notes(query: Query) -> list[str]:
    """What a convention changed, and what it could not."""
    if query.convention == "regulars":
        return []
    found = find_convention(query)
    if found is None:
        return [f"convention: {query.convention} says nothing about {query.metric} that differs; counted as usual"]
    chosen = [f"{name}={value}" for name, value in found.options.items()]
    chosen += [f"window={found.window}"] if found.window else []
    differs = f"; not followed: {found.differs}" if found.differs else ""
    return [f"convention: {query.convention} chooses {', '.join(chosen) or 'the same options'}{differs}"]
