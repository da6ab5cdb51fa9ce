"""Words that programs share: kinds of events, segments, variants. Two of the three lists are open to any other text."""

from __future__ import annotations

from enum import StrEnum


class OpenVocabulary(StrEnum):
    """Texts of which some have a name; any other text is a member too, equal to itself, but not listed."""

    @classmethod
    def _missing_(cls, value: object) -> OpenVocabulary | None:
        if not isinstance(value, str):
            return None
        other = str.__new__(cls, value)
        other._name_, other._value_ = value.upper(), value
        return other


class EventType(OpenVocabulary):
    """Kinds of events that products commonly send, as the action catalogue has them; any other text will do.

    >>> EventType.PURCHASE == "purchase", EventType("dance")
    (True, <EventType.DANCE: 'dance'>)
    """

    SESSION_START = "session_start"
    SESSION_END = "session_end"
    IDENTIFY = "identify"
    LOGIN = "login"
    LOGOUT = "logout"
    SIGN_UP = "sign_up"
    PAGE_VIEW = "page_view"
    SCREEN_VIEW = "screen_view"
    CLICK = "click"
    SEARCH = "search"
    VIDEO_WATCH = "video_watch"
    LIKE = "like"
    COMMENT = "comment"
    SHARE = "share"
    POST_CREATE = "post_create"
    UPLOAD = "upload"
    QUIZ_ATTEMPT = "quiz_attempt"
    COURSE_ENROLL = "course_enroll"
    ADD_TO_CART = "add_to_cart"
    PURCHASE = "purchase"
    SUBSCRIBE = "subscribe"
    PAYMENT_SUCCESS = "payment_success"
    PAYMENT_FAILED = "payment_failed"
    SUPPORT_TICKET = "support_ticket"
    NPS_RESPONSE = "nps_response"
    EXPERIMENT_VIEWED = "experiment_viewed"


class UserSegment(StrEnum):
    """The shipped segments, in the order in which they are tried; the first whose rule holds is a person's.

    NEW_USER: registered, or first seen, at most 7 days ago. CHURNED: last active more than 60 days ago. DORMANT: more
    than 30. AT_RISK: more than 7. POWER_USER: active on 20 or more of the last 30 days. ACTIVE_USER: everybody else.
    """

    NEW_USER = "new_user"
    CHURNED = "churned"
    DORMANT = "dormant"
    AT_RISK = "at_risk"
    POWER_USER = "power_user"
    ACTIVE_USER = "active_user"


class ABTestVariant(OpenVocabulary):
    """Names of variants; any other text will do.

    >>> ABTestVariant("CONTROL") is ABTestVariant.CONTROL, ABTestVariant("green").value
    (True, 'green')
    """

    CONTROL = "CONTROL"
    VARIANT_A = "VARIANT_A"
    VARIANT_B = "VARIANT_B"
    VARIANT_C = "VARIANT_C"
    VARIANT_D = "VARIANT_D"
    VARIANT_E = "VARIANT_E"
