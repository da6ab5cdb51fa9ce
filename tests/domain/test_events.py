"""One record: what can be written down as an event, and what cannot."""

from __future__ import annotations

import pytest

from regulars.domain.events import wire_text
from regulars.errors import EventError


class Unspeakable:
    """A value of a foreign library that has no text."""

    def __str__(self) -> str:
        raise TypeError("no text")


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ("no dict", "bad_record"),
        ({"user_id": "\ud800"}, "bad_encoding"),
        ({"user_id": Unspeakable()}, "bad_json"),
    ],
)
def test_a_record_that_cannot_be_written_down_is_refused_with_a_code(record: object, code: str) -> None:
    """Instead of a wrong text, or an error of the library behind it."""
    with pytest.raises(EventError) as error:
        wire_text(record)
    assert error.value.code == code
