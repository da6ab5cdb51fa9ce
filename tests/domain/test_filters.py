"""Filters: every operator, missing values, numbers and text, groups, limits, and texts that mean harm."""

from __future__ import annotations

import contextlib
import string
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.domain.query import MAX_FILTER_NODES, OPERATORS, EventCondition, Filter, Query, query_from_json
from regulars.errors import QueryError, RegularsError, UnknownNameError
from regulars.settings import Activity
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.workspace import Workspace

PEOPLE: dict[str, dict[str, Any]] = {
    "paid": {"plan_name": "paid", "score": 10},
    "Paid": {"plan_name": "Paid", "score": 9.5},
    "text": {"plan_name": "free", "score": "ten"},
    "flag": {"plan_name": "", "score": True},
    "nobody": {},
}


@pytest.fixture(scope="module")
def people() -> Iterator[Workspace]:
    """One event per person, a minute apart."""
    events = [
        did(name, f"2026-01-01T00:0{n}:00", properties=properties, duration_seconds=n or None)
        for n, (name, properties) in enumerate(PEOPLE.items())
    ]
    with workspace(*events) as ws:
        yield ws


def found(ws: Workspace, *where: str | Filter) -> set[str]:
    """Who is active on the first day under some conditions."""
    rows = ws.active_users(where=where, by="user_id", start="2026-01-01", end="2026-01-01", limit=1000).rows
    return {row["user_id"] for row in rows if row["active_users"]}


EVERYBODY = set(PEOPLE)
CASES: list[tuple[Filter, set[str]]] = [
    (Filter(property="plan_name", op="=", value="paid"), {"paid"}),
    (Filter(property="plan_name", op="!=", value="paid"), EVERYBODY - {"paid"}),
    (Filter(property="plan_name", op="in", value=("paid", "free")), {"paid", "text"}),
    (Filter(property="plan_name", op="in", value=()), set()),
    (Filter(property="plan_name", op="not_in", value=("paid", "free")), {"Paid", "flag", "nobody"}),
    (Filter(property="plan_name", op="<", value="free"), {"Paid", "flag"}),
    (Filter(property="plan_name", op="<=", value="free"), {"Paid", "flag", "text"}),
    (Filter(property="plan_name", op=">", value="free"), {"paid"}),
    (Filter(property="plan_name", op=">=", value="free"), {"paid", "text"}),
    (Filter(property="plan_name", op="between", value=("free", "paid")), {"paid", "text"}),
    (Filter(property="plan_name", op="contains", value="ai"), {"paid", "Paid"}),
    (Filter(property="plan_name", op="icontains", value="PA"), {"paid", "Paid"}),
    (Filter(property="plan_name", op="not_contains", value="ai"), {"text", "flag", "nobody"}),
    (Filter(property="plan_name", op="starts_with", value="p"), {"paid"}),
    (Filter(property="plan_name", op="istarts_with", value="P"), {"paid", "Paid"}),
    (Filter(property="plan_name", op="is_set"), EVERYBODY - {"nobody"}),
    (Filter(property="plan_name", op="is_not_set"), {"nobody"}),
    (Filter(property="score", op=">", value=9), {"paid", "Paid"}),
    (Filter(property="score", op="=", value=10.0), {"paid"}),
    (Filter(property="score", op="=", value="10"), {"paid"}),
    (Filter(property="score", op="!=", value=10), EVERYBODY - {"paid"}),
    (Filter(property="score", op="in", value=("ten", 9.5)), {"text", "Paid"}),
    (Filter(property="score", op="=", value=True), {"flag"}),
    (Filter(property="score", op="between", value=(9, 9.75)), {"Paid"}),
    (Filter(property="duration_seconds", op=">=", value=3), {"flag", "nobody"}),
    (Filter(property="duration_seconds", op="=", value="2"), {"text"}),
    (Filter(property="duration_seconds", op="=", value="many"), set()),
    (Filter(property="duration_seconds", op="<", value="inf"), {"Paid", "text", "flag", "nobody"}),
    (Filter(property="duration_seconds", op="=", value=True), set()),
    (Filter(property="duration_seconds", op="in", value=(1, "2", "x")), {"Paid", "text"}),
    (Filter(property="duration_seconds", op="contains", value="4"), {"nobody"}),
    (Filter(property="duration_seconds", op="is_not_set"), {"paid"}),
]


@pytest.mark.parametrize(("condition", "expected"), CASES, ids=[f"{c.property} {c.op} {c.value!r}" for c, _ in CASES])
def test_each_operator_selects_who_it_says(people: Workspace, condition: Filter, expected: set[str]) -> None:
    """Missing values match complements only, and numbers compare as numbers."""
    assert found(people, condition) == expected


def test_every_operator_has_a_case() -> None:
    """Nothing in the list of operators is left untested."""
    assert {condition.op for condition, _ in CASES} == set(OPERATORS)


