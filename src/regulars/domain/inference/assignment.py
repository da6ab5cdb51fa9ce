"""Which variant a user gets: a pure function of the experiment's allocation and the user's id.

The hash, the ranges and the namespaces are those of GrowthBook's SDKs, so that an SDK in another language decides
alike. Where its SDKs differ from each other, the JavaScript one is followed: text is hashed by UTF-16 code units.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from numbers import Integral, Real
from string import ascii_uppercase
from typing import TYPE_CHECKING, NamedTuple

from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Range = tuple[float, float]

# Buckets by version of the hash: no variant can have a smaller share than one of them.
BUCKETS = {1: 1_000, 2: 10_000}
# What weights may differ from 1 in sum; GrowthBook falls back to equal weights beyond it, we refuse.
SLACK = 0.01


class Namespace(NamedTuple):
    """A part of a shared line from 0 to 1: experiments with parts of one line that do not meet share no user."""

    name: str
    start: float
    end: float


class Decision(StrEnum):
    """Why a user has, or does not have, a variant. The value is a code that stays."""

    ASSIGNED = "assigned"
    FORCED = "forced"
    NO_ID = "no_id"
    NOT_IN_NAMESPACE = "not_in_namespace"
    NOT_COVERED = "not_covered"


class Assignment(NamedTuple):
    """A user's variant, or None, and why; ``bucket`` is the hash from 0 to 1 that decided, where one did."""

    variant: str | None
    decision: Decision
    bucket: float | None = None


def variant_names(count: int) -> tuple[str, ...]:
    """The names of variants that were given none.

    >>> variant_names(3)
    ('CONTROL', 'VARIANT_A', 'VARIANT_B')
    """
    if not 1 <= count <= 1 + len(ascii_uppercase):
        raise QueryError(
            f"{count} variants have no names by default; 1 to {1 + len(ascii_uppercase)} have. Name them yourself",
            code="bad_allocation",
        )
    return ("CONTROL", *(f"VARIANT_{letter}" for letter in ascii_uppercase[: count - 1]))


