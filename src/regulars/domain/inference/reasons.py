"""Why a number is missing, or must not be trusted: codes that stay, and words for people."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a number is None. The value is the code; ``words`` explains it.

    >>> Reason.NO_ANSWERS, Reason.NO_ANSWERS.words
    (<Reason.NO_ANSWERS: 'no_answers'>, 'nobody answered')
    """

    NO_ANSWERS = "no_answers"
    NO_USERS = "no_users"
    TOO_FEW_USERS = "too_few_users"
    NO_VARIANCE = "no_variance"
    ZERO_DENOMINATOR = "zero_denominator"
    CONTROL_NEAR_ZERO = "control_near_zero"
    NOT_POSITIVE = "not_positive"
    EMPTY_ARM_HAS_USERS = "empty_arm_has_users"
    TOO_FEW_EXPECTED = "too_few_expected"
    NO_EFFECT_SIZE = "no_effect_size"
    OUT_OF_REACH = "out_of_reach"

    @property
    def words(self) -> str:
        """The reason in words."""
        return _WORDS[self]


_WORDS = {
    Reason.NO_ANSWERS: "nobody answered",
    Reason.NO_USERS: "an arm has no users",
    Reason.TOO_FEW_USERS: "an arm has fewer than two users",
    Reason.NO_VARIANCE: "all users of an arm have the same value, so nothing is known about how much users differ",
    Reason.ZERO_DENOMINATOR: "the denominators of an arm add up to zero",
    Reason.CONTROL_NEAR_ZERO: "the control cannot be told from zero, and a change relative to zero means nothing",
    Reason.NOT_POSITIVE: "a logarithm needs means clearly above zero in both arms",
    Reason.EMPTY_ARM_HAS_USERS: "an arm with weight zero has users",
    Reason.TOO_FEW_EXPECTED: "fewer users are expected in an arm than the test needs",
    Reason.NO_EFFECT_SIZE: "the effect to be found is zero",
    Reason.OUT_OF_REACH: "no number of users is enough",
}