def test_groups_nest() -> None:
    """Any of all of them, in Python and as typed."""
    both = Filter(all=(Filter(property="plan_name", value="paid"), Filter(property="score", op=">", value=9)))
    either = Filter(any=(both, Filter(property="plan_name", op="is_not_set")))
    assert [leaf.property for leaf in either.leaves()] == ["plan_name", "score", "plan_name"]
    assert both.members()[0].members() == ()
    events = [did(name, "2026-01-01T00:00:00", properties=properties) for name, properties in PEOPLE.items()]
    with workspace(*events) as ws:
        assert found(ws, either) == {"paid", "nobody"}
        assert found(ws, "plan_name = 'paid' and score > 9 or plan_name is null") == {"paid", "nobody"}
        assert found(ws, "not (plan_name = 'paid' or plan_name is null)") == {"Paid", "text", "flag"}


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({}, "exactly one of"),
        ({"property": "a", "all": ()}, "exactly one of"),
        ({"all": ()}, "at least one condition"),
        ({"property": "a"}, "takes a value"),
        ({"property": "a", "op": "is_set", "value": 1}, "takes no value"),
        ({"property": "a", "op": "in", "value": 1}, "takes a list"),
        ({"property": "a", "op": "=", "value": (1,)}, "takes one value"),
        ({"property": "a", "op": "between", "value": (1, 2, 3)}, "takes two values"),
        ({"property": "a", "value": float("inf")}, "finite"),
        ({"property": "a", "op": "in", "value": (1, float("nan"))}, "finite"),
        ({"property": "a", "value": 10**400}, "finite"),
    ],
)
def test_a_filter_that_says_nothing_or_two_things_is_refused(made: dict[str, Any], reason: str) -> None:
    """When it is made, not when it is asked."""
    with pytest.raises(QueryError, match=reason) as error:
        Filter(**made)
    assert error.value.code == "bad_filter"


def test_an_unknown_operator_is_answered_with_the_nearest() -> None:
    """The message suggests a spelling."""
    with pytest.raises(UnknownNameError, match="did you mean 'contains'"):
        Filter(property="a", op="contain", value="x")


def test_filters_are_bounded() -> None:
    """200 conditions in 8 levels, groups included; one more is refused."""
    one = Filter(property="plan", value="x")
    Query(metric="dau", filters=(one,) * MAX_FILTER_NODES)
    with pytest.raises(QueryError, match="at most 200 conditions in 8 levels") as error:
        Query(metric="dau", filters=(one,) * (MAX_FILTER_NODES + 1))
    assert error.value.code == "filter_too_large"
    deep = one
    for _ in range(7):
        deep = Filter(all=(deep,))
    Query(metric="dau", filters=(deep,))
    with pytest.raises(QueryError, match="8 levels"):
        Query(metric="dau", filters=(Filter(any=(deep,)),))


def test_the_largest_filter_is_answered(people: Workspace) -> None:
    """The bound is one that the engine bears."""
    many = [Filter(property="plan_name", op="!=", value=f"x{n}") for n in range(MAX_FILTER_NODES)]
    assert found(people, *many) == EVERYBODY
    assert found(people, Filter(any=tuple(many[:-1]))) == EVERYBODY


def test_a_group_cannot_mix_events_with_moments(people: Workspace) -> None:
    """Side by side they can stand, in one group they have no single meaning."""
    mixed = Filter(any=(Filter(property="score", value=1), Filter(property="tenure_band", value="0-6 days")))
    with pytest.raises(QueryError, match="side by side") as error:
        found(people, mixed)
    assert error.value.code == "mixed_filter"


HOSTILE = (
    "'",
    "''",
    '"',
    "\\",
    "\\'",
    ";",
    "--",
    "/*",
    "*/",
    "{0}",
    "{1}",
    "{pointer}",
    "$v1",
    "$1",
    ":v1",
    "?",
    "%",
    "%s",
    "_",
    "x: 1",
    "'; DROP TABLE fact_user_actions; --",
    "a.b",
    "user.plan",
    "geo.city",
    "/",
    "~",
    "~0",
    "~1",
    "$.a",
    "[0]",
    "*",
    "日本",
    "Ünïcode",
    "\u2028",
    "\u202e",
    "\t",
    "\x01",
    "\x1b[31m",
    "\x7f",
    "🎉",
    "e\u0301",
    "(none)",
    "NULL",
    "true",
    " ",
    "a b",
    'say "x"',
    "`",
    "#",
    "@",
    "&",
    "\\n",
    "a\nb",
)


@pytest.fixture(scope="module")
def hostile() -> Iterator[Workspace]:
    """Somebody for each text, as value of a property and as the name of one."""
    events = [
        did(f"u{n}", "2026-01-01T00:00:00", properties={"label": text, text: f"value {n}"})
        for n, text in enumerate(HOSTILE)
    ]
    with workspace(*events) as ws:
        yield ws


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_any_text_can_be_a_value(hostile: Workspace, text: str) -> None:
    """It finds its own event and no other, and is never read as SQL."""
    quoted = text.replace("'", "''")
    contains = Filter(property="label", op="contains", value=text)
    assert found(hostile, f"label = '{quoted}'", contains) == {f"u{HOSTILE.index(text)}"}


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_any_text_can_be_the_name_of_a_property(hostile: Workspace, text: str) -> None:
    """In double quotes it is literal: its dots are no prefix, its quotes are doubled."""
    n = HOSTILE.index(text)
    quoted = '"' + text.replace('"', '""') + '"'
    name = quoted if n % 2 else f"event.{quoted}"
    rows = hostile.active_users(by=name, where=f"{name} is not null", start="2026-01-01", end="2026-01-01").rows
    assert [(row[name], row["active_users"]) for row in rows] == [(f"value {n}", 1)]