@dataclass(frozen=True)
class Allocation:
    """How users are shared out between variants.

    Attributes:
        key: The name of the experiment, which is also the seed unless ``seed`` is given.
        variants: The names of the variants; the first is the control.
        weights: Their shares, which add up to 1; equal by default.
        coverage: The share of users that take part. Raising it moves nobody between variants.
        seed: What is hashed together with the id. Another seed deals the users anew; renaming an experiment must not,
            so an experiment that is renamed keeps its old key as its seed.
        namespace: The part of a namespace from which the users come.
        forced: Variants by user id, before everything else.
        hash_version: 2, or 1 for experiments that were begun with it elsewhere: with 1, experiments that run at the
            same time are not independent of each other.

    Raises:
        QueryError: The shares, the coverage, the namespace or the version cannot be (``bad_allocation``).
        UnknownNameError: A forced variant is none of ``variants``.
    """

    key: str
    variants: tuple[str, ...] = ("CONTROL", "VARIANT_A")
    weights: tuple[float, ...] | None = None
    coverage: float = 1.0
    seed: str | None = None
    namespace: Namespace | None = None
    forced: Mapping[str, str] = field(default_factory=dict)
    hash_version: int = 2

    def __post_init__(self) -> None:
        """Refuse what would share out users otherwise than it says."""
        _check_names(self)
        _check_shares(self)
        if self.namespace is not None and not 0 <= self.namespace.start < self.namespace.end <= 1:
            raise _bad(f"a namespace is a part of the line from 0 to 1, not {tuple(self.namespace)}")

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The buckets of each variant, the lower bound included, the upper not."""
        return bucket_ranges(len(self.variants), self.coverage, self.weights)


def _bad(message: str) -> QueryError:
    return QueryError(message, code="bad_allocation")


def _check_names(allocation: Allocation) -> None:
    if not (allocation.key if allocation.seed is None else allocation.seed):
        raise _bad("an experiment needs a key or a seed that is not empty")
    if len(set(allocation.variants)) < max(len(allocation.variants), 1):
        raise _bad(f"variants need different names, and at least one: {allocation.variants}")
    for user_id, variant in allocation.forced.items():
        if not isinstance(user_id, str):
            raise _bad(f"forced variants are given by ids as text, not {user_id!r}")
        if variant not in allocation.variants:
            raise UnknownNameError("variant", variant, allocation.variants)


def _check_shares(allocation: Allocation) -> None:
    if allocation.hash_version not in BUCKETS:
        raise _bad(f"hash_version is 1 or 2, not {allocation.hash_version!r}")
    if not 0 <= allocation.coverage <= 1:
        raise _bad(f"coverage is a share from 0 to 1, not {allocation.coverage!r}")
    count = len(allocation.variants)
    weights = allocation.weights or (1 / count,) * count
    if len(weights) != count:
        raise _bad(f"there are {count} variants and {len(weights)} weights; give each variant one")
    if not (min(weights) >= 0 and _add_up(weights)):
        raise _bad(f"weights are shares that add up to 1, not {weights}")
    smallest = 1 / BUCKETS[allocation.hash_version]
    for weight in weights:
        if 0 < weight * allocation.coverage < smallest * (1 - SLACK):
            raise _bad(
                f"a share of {weight * allocation.coverage:.3g} of the users is less than one of the "
                f"{BUCKETS[allocation.hash_version]} buckets; the smallest possible is {smallest:g}"
            )


def assign(allocation: Allocation, user_id: object) -> Assignment:
    """The variant of a user; the same for the same allocation and id, for ever and everywhere.

    A forced variant wins; then the user must be in the namespace; then the bucket decides.

    >>> assign(Allocation("checkout-redesign"), 3)
    Assignment(variant='VARIANT_A', decision=<Decision.ASSIGNED: 'assigned'>, bucket=0.6825)
    >>> assign(Allocation("checkout-redesign", coverage=0.2), 3).decision.value
    'not_covered'
    """
    text = id_text(user_id)
    if text is None:
        return Assignment(None, Decision.NO_ID)
    if text in allocation.forced:
        return Assignment(allocation.forced[text], Decision.FORCED)
    if allocation.namespace is not None and not in_namespace(text, allocation.namespace):
        return Assignment(None, Decision.NOT_IN_NAMESPACE)
    seed = allocation.key if allocation.seed is None else allocation.seed
    place = bucket(seed, text, allocation.hash_version)
    chosen = None if place is None else choose(place, allocation.ranges)
    if chosen is None:
        return Assignment(None, Decision.NOT_COVERED, place)
    return Assignment(allocation.variants[chosen], Decision.ASSIGNED, place)


def id_text(user_id: object) -> str | None:
    """An id as the text that is hashed; None of what is no id.

    Whole numbers become decimals, also those that came as floats; text stays as it is: no trimming, no change of
    case, no Unicode normalisation. Nothing, the empty text, truth values, numbers that are not finite and everything
    else are no ids.

    >>> id_text(42), id_text(42.0), id_text(" Ada "), id_text(""), id_text(True), id_text(float("nan"))
    ('42', '42', ' Ada ', None, None, None)
    """
    if isinstance(user_id, str):
        return user_id or None
    if isinstance(user_id, bool) or not isinstance(user_id, Real):
        return None
    if isinstance(user_id, Integral):
        return str(int(user_id))
    number = float(user_id)
    if not math.isfinite(number):
        return None
    return str(int(number)) if number.is_integer() else repr(number)


def is_portable(user_id: str) -> bool:
    """Whether every SDK hashes the id alike: only ASCII; some hash bytes or code points where we hash UTF-16 units."""
    return user_id.isascii()


def fnv1a32(text: str) -> int:
    """The 32-bit FNV-1a hash over the UTF-16 code units of a text.

    >>> hex(fnv1a32("a"))
    '0xe40c292c'
    """
    found = 0x811C9DC5
    units = memoryview(text.encode("utf-16-le", "surrogatepass"))
    for low, high in zip(units[::2], units[1::2], strict=True):
        found = (found ^ (low | high << 8)) * 0x01000193 & 0xFFFFFFFF
    return found


def bucket(seed: str, value: str, version: int = 2) -> float | None:
    """Where an id falls from 0 to 1; None of a version that nobody knows.

    >>> bucket("seed", "a"), bucket("", "a", version=1)
    (0.0505, 0.22)
    """
    if version == 1:
        return fnv1a32(value + seed) % 1_000 / 1_000
    if version == 2:  # noqa: PLR2004 -- the versions have no better names
        return fnv1a32(str(fnv1a32(seed + value))) % 10_000 / 10_000
    return None


def bucket_ranges(count: int, coverage: float = 1.0, weights: Sequence[float] | None = None) -> tuple[Range, ...]:
    """The range of each of ``count`` variants; equal ones where weights are missing, too many, or do not add up to 1.

    Each range keeps its start when the coverage changes. The sums are made in the order of the SDKs, so that their
    last bits are the same.

    >>> bucket_ranges(2, coverage=0.5)
    ((0.0, 0.25), (0.5, 0.75))
    """
    coverage = min(max(coverage, 0.0), 1.0)
    equal = (1 / count,) * count
    fits = weights is not None and len(weights) == count and _add_up(weights)
    used = tuple(weights) if weights is not None and fits else equal
    starts = accumulate(used, initial=0.0)
    return tuple((start, start + coverage * weight) for start, weight in zip(starts, used, strict=False))


def _add_up(weights: Sequence[float]) -> bool:
    return 1 - SLACK <= sum(weights) <= 1 + SLACK


def choose(place: float, ranges: Sequence[Range]) -> int | None:
    """The position of the range that holds a bucket, the lower bound included, the upper not; None outside all."""
    return next((at for at, (start, end) in enumerate(ranges) if start <= place < end), None)


def in_namespace(user_id: str, namespace: Namespace) -> bool:
    """Whether a user belongs to a part of a namespace; namespaces use version 1 of the hash, for ever."""
    place = fnv1a32(f"{user_id}__{namespace.name}") % 1_000 / 1_000
    return namespace.start <= place < namespace.end


def launchdarkly_bucket(key: str, salt: str, user_id: str, seed: int | None = None) -> float:
    """Where LaunchDarkly puts a user from 0 to 1, to check exposures that were logged under it; not used to assign.

    >>> round(launchdarkly_bucket("hashKey", "saltyA", "userKeyA"), 8)
    0.42157587
    """
    prefix = f"{key}.{salt}" if seed is None else str(seed)
    digits = hashlib.sha1(f"{prefix}.{user_id}".encode(), usedforsecurity=False).hexdigest()[:15]
    return int(digits, 16) / 0xFFFFFFFFFFFFFFF


def md5_shard(text: str, shards: int = 10_000) -> int:
    """The shard of a salted id by MD5, as Eppo's SDKs and any SQL engine compute it; not used to assign.

    >>> md5_shard("salt-user-1")
    9574
    """
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8], 16) % shards
