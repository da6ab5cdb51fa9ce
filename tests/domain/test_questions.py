"""Questions that a program puts together: a wrong value is refused with what is allowed, never answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from regulars.domain.query import Query, Range
from regulars.errors import RegularsError
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.workspace import Workspace


@pytest.fixture(scope="module")
def ws() -> Iterator[Workspace]:
    with workspace(did("ada", "2026-01-05T09:00:00"), did("ben", "2026-01-05T10:00:00")) as made:
        yield made


@pytest.mark.parametrize(
    ("keywords", "code", "told"),
    [
        ({"population": "Production"}, "unknown_population", "did you mean 'production'"),
        ({"population": "x' OR '1'='1"}, "unknown_population", "allowed: all, bot, production, test"),
        ({"population": None}, "bad_query", "population must be a name, not None"),
        ({"calendar": "decade"}, "bad_calendar", "allowed: month, quarter, week, year"),
        ({"grain": "days"}, "bad_grain", "did you mean 'day'"),
        ({"grain": 1}, "bad_query", "grain must be a name, not 1"),
        ({"window": "7"}, "bad_query", "window must be a whole number, not '7'"),
        ({"window": True}, "bad_query", "not True"),
        ({"window": 7.5}, "bad_query", "not 7.5"),
        ({"every": "2"}, "bad_query", "every must be a whole number"),
        ({"limit": "3"}, "bad_query", "limit must be a whole number"),
        ({"activity": None}, "bad_query", "activity must be a name, not None"),
        ({"convention": 3}, "bad_query", "convention must be a name, not 3"),
        ({"actor": 3}, "bad_query", "actor must be a name, not 3"),
        ({"by": 3}, "bad_query", "by must be a text or a list of texts, not 3"),
        ({"by": [3]}, "bad_query", "by must be a text or a list of texts"),
        ({"where": 3}, "bad_query", "where must be a text or a list of texts, not 3"),
    ],
)
def test_a_wrong_keyword_is_refused(ws: Workspace, keywords: dict[str, Any], code: str, told: str) -> None:
    with pytest.raises(RegularsError, match=re.escape(told)) as caught:
        ws.active_users(**keywords)
    assert caught.value.code == code


def test_a_question_of_another_kind_is_refused(ws: Workspace) -> None:
    for other in ({"metric": "active_users"}, "mau", None):
        with pytest.raises(RegularsError, match=r"a question is a regulars\.Query") as caught:
            ws.query(other)
        assert caught.value.code == "bad_query"


def test_a_record_made_by_hand_is_checked_as_well() -> None:
    with pytest.raises(RegularsError, match="did you mean 'week'"):
        Range(grain="weeks")
    with pytest.raises(RegularsError, match="allowed: all, bot, production, test"):
        Query(metric="active_users", population="nobody at all")
