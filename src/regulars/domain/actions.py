"""The action catalogue: names that products commonly send, with category and weight.

Every action is core unless it is passive. An unknown action is core, weight 1, category ``other``.
Markers are never actions and never activity: they tell where a session begins or ends, who somebody is, what they
answered, or which variant they saw. Settings extend and override the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NPS_RESPONSE = "nps_response"
# The second name is how event forwarders commonly spell it.
EXPOSURES = ("experiment_viewed", "Experiment Viewed")
# By which properties they name the experiment and the variant; the first one that is there counts.
EXPERIMENT_KEYS = ("experiment", "experiment_id")
VARIANT_KEYS = ("variant", "variation_id")
MARKERS = ("session_start", "session_end", "identify", "alias", NPS_RESPONSE, *EXPOSURES)
_PASSIVE = ("payment_success", "payment_failed", "support_ticket")
_PASSIVE_PREFIX = "notification_"

_CATALOGUE: dict[str, tuple[float, tuple[str, ...]]] = {
    "access": (1.0, ("login", "logout", "sign_in", "sign_out", "app_open")),
    "onboarding": (2.0, ("sign_up", "signup", "register", "tutorial_complete", "onboarding_complete")),
    "consumption": (
        1.0,
        (
            "page_view", "screen_view", "view", "click", "search", "video_watch", "video_play", "article_read",
            "download", "scroll",
        ),
    ),
    "social": (2.0, ("like", "comment", "share", "follow", "reply", "react", "invite", "message_send")),
    "creation": (3.0, ("post_create", "upload", "document_create", "project_create", "create", "edit")),
    "participation": (3.0, ("quiz_attempt", "course_enroll", "poll_vote", "event_join", "survey_submit")),
    "commerce": (
        3.0,
        ("payment_success", "payment_failed", "purchase", "add_to_cart", "checkout_start", "subscribe", "refund"),
    ),
    "support": (1.0, ("support_ticket", "support_chat", "feedback_submit")),
    "notification": (1.0, ("notification_sent", "notification_received", "notification_open", "notification_dismiss")),
}  # fmt: skip
_CONVERSIONS = ("payment_success", "purchase", "subscribe")


@dataclass(frozen=True)
class Action:
    """What the system knows about one action type."""

    action_type: str
    category: str = "other"
    engagement_weight: float = 1.0
    is_core_action: bool = True
    is_conversion_event: bool = False
    is_marker: bool = False


def _shipped(action_type: str, category: str, weight: float) -> Action:
    passive = action_type in _PASSIVE or action_type.startswith(_PASSIVE_PREFIX)
    return Action(action_type, category, weight, not passive, action_type in _CONVERSIONS)


SHIPPED: Mapping[str, Action] = {
    **{name: _shipped(name, category, weight) for category, (weight, names) in _CATALOGUE.items() for name in names},
    **{name: Action(name, "marker", 0.0, is_core_action=False, is_marker=True) for name in MARKERS},
}


def describe(action_type: str, declared: Mapping[str, Action] | None = None) -> Action:
    """Look an action type up: settings first, then the shipped catalogue, then the defaults.

    >>> describe("payment_failed").is_core_action, describe("dance").category
    (False, 'other')
    """
    known = (declared or {}).get(action_type) or SHIPPED.get(action_type)
    if known:
        return known
    return Action(action_type, is_core_action=not action_type.startswith(_PASSIVE_PREFIX))
