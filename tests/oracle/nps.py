"""The net promoter score: who answered what in which period, and what follows from the counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import msgspec

from tests.oracle.answer import Group, buckets_of, none_of, only
from tests.oracle.attributes import as_text, event_value
from tests.oracle.conditions import holds_for_event, is_plain_number
from tests.oracle.scope import Scope, Slice, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regulars.domain.query import Query
    from tests.oracle.clock import Bucket
    from tests.oracle.world import Event, World


@dataclass(frozen=True)
class Response:
    """An answer that counts, with its bucket and the slice in which its person stands at the end of that."""

    event: Event
    score: int
    bucket: Bucket
    place: Slice

    @property
    def age(self) -> tuple[Any, ...]:
        """What orders answers; one that the client did not count comes after those of the same instant that it did."""
        return self.event.at, self.event.sequence is None, self.event.sequence or 0, self.event.event_id


def score_of(event: Event) -> int | str:
    """The score of an answer, or why it is none."""
    given = event.properties.get("score")
    if given is None:
        return "no_score"
    if not is_plain_number(as_text(given)) or float(given) % 1:
        return "no_whole_number"
    return int(float(given)) if 0 <= float(given) <= 10 else "out_of_range"


def nps_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """Date, breakdown, the counts, the score with its interval, flags, and the people under ``people``."""
    if Scope.is_empty(world):
        return []
    scope = Scope(world, msgspec.structs.replace(query, metric="active_users", options={}))
    time_axis = buckets_of(scope)
    given = responses(scope, time_axis, query.options.get("survey"))
    rows = []
    for bucket in time_axis:
        for group in groups(scope, given):
            own = [one for one in given if one.bucket == bucket and group.inside(one.place)]
            flags = {*([] if scope.is_complete(bucket.last) else ["incomplete"]), *(["other"] * group.is_other)}
            rows.append({
                "date": bucket.label, **dict(zip(query.breakdown, group.place, strict=True)),
                **summed(counted(own, query)), "flags": sorted(flags), "people": people(counted(own, query)),
            })  # fmt: skip
    return rows


def nps_totals(world: World, query: Query) -> list[dict[str, Any]]:
    """The score of the whole range, slice by slice."""
    if Scope.is_empty(world):
        return []
    scope = Scope(world, msgspec.structs.replace(query, metric="active_users", options={}))
    given = responses(scope, buckets_of(scope), query.options.get("survey"))
    return [
        {
            **dict(zip(query.breakdown, group.place, strict=True)),
            **summed(counted([one for one in given if group.inside(one.place)], query)),
            "flags": ["other"] * group.is_other,
        }
        for group in groups(scope, given)
    ]


def unusable(world: World, query: Query) -> Counter[str]:
    """How many answers of the range do not count, by reason."""
    if Scope.is_empty(world):
        return Counter()
    scope = Scope(world, msgspec.structs.replace(query, metric="active_users", options={}, breakdown=()))
    found = answers(scope, buckets_of(scope), query.options.get("survey"))
    return Counter(score for _, score, _ in found if isinstance(score, str))


def answers(scope: Scope, time_axis: list[Bucket], survey: str | None) -> Iterable[tuple[Event, int | str, Bucket]]:
    """Every answer of the range to the survey, of somebody who is selected."""
    for event in scope.world.distinct_events():
        asked = event.properties.get("survey")
        if event.type != "nps_response" or (survey is not None and (asked is None or as_text(asked) != survey)):
            continue
        if not all(holds_for_event(scope.world, condition, event) for condition in scope.event_filters):
            continue
        day = scope.day_of[event.event_id]
        for bucket in time_axis:
            in_bucket = bucket.first <= day <= bucket.last and day <= scope.watermark
            if in_bucket and scope.selected(event.user, scope.day_in(bucket)):
                yield event, score_of(event), bucket


def responses(scope: Scope, time_axis: list[Bucket], survey: str | None) -> list[Response]:
    """Those that count."""
    return [
        Response(event, score, bucket, scope.slice_of(part_of(scope, event), event.user, scope.day_in(bucket)))
        for event, score, bucket in answers(scope, time_axis, survey)
        if isinstance(score, int)
    ]


def part_of(scope: Scope, event: Event) -> Slice:
    """What the event says about its slice."""
    return tuple(
        shown(event_value(scope.world, event, prop)) if prop.level == "event" else None for prop in scope.breakdown
    )


def groups(scope: Scope, given: list[Response]) -> list[Group]:
    """The slices in which most people answered, then by name, and the rest."""
    if not scope.query.breakdown:
        return [Group((), lambda _: True)]
    who: dict[Slice, set[str]] = {}
    for one in given:
        who.setdefault(one.place, set()).add(one.event.user)
    ordered = sorted(who, key=lambda place: (-len(who[place]), place))
    top = ordered[: scope.query.limit]
    rest = [Group((None,) * len(scope.breakdown), none_of(top), is_other=True)] if len(ordered) > len(top) else []
    return [*(Group(place, only(place)) for place in top), *rest]


def counted(given: list[Response], query: Query) -> list[Response]:
    """All of them, or of each person the latest."""
    if query.options.get("repeats") == "all":
        return given
    latest = {one.event.user: one for one in sorted(given, key=lambda one: one.age)}
    return list(latest.values())


def people(given: list[Response]) -> dict[str, set[str]]:
    """Who answered, and in which group they stand."""
    return {
        "responses": {one.event.user for one in given},
        "promoters": {one.event.user for one in given if one.score in (9, 10)},
        "passives": {one.event.user for one in given if one.score in (7, 8)},
        "detractors": {one.event.user for one in given if one.score <= 6},
    }


def summed(given: list[Response]) -> dict[str, Any]:
    """The counts, the score, and its interval where nobody counts twice."""
    scores = [one.score for one in given]
    plus, minus = sum(score >= 9 for score in scores), sum(score <= 6 for score in scores)
    low = high = None
    if given and len({one.event.user for one in given}) == len(given):
        more = len(scores) + 3
        share_plus, share_minus = (plus + 0.75) / more, (minus + 0.75) / more
        middle = share_plus - share_minus
        reach = NormalDist().inv_cdf(0.975) * sqrt((share_plus + share_minus - middle**2) / more)
        low, high = max(-100.0, 100 * (middle - reach)), min(100.0, 100 * (middle + reach))
    return {
        "responses": len(scores), "promoters": plus, "passives": len(scores) - plus - minus, "detractors": minus,
        "nps": 100 * (plus - minus) / len(scores) if scores else None, "low": low, "high": high,
    }  # fmt: skip
