"""Cohorts in the life of a workspace: late data, linked and erased people, freezing, histories, refusals."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from regulars.domain.cohorts import Cohort
from regulars.domain.segments import Stay
from regulars.errors import QueryError, UnknownNameError, UnsupportedError
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from regulars.workspace import Workspace

BUYERS = Cohort(did="buy", at_least=2, last_days=3)


@pytest.fixture
def shop() -> Iterator[Workspace]:
    """ada buys on the 1st and 2nd, ben on the 1st and 5th, an anonymous person on the 4th."""
    events = [did("ada", "2026-03-01T09:00:00", "buy"), did("ada", "2026-03-02T09:00:00", "buy"),
              did("ben", "2026-03-01T09:00:00", "buy"), did("ben", "2026-03-05T09:00:00", "buy"),
              {**did("", "2026-03-04T09:00:00", "buy"), "user_id": None, "anonymous_id": "x"}]  # fmt: skip
    with workspace(*events, cohorts={"buyers": BUYERS}) as ws:
        yield ws


def sizes(ws: Workspace, **question: Any) -> list[int]:
    """How many buyers there were on each of the first five days."""
    rows = ws.cohort_size("buyers", start="2026-03-01", end="2026-03-05", **question).rows
    return [row["cohort_size"] for row in rows]


def test_a_late_event_changes_who_belonged_on_the_days_that_it_reaches(shop: Workspace) -> None:
    """ben's purchase of the 3rd comes late: he was a buyer from the 3rd on, to the day of the last."""
    assert sizes(shop) == [0, 1, 1, 0, 0]
    shop.load([did("ben", "2026-03-03T09:00:00", "buy")])
    assert sizes(shop) == [0, 1, 2, 0, 1]


def test_a_linked_person_brings_along_what_they_did_unseen(shop: Workspace) -> None:
    """ben was x on the 4th."""
    shop.link("x", "ben")
    assert sizes(shop) == [0, 1, 1, 0, 1]


def test_the_question_decides_on_the_population(shop: Workspace) -> None:
    """A test account stays a member, and is counted only where test accounts are."""
    shop.set_population("ada", "test")
    assert sizes(shop) == [0, 0, 0, 0, 0]
    assert sizes(shop, population="all") == [0, 1, 1, 0, 0]
    assert shop.cohort("buyers", on="2026-03-03") == []
    assert shop.cohort("buyers", on=date(2026, 3, 3), population="test") == ["ada"]


def test_a_frozen_cohort_outlives_late_data_links_and_rebuilds_and_loses_the_erased(shop: Workspace) -> None:
    """Its people are those of the day on which it was frozen."""
    shop.load([did("cem", "2026-03-03T09:00:00", "buy"), did("cem", "2026-03-03T10:00:00", "buy")])
    assert shop.freeze_cohort("buyers", on="2026-03-03", as_="early") == 2
    shop.load([did("ben", "2026-03-03T09:00:00", "buy")])
    assert shop.cohort("early") == ["ada", "cem"]
    assert shop.cohort("buyers", on="2026-03-03") == ["ada", "ben", "cem"]
    assert [row["cohort_size"] for row in shop.cohort_size("early", start="2026-03-01", end="2026-03-02").rows] == [
        2,
        2,
    ]
    rows = shop.active_users(by="cohort.early", start="2026-03-05").rows
    assert [(row["cohort.early"], row["active_users"]) for row in rows] == [("no", 1)]
    shop.erase("ada")
    assert shop.cohort("early") == ["cem"]
    shop.rebuild()
    assert shop.cohort("early") == ["cem"]


def test_a_list_of_people_is_frozen_by_any_of_their_ids(shop: Workspace) -> None:
    """Two ids of one person are one person, and who is linked later brings the cohort along."""
    shop.link("x", "ben")
    assert shop.freeze_cohort(users=["x", "ben", "ada"], as_="chosen") == 2
    assert shop.cohort("chosen") == ["ada", "ben"]
    shop.load([{**did("", "2026-03-05T09:00:00", "buy"), "user_id": None, "anonymous_id": "y"}])
    shop.freeze_cohort(users=["y"], as_="visitors")
    shop.link("y", "ada")
    assert shop.cohort("visitors") == ["ada"]
    assert shop.freeze_cohort(users=[], as_="nobody") == 0
    assert shop.cohort("nobody") == []


