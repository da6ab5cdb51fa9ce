"""Conditions as people type them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.domain.query import Filter
from regulars.domain.where import parse_where
from regulars.errors import QueryError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plan = 'paid'", Filter(property="plan", op="=", value="paid")),
        ("plan != 'paid'", Filter(property="plan", op="!=", value="paid")),
        ("plan <> 'it''s'", Filter(property="plan", op="!=", value="it's")),
        ("amount < 10", Filter(property="amount", op="<", value=10)),
        ("amount <= 1.5", Filter(property="amount", op="<=", value=1.5)),
        ("amount > -3", Filter(property="amount", op=">", value=-3)),
        ("amount >= 1e3", Filter(property="amount", op=">=", value=1000.0)),
        ("vip = true", Filter(property="vip", op="=", value=True)),
        ("country in ('DE', 'FR')", Filter(property="country", op="in", value=("DE", "FR"))),
        ("country not in ('DE', 1)", Filter(property="country", op="not_in", value=("DE", 1))),
        ("amount between 1 and -9", Filter(property="amount", op="between", value=(1, -9))),
        ("plan is null", Filter(property="plan", op="is_not_set")),
        ("plan is not null", Filter(property="plan", op="is_set")),
        ("contains(name, 'x')", Filter(property="name", op="contains", value="x")),
        ("icontains(name, 'x')", Filter(property="name", op="icontains", value="x")),
        ("starts_with(name, 'x')", Filter(property="name", op="starts_with", value="x")),
        ("istarts_with(name, 'x')", Filter(property="name", op="istarts_with", value="x")),
        ("not contains(name, 'x')", Filter(property="name", op="not_contains", value="x")),
        ("not (plan = 'a')", Filter(property="plan", op="!=", value="a")),
        ("not plan != 'a'", Filter(property="plan", op="=", value="a")),
        ("not not plan = 'a'", Filter(property="plan", op="=", value="a")),
        ("geo.city = 'Bonn'", Filter(property="geo.city", op="=", value="Bonn")),
        ("\"geo.city\" = 'Bonn'", Filter(property='"geo.city"', op="=", value="Bonn")),
        ('event."a b" = 1', Filter(property='event."a b"', op="=", value=1)),
        ('"say ""x""" = 1', Filter(property='"say ""x"""', op="=", value=1)),
    ],
)
def test_each_form_is_a_filter(text: str, expected: Filter) -> None:
    """Comparisons, lists, ranges, missing values and functions."""
    assert parse_where(text) == (expected,)


def test_and_or_not_make_groups() -> None:
    """Conditions joined by and stand side by side; not turns a group around."""
    a, b, c = (Filter(property=name, value=1) for name in "abc")
    assert parse_where("a = 1 and b = 1 and c = 1") == (a, b, c)
    assert parse_where("a = 1 or b = 1 or c = 1") == (Filter(any=(a, b, c)),)
    assert parse_where("(a = 1 or b = 1) and c = 1") == (Filter(any=(a, b)), c)
    not_a, not_b = (Filter(property=name, op="!=", value=1) for name in "ab")
    assert parse_where("not (a = 1 or b = 1)") == (not_a, not_b)
    assert parse_where("not (a = 1 and b = 1)") == (Filter(any=(not_a, not_b)),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plan",
        "plan =",
        "= 'x'",
        "plan = plan",
        "1 = 1",
        "'a' = 'a'",
        "plan = (select 1)",
        "plan in (select 1)",
        "plan in country",
        "plan is true",
        "lower(plan) = 'a'",
        "contains(plan)",
        "contains(plan, plan)",
        "length(plan)",
        "contains(plan, 'a', 'b')",
        "contains('a', 'b')",
        "plan like 'a%'",
        "plan = 'a'; drop table x",
        "exists(select 1)",
        "plan = $v1",
        "plan = ?",
        "plan = 1 + 1",
        "plan = null",
        "plan = -'a'",
        "case when true then 1 end",
        "plan =  '",
        "read_csv('x')",
        "plan = read_text('x')",
        "plan::int = 1",
        "x between (select 1) and 2",
        "* = 1",
    ],
)
def test_everything_else_is_refused_with_the_forms(text: str) -> None:
    """No part of the text reaches a statement."""
    with pytest.raises(QueryError, match="forms: plan = 'paid'") as error:
        parse_where(text)
    assert error.value.code == "bad_where"


@pytest.mark.parametrize("text", ["not a < 1", "not a between 1 and 2", "not starts_with(a, 'x')"])
def test_not_is_refused_where_missing_values_would_decide(text: str) -> None:
    """There is no complement of these operators."""
    with pytest.raises(QueryError, match="not is only understood before"):
        parse_where(text)


@pytest.mark.parametrize("text", ["(" * 5000 + "a = 1" + ")" * 5000, "not " * 5000 + "a = 1"])
def test_a_condition_that_nests_without_end_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="too deep") as caught:
        parse_where(text)
    assert caught.value.code == "bad_where"


@given(st.text(max_size=40))
def test_any_text_is_filters_or_our_error(text: str) -> None:
    """Nothing typed makes another error."""
    with contextlib.suppress(QueryError):
        assert parse_where(text)


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20))
def test_quoted_text_and_names_come_through_unchanged(text: str) -> None:
    """Whatever they hold."""
    value, name = text.replace("'", "''"), '"' + text.replace('"', '""') + 'x"'
    assert parse_where(f"{name} = '{value}'") == (Filter(property=name, value=text),)
