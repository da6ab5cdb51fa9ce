"""Which segment somebody is in: the shipped rules at their bounds, and rules of one's own."""

from datetime import date, timedelta

import pytest

from regulars.application import UserSegmentation
from regulars.domain import UserSegment
from regulars.domain.cohorts import Cohort
from regulars.errors import QueryError, SettingsError, UnknownNameError

TODAY = date(2026, 3, 2)


def ago(*days):
    """Days before today as texts."""
    return [(TODAY - timedelta(days=number)).isoformat() for number in days]


# Days before today on which somebody was active, and where that puts them.
CASES = {
    "first seen today": ([0], UserSegment.NEW_USER),
    "first seen 7 days ago": ([7], UserSegment.NEW_USER),
    "first seen 8 days ago, active today": ([8, 0], UserSegment.ACTIVE_USER),
    "last active 7 days ago": ([20, 7], UserSegment.ACTIVE_USER),
    "last active 8 days ago": ([8], UserSegment.AT_RISK),
    "last active 30 days ago": ([30], UserSegment.AT_RISK),
    "last active 31 days ago": ([31], UserSegment.DORMANT),
    "last active 60 days ago": ([60], UserSegment.DORMANT),
    "last active 61 days ago": ([61], UserSegment.CHURNED),
    "20 active days of 30": ([*range(1, 30, 2), 0, 2, 4, 6, 8], UserSegment.POWER_USER),
    "19 active days of 30": ([*range(1, 30, 2), 0, 2, 4, 6], UserSegment.ACTIVE_USER),
    "20 active days, one of them 30 days ago": ([*range(11, 30), 30, 7], UserSegment.POWER_USER),
    "20 active days, the first ones out of the window": ([*range(12, 31), 7], UserSegment.ACTIVE_USER),
    "power, but silent for 8 days": ([*range(8, 30)], UserSegment.AT_RISK),
}


def test_the_shipped_rules_hold_at_their_bounds(house):
    """7, 30 and 60 days; 20 of 30; the first rule that fits decides. Today is a day without any event, too."""
    for user_id, (days, _) in CASES.items():
        house.did(user_id, *ago(*days))
    house.reopen()
    segmentation = UserSegmentation(house.ws)
    assert {user_id: segmentation.classify(user_id) for user_id in CASES} == {
        user_id: segment for user_id, (_, segment) in CASES.items()
    }
    for segment in UserSegment:
        expected = sorted(user_id for user_id, (_, own) in CASES.items() if own is segment)
        assert segmentation.members(segment) == expected
    assert house.service.get_segments() == {
        segment.value: sorted(user_id for user_id, (_, own) in CASES.items() if own is segment)
        for segment in UserSegment
    }


@pytest.mark.parametrize(
    ("days", "segment"),
    [(7, "new_user"), (8, "at_risk"), (30, "at_risk"), (31, "dormant"), (60, "dormant"), (61, "churned")],
)
def test_time_alone_moves_people_on(house, days, segment):
    """Though nothing is tracked any more."""
    house.did("ada", "03-02")
    house.later(days=days)
    assert house.reopen().segment_user("ada") == segment
    assert house.service.segment_user("ada", date="2026-03-02") == "new_user"
    assert house.service.get_segments()[segment] == ["ada"]


def test_a_registration_date_decides_who_is_new(house):
    """Where there is one."""
    house.did("ada", *ago(3, 0))
    house.service.users.identify("ada", {"registration_date": "2026-02-01"})
    assert house.reopen().segment_user("ada") == UserSegment.ACTIVE_USER


def test_ids_are_numbers_or_texts_and_any_id_of_a_person_will_do(memory):
    """As everywhere."""
    memory.did(7, "03-02")
    memory.ws.track(7, "identify", anonymous_id="x")
    assert memory.service.segment_user(7) == memory.service.segment_user("7") == memory.service.segment_user("x")


