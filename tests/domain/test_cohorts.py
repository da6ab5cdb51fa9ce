"""Rules of cohorts and segments: what is refused, with which words, and what they may be made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from regulars.domain.cohorts import Cohort, Rule
from regulars.domain.query import EventCondition, Filter
from regulars.domain.segments import DEFAULT_SEGMENTS, CohortRules
from regulars.errors import QueryError, SettingsError, UnknownNameError
from regulars.settings import Activity, Settings
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.workspace import Workspace

DEEP = "not = { " * 9 + "did = 'x'" + " }" * 9


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("", "this one has none"),
        ("did = 'x'\ncohort = 'b'", "not cohort and did"),
        ("all = []", "the group 'all' is empty"),
        ("any = []", "the group 'any' is empty"),
        ("did = 'x'\nat_least = -1", "at_least must be 0 or more, not -1"),
        ("did = 'x'\nlast_days = 0", "last_days must be between 1 and 366, not 0"),
        ("did = 'x'\nlast_days = 367", "last_days must be between 1 and 366, not 367"),
        ("did = 'x'\nexactly = 1\nat_most = 2", "exactly stands alone"),
        ("did = 'x'\nat_least = 3\nat_most = 2", "at_least 3 is above at_most 2"),
        ("measure = 'times'", "say which with did"),
        ("measure = 'tenure'\ndid = 'x'\nat_least = 1", "tenure is counted from the registration"),
        ("measure = 'tenure'\nat_least = 1\nlast_days = 3", "takes no last_days"),
        ("measure = 'days_since'", "needs a number of days"),
        ("tier = ['power']\nat_least = 1", "at_least belongs to did or measure"),
        ("tier = ['pwer']", "did you mean 'power'?"),
        ("tier = []", "needs at least one tier"),
        ("did = 'x'\nvalue = 1", "op and value belong to a property"),
        ("property = 'plan'\nop = 'is'", "unknown operator 'is'"),
        ("property = 'plan'", "takes a value"),
        ("did = 'x where ('", "cannot read the condition"),
        (DEEP, "at most 200 conditions in 8 levels"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: str, said: str) -> None:
    """With what is wrong, the value, and what is allowed."""
    with pytest.raises(SettingsError, match=said.replace("(", r"\(").replace("?", r"\?")) as refused:
        Settings.from_toml(f"[cohorts.b]\ndid = 'y'\n[cohorts.a]\n{rule}")
    assert refused.value.code == "bad_rule"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("[cohorts.a]\ncohort = 'b'\n[cohorts.b]\nnot = { cohort = 'a' }", "cohort_cycle",
         "cohort a -> cohort b -> cohort a"),
        ("[cohorts.a]\ncohort = 'a'", "cohort_cycle", "cohort a -> cohort a"),
        ("[segments.vip]\ncohort = 'a'\n[cohorts.a]\nsegment = 'at_risk'", "cohort_cycle",
         "cohort a -> segment at_risk -> cohort a"),
        ("[cohorts.a]\ncohort = 'spendrs'\n[cohorts.spenders]\ndid = 'x'", "unknown_cohort", "did you mean 'spenders'"),
        ("[segments.a]\ncohort = 'x'", "unknown_cohort", "none is declared"),
        ("[cohorts.a]\nsegment = 'churnd'", "unknown_segment", "did you mean 'churned'"),
        ("segment_order = ['churnd']", "unknown_segment", "did you mean 'churned'"),
        ("segment_order = ['churned']\n[segments.vip]\ndid = 'x'", "unknown_segment", "leaves out .* 'vip'"),
        ("[cohorts.Big]\ndid = 'x'", "bad_rule", "lower-case"),
        ("[cohorts.segment]\ndid = 'x'", "bad_rule", "not 'segment'"),
        ("[cohorts.a]\ndid = 'x'\nat_leest = 1", "bad_settings", "did you mean .*at_least"),
        ("[cohorts.a]\ndid = { event = ['x'] }", "bad_settings", "did you mean .*events"),
        ("[cohorts.a]\ndid = { where = [{ propertyy = 'x' }] }", "bad_settings", "did you mean .*property"),
        ("[segments.a]\nany = [{ dod = 'x' }]", "bad_settings", "did you mean .*did"),
    ],
)  # fmt: skip
def test_rules_that_do_not_fit_together_are_refused(text: str, code: str, said: str) -> None:
    """Names that are not there, ways in a circle, keys that are misspelt."""
    with pytest.raises(SettingsError, match=said) as refused:
        Settings.from_toml(text)
    assert refused.value.code == code


def test_own_segments_are_tried_first_and_shipped_ones_keep_their_place() -> None:
    """Unless an order is given, which may leave shipped ones out."""
    own = {"vip": Cohort(did="purchase"), "dormant": Cohort(measure="days_since", at_least=100)}
    found = Settings(segments=own).rules.segments
    assert list(found) == ["vip", *DEFAULT_SEGMENTS]
    assert found["dormant"] is own["dormant"]
    kept = Settings(segments=own, segment_order=("dormant", "vip")).rules.segments
    assert list(kept) == ["dormant", "vip"]


def test_rules_tell_which_properties_they_read_through_every_reference() -> None:
    """Those of attributes and of conditions on events, each once, and nothing for a name that is none."""
    scored = EventCondition(None, (Filter(any=(Filter(property="event.score", value=1),)),))
    rules = CohortRules(
        {"a": Rule(any=(Rule(property="plan", value="x"), Rule(cohort="b"), Rule(cohort="b"))),
         "b": Rule(all=(Rule(did=scored), Rule(segment="new_user")))}
    )  # fmt: skip
    assert sorted(rules.property_names(["cohort.a", "country"])) == ["event.score", "plan"]
    assert rules.property_names(["cohort.none", "segment", "user.segment"]) == []


COHORTS = {
    "likers": Cohort(did="like"),
    "of_events": Cohort(property="action", value="like"),
    "of_cohorts": Cohort(property="cohort.likers", value="yes"),
    "of_segments": Cohort(property="segment", value="churned"),
    "unknown": Cohort(property="plaan", value="paid"),
    "untold": Cohort(property="user.team", op="is_not_set"),
    "unsent": Cohort(did=EventCondition(None, (Filter(property="event.team", op="is_set"),)), exactly=0),
    "busy": Cohort(did="busy"),
    "busy_days": Cohort(did="busy", measure="days", exactly=0),
    "moments": Cohort(did=EventCondition(None, (Filter(property="tenure_band", value="0-6 days"),))),
}


@pytest.fixture(scope="module")
def people() -> Iterator[Workspace]:
    """Two people, of whom one likes and the other only looks; seen a day apart."""
    events = [did("ada", "2026-01-01T09:00:00"), did("ben", "2026-01-02T09:00:00", "view")]
    with workspace(*events, cohorts=COHORTS, activity={"busy": Activity(min_events=2)}) as ws:
        yield ws


@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        ("cohort.of_events = 'yes'", "wrong_scope", "cohort 'of_events': action is an event property"),
        ("cohort.of_cohorts = 'yes'", "bad_rule", r"is written { cohort = 'likers' }"),
        ("cohort.of_segments = 'yes'", "bad_rule", r"is written { segment = 'churned' }"),
        ("cohort.unknown = 'yes'", "unknown_property", "cohort 'unknown': unknown property 'plaan'; did you mean"),
        ("cohort.busy = 'yes'", "bad_events", "cohort 'busy': activity 'busy' is about whole days"),
        ("cohort.moments = 'yes'", "wrong_scope", "not tenure_band, age_band, cohorts"),
        ("cohort.likrs = 'yes'", "unknown_cohort", "did you mean 'cohort.likers'?"),
        ("cohort.likers = 'maybe'", "unknown_value", "allowed: no, yes"),
        ("segment in ('churned', 'atrisk')", "unknown_value", "did you mean 'at_risk'?"),
        ("cohort.likers or action = 'like'", "mixed_filter", "cohorts, segments"),
    ],
)
def test_a_question_that_cannot_be_asked_says_why(people: Workspace, where: str, code: str, said: str) -> None:
    """The cohort by its name, what is wrong with it, and the way out."""
    with pytest.raises(QueryError, match=said.replace("?", r"\?")) as refused:
        people.active_users(where=where)
    assert refused.value.code == code


def test_without_any_cohort_the_error_says_where_they_are_declared() -> None:
    """There is nothing to suggest."""
    with workspace(did("ada", "2026-01-01T09:00:00")) as ws, pytest.raises(UnknownNameError, match=r"\[cohorts.NAME\]"):
        ws.active_users(by="cohort.big")


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("cohort.likers", ["ada"]),
        ("not cohort.likers", ["ben"]),
        ("cohort.likers = true", ["ada"]),
        ("cohort.likers = false", ["ben"]),
        ("cohort.likers is not null", ["ada"]),
        ("cohort.likers is null", ["ben"]),
        ("cohort.likers in ('yes', 'no')", ["ada", "ben"]),
        ("starts_with(cohort.likers, 'n')", ["ben"]),
        ("segment = 'new_user'", ["ada", "ben"]),
        ("user.segment is null", []),
        ("cohort.segment != 'churned'", ["ada", "ben"]),
        ("cohort.untold", ["ada", "ben"]),
        ("cohort.unsent", ["ada", "ben"]),
        ("cohort.busy_days", ["ada", "ben"]),
    ],
)
def test_membership_is_said_in_the_words_of_any_filter(people: Workspace, where: str, found: list[str]) -> None:
    """As yes and no, as true and false, as set, or by itself."""
    rows = people.cohort_size(where=where, start="2026-01-02").rows
    assert [row["cohort_size"] for row in rows] == [len(found)]
    if found:
        result = people.metric("mau", where=where)
        assert result.users(result.rows[-1]) == found


def test_an_own_attribute_called_segment_keeps_its_name() -> None:
    """The segments are cohort.segment then."""
    with workspace(did("ada", "2026-01-01T09:00:00")) as ws:
        ws.set_attributes("ada", {"segment": "gold"})
        question: dict[str, Any] = {"start": "2026-01-01"}
        assert ws.active_users(by="segment", **question).rows[0]["segment"] == "gold"
        assert ws.active_users(by="cohort.segment", **question).rows[0]["cohort.segment"] == "new_user"


def test_a_breakdown_by_events_and_cohorts_is_refused(people: Workspace) -> None:
    """One of them is judged at the event, the other on the bucket's day."""
    with pytest.raises(QueryError, match="a cohort or segment"):
        people.active_users(by=["action", "cohort.likers"])


def test_the_name_of_a_cohort_is_no_event_that_was_never_seen(people: Workspace) -> None:
    """A question about sizes has nothing to warn of."""
    assert people.cohort_size("likers", start="2026-01-02").warnings == ()