def test_a_person_has_stays_in_cohorts_and_segments_and_frozen_ones(shop: Workspace) -> None:
    """ben buys twice within three days only since the late event."""
    shop.freeze_cohort(users=["ben"], as_="chosen")
    shop.load([did("ben", "2026-03-03T09:00:00", "buy")])
    assert shop.membership("ben") == (
        Stay("buyers", date(2026, 3, 3), date(2026, 3, 3)),
        Stay("buyers", date(2026, 3, 5), None),
        Stay("new_user", date(2026, 3, 1), None, is_segment=True),
        Stay("chosen", date(2026, 3, 1), None, is_frozen=True),
    )


def test_segments_can_be_listed_like_cohorts(shop: Workspace) -> None:
    """By their name, on the last day by default."""
    assert shop.cohort("new_user") == ["ada", "ben", "x"]
    assert shop.cohort("churned") == []


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ({"name": "byers", "as_": "a"}, "unknown_cohort", "did you mean 'buyers'"),
        ({"name": "buyers", "as_": "buyers"}, "cohort_exists", "choose another name"),
        ({"name": "buyers", "as_": "Early Birds"}, "bad_name", "lower-case"),
        ({"name": "buyers", "as_": "segment"}, "bad_name", "lower-case"),
        ({"name": "buyers", "as_": "a", "on": "2026-03-06"}, "bad_date", "the last day with data, 2026-03-05"),
        ({"name": "buyers", "as_": "a", "users": ["ada"]}, "bad_cohort", "give one of them"),
        ({"as_": "a"}, "bad_cohort", "give one of them"),
        ({"as_": "a", "users": ["ada", "b", "c", "d", "e", "f", "g"]}, "unknown_user", "'f' and 1 more"),
    ],
)
def test_what_cannot_be_frozen_changes_nothing(shop: Workspace, asked: dict[str, Any], code: str, said: str) -> None:
    """The error says what is wrong and what to do."""
    with pytest.raises(QueryError, match=said) as refused:
        shop.freeze_cohort(**asked)
    assert refused.value.code == code
    with pytest.raises(UnknownNameError):
        shop.cohort("a")


def test_a_frozen_name_is_taken(shop: Workspace) -> None:
    """What is frozen never changes."""
    shop.freeze_cohort("buyers", as_="kept")
    with pytest.raises(QueryError, match="there is a cohort 'kept' already"):
        shop.freeze_cohort(users=["ada"], as_="kept")


def test_days_without_data_and_unknown_people_are_refused(shop: Workspace) -> None:
    """In a workspace without data there is no day at all."""
    with pytest.raises(QueryError, match="no data on 2026-03-06 yet: the last day is 2026-03-05"):
        shop.cohort("buyers", on="2026-03-06")
    with pytest.raises(QueryError, match="no user 'zed'"):
        shop.membership("zed")
    with workspace(cohorts={"buyers": BUYERS}) as empty:
        assert empty.cohort("buyers") == []
        with pytest.raises(QueryError, match="there are none at all"):
            empty.cohort("buyers", on="2026-03-06")
        with pytest.raises(QueryError, match="no data yet"):
            empty.freeze_cohort("buyers", as_="kept")
        empty.load([{"user_id": "ada", "plan": "paid"}], kind="users")
        assert empty.membership("ada") == ()


def test_a_reader_freezes_nothing(tmp_path: Path) -> None:
    """Freezing writes facts."""
    regulars.init(tmp_path / "shop")
    with regulars.open(tmp_path / "shop", read_only=True) as ws, pytest.raises(UnsupportedError, match="freeze"):
        ws.freeze_cohort("a", as_="b")
