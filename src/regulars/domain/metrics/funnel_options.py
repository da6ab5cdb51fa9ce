"""What a funnel is asked: its steps, their order, the time they may take, ties, exclusions, whose value is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from regulars.domain.metrics.options import SECONDS, STEPS_FORM, Option, read_events, read_seconds, read_steps
from regulars.domain.query import EventCondition, Filter, Step
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.metrics.options import Events
    from regulars.domain.metrics.record import Metric
    from regulars.domain.query import Query

ORDERS = ("ordered", "strict", "any")
TIES = ("any", "sequence", "strict")
MAX_STEPS = 20
MAX_EVENTS = 50
DEFAULT_WITHIN = "14 days"

_BETWEEN = re.compile(r"^(.*?)\s+between\s+([0-9]{1,4})\s+and\s+([0-9]{1,4})$", re.IGNORECASE | re.DOTALL)
_STEP_VALUE = re.compile(r"^step:([0-9]{1,4})$")
_EXCLUSIONS_FORM = (
    "e.g. cancel between 1 and 2 (several joined by ;), or a list of "
    '{"event": "cancel", "after_step": 1, "before_step": 2}'
)


class Exclusion(NamedTuple):
    """Events that end an attempt after it took one step and before it took another."""

    event: Events
    after_step: int
    before_step: int


@dataclass(frozen=True)
class Attribution:
    """Whose value of an event property is shown: ``first`` step, ``last`` one reached, ``all``, or a given ``step``."""

    kind: str
    step: int = 0


FIRST = Attribution("first")


@dataclass(frozen=True)
class Funnel:
    """A funnel with every option read; ``within`` is in seconds."""

    steps: tuple[Events, ...]
    order: str = "ordered"
    within: int = 14 * SECONDS["day"]
    ties: str = "any"
    exclusions: tuple[Exclusion, ...] = ()
    attribution: Attribution = FIRST

    @property
    def slots(self) -> tuple[int, ...]:
        """The step that each event of a whole way belongs to: a step that needs n events has n slots."""
        return tuple(number for number, step in enumerate(self.steps, 1) for _ in range(times(step)))

    def slot(self, step: int) -> int:
        """The slot with which a step is done."""
        return max(place for place, number in enumerate(self.slots, 1) if number == step)

    @property
    def names(self) -> tuple[str, ...]:
        """What each row stands for: a step, or with no order so many of them."""
        if self.order == "any":
            return tuple(f"{number} of {len(self.steps)} steps" for number, _ in enumerate(self.steps, 1))
        return tuple(step_name(step) for step in self.steps)

    @property
    def ahead_days(self) -> int:
        """How many days after an entry its window ends."""
        return -(-self.within // SECONDS["day"])


def times(step: Events) -> int:
    """How many events a step needs."""
    return step.times if isinstance(step, Step) else 1


def step_name(step: Events) -> str:
    """A step as people would write it.

    >>> step_name(read_steps("like, share where amount > 10 -> purchase")[0])
    'like, share where amount > 10'
    """
    if isinstance(step, str):
        return step
    events = "any" if step.events is None else ", ".join(step.events)
    where = f" where {' and '.join(map(_condition_text, step.where))}" if step.where else ""
    often = f"{times(step)} x " if times(step) > 1 else ""
    return f"{often}{events}{where}"


def _condition_text(filter_: Filter) -> str:
    if filter_.property is None:
        word = " and " if filter_.all else " or "
        return f"({word.join(map(_condition_text, filter_.members()))})"
    if filter_.value is None:
        return f"{filter_.property} {filter_.op}"
    values = filter_.value if isinstance(filter_.value, tuple) else (filter_.value,)
    shown = ", ".join(repr(one) if isinstance(one, str) else str(one).lower() for one in values)
    return f"{filter_.property} {filter_.op} {f'({shown})' if isinstance(filter_.value, tuple) else shown}"


def read_exclusions(given: object) -> tuple[Exclusion, ...]:
    """Exclusions from text or from their JSON form.

    >>> read_exclusions("cancel between 1 and 2; refund between 2 and 3")[1]
    Exclusion(event='refund', after_step=2, before_step=3)
    """
    texts: object = [text for text in given.split(";") if text.strip()] if isinstance(given, str) else given
    if not isinstance(texts, list | tuple) or (isinstance(given, str) and not texts):
        raise _unreadable(given)
    return tuple(one if isinstance(one, Exclusion) else _read_exclusion(one) for one in texts)


def _read_exclusion(given: object) -> Exclusion:
    if isinstance(given, str):
        match = _BETWEEN.match(given.strip())
        if match is None:
            raise _unreadable(given)
        return Exclusion(read_events(match[1]), int(match[2]), int(match[3]))
    if not isinstance(given, Mapping) or set(given) != {"event", "after_step", "before_step"}:
        raise _unreadable(given)
    steps = given["after_step"], given["before_step"]
    if not all(isinstance(step, int) and not isinstance(step, bool) for step in steps):
        raise _unreadable(given)
    return Exclusion(read_events(given["event"]), *steps)


def _unreadable(given: object) -> QueryError:
    return QueryError(f"{given!r} cannot be read; allowed: {_EXCLUSIONS_FORM}", code="bad_option")


def read_attribution(given: object) -> Attribution:
    """Whose value of an event property is shown.

    >>> read_attribution("step:2")
    Attribution(kind='step', step=2)
    """
    match = _STEP_VALUE.match(given) if isinstance(given, str) else None
    if match:
        return Attribution("step", int(match[1]))
    if given not in ("first", "last", "all"):
        raise QueryError(f"attribution must be one of first, last, all, step:n; not {given!r}", code="bad_option")
    return Attribution(str(given))


FUNNEL_OPTIONS = (
    Option("steps", f"The steps in their order, {MAX_STEPS} at most", None, read=read_steps, form=STEPS_FORM),
    Option(
        "order",
        "ordered: one after the other, with anything in between; strict: each the very next event; any: in any order",
        "ordered",
        ORDERS,
    ),
    Option(
        "within",
        "How long after its first event an attempt may take",
        DEFAULT_WITHIN,
        read=read_seconds,
        form="e.g. 14 days or 30 minutes",
    ),
    Option(
        "ties",
        "Events at the same instant: any counts them in either order unless both carry a sequence, sequence only in "
        "the order of their sequences, strict never",
        "any",
        TIES,
    ),
    Option(
        "exclusions",
        "Events that end an attempt between two steps",
        None,
        read=read_exclusions,
        form=_EXCLUSIONS_FORM,
        holds_events=True,
    ),
    Option(
        "attribution",
        "Whose value of an event property a breakdown shows: that of the first step, of the last step reached, of a "
        "given step, or one that all steps share",
        "first",
        read=read_attribution,
        form="first, last, all, or step:2",
    ),
)


def funnel_of(metric: Metric, query: Query) -> Funnel:
    """The funnel that a question asks about; what cannot be one is refused."""
    found: dict[str, Any] = {option.name: metric.option(query, option.name) for option in FUNNEL_OPTIONS}
    if not found["steps"]:
        raise QueryError(
            f"{metric.name} needs steps, e.g. steps='sign_up -> purchase'; see: regulars metrics {metric.name}",
            code="no_steps",
        )
    funnel = Funnel(**{**found, "exclusions": found["exclusions"] or ()})
    _check_steps(funnel)
    _check_exclusions(funnel)
    last = len(funnel.steps)
    chosen = funnel.attribution
    if chosen.kind == "step" and not 1 <= chosen.step <= last:
        raise QueryError(
            f"attribution step:{chosen.step} names no step; the funnel has steps 1 to {last}",
            code="bad_attribution",
        )
    return funnel


def _check_steps(funnel: Funnel) -> None:
    count, events = len(funnel.steps), len(funnel.slots)
    if not 2 <= count <= MAX_STEPS:  # noqa: PLR2004 -- the bound is stated in the message
        raise QueryError(f"a funnel has 2 to {MAX_STEPS} steps, not {count}", code="bad_steps")
    if events > MAX_EVENTS:
        raise QueryError(
            f"the steps need {events} events in all; at most {MAX_EVENTS}: ask for fewer times", code="bad_steps"
        )


def _check_exclusions(funnel: Funnel) -> None:
    if funnel.exclusions and funnel.order != "ordered":
        raise QueryError(
            f"exclusions need order='ordered': with order={funnel.order!r} "
            + ("every other event ends an attempt anyway" if funnel.order == "strict" else "no step is between others"),
            code="bad_exclusion",
        )
    last = len(funnel.steps)
    for _, after, before in funnel.exclusions:
        if not 1 <= after < before <= last:
            raise QueryError(
                f"an exclusion after step {after} and before step {before} is between no steps of this funnel; "
                f"1 <= after_step < before_step <= {last}",
                code="bad_exclusion",
            )


def condition_of(step: Events) -> str | EventCondition:
    """Which events take a step, however many it needs."""
    return EventCondition(step.events, step.where) if isinstance(step, Step) else step