def test_any_text_can_be_what_an_activity_asks_for() -> None:
    """Declared activities read values and names as filters do."""
    texts = ("'", '"', "\\", "{0}", "$v1", ":v1", "%", "x: 1", "a.b", "日本")
    rules = {}
    for n, text in enumerate(texts):
        quoted = '"' + text.replace('"', '""') + '"'
        where = (Filter(property=f"event.{quoted}", value=text),)
        rules[f"a{n}"] = Activity(events=(text, "like"), where=where)
    events = [did(f"u{n}", "2026-01-01T00:00:00", properties={text: text}) for n, text in enumerate(texts)]
    with workspace(*events, activity=rules) as ws:
        stored = ws.sql("SELECT activity, user_id FROM fact_arrivals WHERE activity LIKE 'a_'").rows
        asked = {
            n: ws.active_users(activity=f"a{n}", by="user_id", where="action = 'like'", start="2026-01-01").rows
            for n in (0, 3, 4)
        }
    assert sorted(stored) == [(f"a{n}", f"u{n}") for n in range(len(texts))]
    assert {n: [row["user_id"] for row in rows] for n, rows in asked.items()} == {n: [f"u{n}"] for n in asked}


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=30))
@settings(max_examples=20)
def test_no_text_breaks_out_of_a_question(hostile: Workspace, text: str) -> None:
    """Whatever is asked for, the answer is whoever has exactly that."""
    expected = {f"u{HOSTILE.index(text)}"} if text in HOSTILE else set()
    assert found(hostile, Filter(property="label", value=text)) == expected


def test_text_that_no_database_holds_is_refused() -> None:
    """Half of a surrogate pair is no character."""
    with pytest.raises(QueryError, match="not valid Unicode"):
        Filter(property="a", value="\ud800")


@pytest.mark.parametrize(
    "name", ["", ".", "user.", "nope", "user.nope", "event.nope", "device.nope", "geo.nope", "feature.x"]
)
def test_an_unknown_property_is_an_error_with_a_way_out(people: Workspace, name: str) -> None:
    """Each prefix suggests its own names."""
    with pytest.raises(UnknownNameError, match="unknown property") as error:
        people.active_users(by=name)
    assert error.value.code == "unknown_property"
    prefix = name.partition(".")[0]
    if prefix and "." in name:
        assert all(allowed.startswith(f"{prefix}.") for allowed in error.value.fields["allowed"])


def test_properties_of_features_and_devices_have_their_prefix() -> None:
    """Their columns are read from their dimensions."""
    event = did("a", "2026-01-01T00:00:00", feature="editor", device={"browser_name": "Firefox"}, geo={"city": "Bonn"})
    with workspace(event) as ws:
        for name, expected in (("feature.name", "editor"), ("device.browser_name", "Firefox"), ("geo.city", "Bonn")):
            assert ws.active_users(by=name, start="2026-01-01").rows[0][name] == expected
        assert ws.active_users(by="duration_seconds", start="2026-01-01").rows[0]["duration_seconds"] == "(none)"


def test_the_json_form_is_the_query() -> None:
    """Decoding what was encoded gives the same question."""
    query = Query(metric="dau", filters=(Filter(any=(Filter(property="plan", op="in", value=("a", 1, True)),)),))
    assert query_from_json(msgspec.json.encode(query)) == query
    assert EventCondition().where == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "bad_json"),
        ("[]", "bad_query"),
        ('{"metric": "dau", "window": "x"}', "bad_query"),
        ('{"metric": "dau", "colour": 1}', "bad_query"),
        ('{"metric": "dau", "window": 367}', "bad_window"),
        ('{"metric": "dau", "filters": [{"property": "a", "op": "lik", "value": 1}]}', "unknown_operator"),
    ],
)
def test_json_that_is_no_question_is_refused_with_the_field(text: str, code: str) -> None:
    """The error is the one that Python would have given."""
    with pytest.raises(QueryError) as error:
        query_from_json(text)
    assert error.value.code == code


@given(
    st.recursive(
        st.text(string.printable, max_size=8) | st.integers() | st.floats(allow_nan=False),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(("property", "op", "value", "all", "any", "metric", "filters", "x")), inner, max_size=4
            )
        ),
    )
)
@settings(max_examples=50)
def test_json_from_anywhere_is_a_question_or_one_of_our_errors(value: object) -> None:
    """No input makes another error."""
    with contextlib.suppress(RegularsError):
        query_from_json(msgspec.json.encode({"metric": "dau", "filters": [value]}))