def test_a_test_user_has_a_segment_but_is_no_member(memory):
    """Members are those who count."""
    memory.did("qa", "03-02")
    memory.ws.set_population("qa", "test")
    assert memory.service.segment_user("qa") == "new_user"
    assert memory.service.get_segments()["new_user"] == []


def test_nobody_belongs_anywhere_before_they_were_seen(memory):
    """None, not a segment."""
    memory.did("ada", "03-01")
    memory.did("ben", "02-01")
    assert memory.service.segment_user("ada", date="2026-02-10") is None
    assert memory.service.segment_user("ben", date="2026-01-10") is None


def test_rules_of_ones_own_are_tried_first(house):
    """They hold for this open workspace; the next one reads regulars.toml again."""
    house.did("ada", "03-02", event_type="purchase")
    house.did("ben", "03-02")
    segmentation = UserSegmentation(house.ws)
    rules = segmentation.set_rules({"buyer": {"did": "purchase", "at_least": 1}})
    assert list(rules) == ["buyer", *UserSegment]
    assert (segmentation.classify("ada"), segmentation.classify("ben")) == ("buyer", UserSegment.NEW_USER)
    assert segmentation.members("buyer") == ["ada"]
    assert house.service.get_segments()["buyer"] == ["ada"]
    assert house.ws.cohort("buyer") == ["ada"]
    once = {"did": "core", "measure": "days", "at_least": 1}
    segmentation.set_rules({"power_user": once}, order=["power_user", "new_user"])
    assert segmentation.classify("ben") == UserSegment.POWER_USER
    segmentation.set_rules({})
    assert segmentation.classify("ada") == UserSegment.NEW_USER


@pytest.mark.parametrize(
    ("rules", "order", "code"),
    [
        ({"vip": {"did": "purchase", "at_least": 3, "at_most": 2}}, (), "bad_rule"),
        ({"vip": {"dod": "purchase"}}, (), "bad_rule"),
        ({"Very Important": {"did": "purchase", "at_least": 1}}, (), "bad_rule"),
        ({"vip": {"segment": "fan"}}, (), "unknown_segment"),
        ({"vip": {"did": "purchase", "at_least": 1}}, ("new_user",), "unknown_segment"),
    ],
)
def test_rules_without_a_meaning_are_refused_and_change_nothing(memory, rules, order, code):
    """With the error that regulars.toml would give."""
    memory.did("ada", "03-02", event_type="purchase")
    segmentation = UserSegmentation(memory.ws)
    with pytest.raises(SettingsError) as found:
        segmentation.set_rules(rules, order=order)
    assert found.value.code == code
    assert segmentation.classify("ada") == "new_user"


def test_names_that_do_not_exist_are_refused(memory):
    """People, segments, days to come."""
    with pytest.raises(QueryError) as found:
        memory.service.segment_user("nobody")
    assert found.value.code == "unknown_user"
    memory.did("ada", "03-02")
    with pytest.raises(UnknownNameError, match="did you mean 'power_user'") as unknown:
        UserSegmentation(memory.ws).members("power_usr")
    assert unknown.value.code == "unknown_segment"
    with pytest.raises(QueryError) as found:
        memory.service.segment_user("ada", date="2026-03-03")
    assert found.value.code == "bad_date"


def test_an_empty_workspace_has_every_segment_empty(house):
    """No error, nobody."""
    assert house.service.get_segments() == {segment.value: [] for segment in UserSegment}


def test_a_rule_may_be_a_record_and_need_not_hold_for_everybody(memory):
    """Whom no rule fits has no segment."""
    memory.did("ada", "03-02", event_type="purchase")
    memory.did("ben", "03-02")
    segmentation = UserSegmentation(memory.ws)
    rules = segmentation.set_rules({"buyer": Cohort(did="purchase", at_least=1)}, order=["buyer"])
    assert list(rules) == ["buyer"]
    assert (segmentation.classify("ada"), segmentation.classify("ben")) == ("buyer", None)
    assert segmentation.members("buyer") == ["ada"]
