"""Words and records that programs share."""

import copy
import pickle
from datetime import UTC, datetime

import msgspec
import pytest

from regulars import domain
from regulars.domain import ABTestVariant, EventType, UserEvent, UserSegment
from regulars.domain.actions import SHIPPED
from regulars.domain.segments import DEFAULT_SEGMENTS


def test_named_kinds_of_events_are_in_the_catalogue():
    """A name that stood for nothing would mislead."""
    assert [kind for kind in EventType if kind not in SHIPPED] == []
    assert all(kind.name == kind.value.upper() for kind in EventType)


def test_segments_are_the_shipped_ones_in_their_order():
    """One list, told twice."""
    assert list(UserSegment) == list(DEFAULT_SEGMENTS)


@pytest.mark.parametrize("words", [EventType, ABTestVariant])
def test_any_text_is_a_word_of_an_open_vocabulary(words):
    """Equal to its text and to itself, through JSON, copies and pickles; but not listed."""
    other = words("something else")
    assert other == words("something else") == "something else"
    assert (other.value, str(other), hash(other)) == ("something else", "something else", hash("something else"))
    assert isinstance(other, words)
    assert other not in list(words)
    assert pickle.loads(pickle.dumps(other)) == copy.deepcopy(other) == other  # noqa: S301 -- our own
    assert msgspec.json.encode(other) == b'"something else"'
    first = next(iter(words))
    assert words(first.value) is first
    for given in (7, None):
        with pytest.raises(ValueError, match="is not a valid"):
            words(given)


def test_segments_are_a_closed_vocabulary():
    """Those of one's own are texts."""
    with pytest.raises(ValueError, match="is not a valid"):
        UserSegment("buyer")


def test_records_cannot_be_changed_and_have_a_plain_form():
    """Instants as ISO 8601 text."""
    event = UserEvent("e1", "ada", EventType.LIKE, datetime(2026, 1, 5, 9, tzinfo=UTC), properties={"n": [1, None]})
    with pytest.raises(AttributeError):
        event.user_id = "ben"
    assert event.to_dict() == {
        "event_id": "e1", "user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z",
        "event_name": None, "session_id": None, "properties": {"n": [1, None]},
    }  # fmt: skip


def test_public_names_of_the_domain_are_loaded_when_used():
    """And others are an ordinary mistake."""
    assert dir(domain) == domain.__all__ == sorted(domain.__all__)
    assert all(getattr(domain, name).__doc__ for name in domain.__all__)
    with pytest.raises(AttributeError, match="no attribute 'UserEvnt'"):
        domain.UserEvnt  # noqa: B018 -- reading it is the test
