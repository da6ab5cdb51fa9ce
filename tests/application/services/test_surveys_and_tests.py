"""Answers and experiments: written down, counted, and found again."""

import pytest

from regulars.application import ABTestManager, NPSManager
from regulars.domain import ABTestResults, ABTestVariant, NPSMetrics
from regulars.errors import QueryError, UnknownNameError

SCORES = {1: 10, 2: 9, 3: 9, 4: 8, 5: 7, 6: 6, 7: 0, "h": 10}


def test_the_score_is_promoters_less_detractors(house):
    """Of the latest answer of each person."""
    house.service.record_nps_response("h", 0)
    house.later(hours=1)
    for user_id, score in SCORES.items():
        house.service.record_nps_response(user_id, score, comment="so so")
    found = house.reopen().calculate_nps()
    promoters = sum(score >= 9 for score in SCORES.values())
    detractors = sum(score <= 6 for score in SCORES.values())
    counts = [found[name] for name in ("responses", "promoters", "passives", "detractors")]
    assert counts == [8, promoters, 2, detractors]
    assert found["nps"] == pytest.approx(100 * (promoters - detractors) / 8)
    row = house.ws.nps().averages[0]
    assert (found["low"], found["high"]) == (row["low"], row["high"])
    record = NPSManager(house.ws).calculate_nps(repeats="all")
    assert isinstance(record, NPSMetrics)
    assert (record.responses, record.detractors) == (9, 3)
    assert NPSManager(house.ws).calculate_nps("2026-03-01", "2026-03-01").responses == 0


def test_surveys_are_apart_when_asked_for(memory):
    """An answer belongs to one."""
    memory.service.record_nps_response("a", 10, survey="spring")
    memory.service.record_nps_response("b", 0, survey="autumn")
    assert memory.service.calculate_nps(survey="spring")["nps"] == 100.0
    assert memory.service.calculate_nps()["nps"] == 0.0


def test_nobody_answered(house):
    """The score is undefined, and an answer makes nobody active."""
    found = house.service.calculate_nps()
    assert (found["responses"], found["nps"], found["low"], found["high"]) == (0, None, None, None)
    house.service.record_nps_response("a", 10)
    assert house.service.get_engagement_metrics()["dau"] == 0


@pytest.mark.parametrize("score", [11, -1, 7.5, "9", None])
def test_a_score_is_from_0_to_10(memory, score):
    """Whole."""
    with pytest.raises(QueryError, match="whole number from 0 to 10") as found:
        memory.service.record_nps_response("a", score)
    assert found.value.code == "bad_score"
    assert memory.service.calculate_nps()["responses"] == 0


def test_everybody_has_one_variant_for_good(house):
    """The same after a restart, and as the experiment itself would say."""
    house.service.create_ab_test("checkout")
    first = {user: house.service.assign_ab_variant("checkout", user) for user in range(1, 61)}
    assert set(first.values()) == {ABTestVariant.CONTROL, ABTestVariant.VARIANT_A}
    service = house.reopen()
    for user, variant in first.items():
        assert service.assign_ab_variant("checkout", str(user), log_exposure=False) is variant
        assert house.ws.experiments.assign("checkout", user).variant == variant


def test_results_count_each_person_once_however_often_they_look(house):
    """And conversions of those who saw a variant, from then on."""
    service = house.service
    service.create_ab_test("checkout", ["CONTROL", "VARIANT_A", "VARIANT_B"])
    service.record_ab_conversion("checkout", 1)
    house.later(minutes=1)
    seen = {user: service.assign_ab_variant("checkout", user) for user in range(1, 31)}
    for user in range(1, 11):
        assert service.assign_ab_variant("checkout", user) is seen[user]
    house.later(minutes=1)
    service = house.reopen()
    for user in (2, 3, 5, 8, 8, 21, 99):
        service.record_ab_conversion("checkout", user)
    house.later(minutes=1)
    found = service.get_ab_test_results("checkout")
    assert (found["name"], found["status"], found["phase"]) == ("checkout", "running", 1)
    assert [one["variant"] for one in found["variants"]] == ["CONTROL", "VARIANT_A", "VARIANT_B"]
    for one in found["variants"]:
        mine = {user for user, variant in seen.items() if variant == one["variant"]}
        assert (one["users"], one["converted"]) == (len(mine), len(mine & {2, 3, 5, 8, 21}))
    rows = house.ws.experiments.results("checkout").rows
    record = ABTestManager(house.ws).get_results("checkout")
    assert isinstance(record, ABTestResults)
    assert [one.p_value for one in record.variants] == [row["p_value"] for row in rows]
    assert record.variant(ABTestVariant.CONTROL).mean == rows[0]["mean"]


def test_another_event_and_measure_can_be_what_counts(house):
    """Such as the amounts of purchases; the event is recorded under its own name."""
    service = house.service
    service.create_ab_test(
        "price", {"CONTROL": 1, "cheap": 1}, metric={"measure": "sum", "event": "purchase", "property": "amount"}
    )
    variant = service.assign_ab_variant("price", "ada")
    house.later(minutes=1)
    service.record_ab_conversion("price", "ada", properties={"amount": 20})
    service.track_event("ada", "purchase", properties={"amount": 5})
    house.later(minutes=1)
    service = house.reopen()
    found = service.get_ab_test_results("price")
    assert {one["variant"]: one["mean"] for one in found["variants"] if one["users"]} == {variant: 25.0}
    assert [event.event_type for event in service.events.get_user_events("ada")][1:] == ["purchase", "purchase"]


def test_a_test_that_does_not_run_assigns_nobody(memory):
    """A draft, one that is stopped, and people outside the share that takes part."""
    tests = ABTestManager(memory.ws)
    made = tests.create_test("later", start=False)
    assert made.status == "draft"
    assert tests.assign_variant("later", 1) is None
    with pytest.raises(QueryError) as found:
        tests.get_results("later")
    assert found.value.code == "not_started"
    tests.create_test("nobody", coverage=0.0)
    assert tests.assign_variant("nobody", 1) is None
    assert tests.get_results("nobody").variant("CONTROL").users == 0


def test_names_that_do_not_exist_are_refused(memory):
    """Tests and variants, and a name that is taken."""
    tests = ABTestManager(memory.ws)
    for call in (
        lambda: tests.assign_variant("checkot", 1),
        lambda: tests.record_conversion("checkot", 1),
        lambda: tests.get_results("checkot"),
    ):
        with pytest.raises(UnknownNameError) as found:
            call()
        assert found.value.code == "unknown_experiment"
    tests.create_test("checkout")
    with pytest.raises(UnknownNameError, match="allowed: CONTROL, VARIANT_A") as unknown:
        tests.get_results("checkout").variant("VARIANT_X")
    assert unknown.value.code == "unknown_variant"
    with pytest.raises(QueryError) as taken:
        tests.create_test("checkout")
    assert taken.value.code == "experiment_exists"


def test_a_measure_without_an_event_of_its_own_needs_one(memory):
    """An activity is many events; which one happened must be said."""
    tests = ABTestManager(memory.ws)
    tests.create_test("habit", metric={"measure": "retention"})
    with pytest.raises(QueryError, match="say which event") as found:
        tests.record_conversion("habit", 1)
    assert found.value.code == "bad_option"
    tests.record_conversion("habit", 1, event="like")
    assert memory.service.events.get_user_events(1)[0].event_type == "like"
