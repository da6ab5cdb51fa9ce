"""Building blocks of SQL: values, names, fragments, tables."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import parse_one

from regulars.domain.actions import MARKERS, SHIPPED, describe
from regulars.domain.activity import category, weight
from regulars.domain.context import Context
from regulars.domain.dialect import CLICKHOUSE, DIALECTS, DUCKDB, create_table, json_pointer, render
from regulars.domain.properties import PropertyNames, resolve, split_name
from regulars.domain.schema import DIM_USERS, TABLES
from regulars.domain.sql import StagedSql, Values, identifier, with_relations
from regulars.domain.timezones import local_day_sql, local_hour_sql, local_time_key_sql
from tests.domain.examples import LATER, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.domain.dialect import Dialect
    from regulars.workspace import Workspace


@pytest.fixture(scope="module")
def ws() -> Iterator[Workspace]:
    """Any database will do."""
    with workspace() as opened:
        yield opened


@pytest.mark.parametrize(
    ("value", "duckdb", "clickhouse"),
    [
        ("it's", "'it''s'", "'it''s'"),
        ("back\\slash", "'back\\slash'", "'back\\\\slash'"),
        (-3, "-3", "-3"),
        (0.1, "0.1", "0.1"),
        (True, "TRUE", "TRUE"),
        (date(2024, 2, 29), "CAST('2024-02-29' AS DATE)", "CAST('2024-02-29' AS Nullable(DATE))"),
    ],
)
def test_a_value_is_a_literal_of_its_engine(value: object, duckdb: str, clickhouse: str) -> None:
    """It never passes through text that is parsed."""
    values = Values()
    tree = values.bind(f"SELECT {values.add(value)} AS x")  # type: ignore[arg-type]
    assert render(tree, DUCKDB, pretty=False) == f"SELECT {duckdb} AS x"
    assert render(tree, CLICKHOUSE, pretty=False) == f"SELECT {clickhouse} AS x"


def test_the_same_value_has_one_placeholder_per_type() -> None:
    """1, 1.0 and true are three values."""
    values = Values()
    assert values.add_all(("a", "a", 1, 1.0, True)) == "$v1, $v1, $v2, $v3, $v4"


def test_values_that_python_calls_equal_are_spelled_apart() -> None:
    """Also when a statement of the same text was spelled before."""
    spelled = []
    for value in (1, 1.0, True, 1):
        values = Values()
        spelled.append(render(values.bind(f"SELECT {values.add(value)} AS x"), DUCKDB, pretty=False))
    assert spelled == ["SELECT 1 AS x", "SELECT 1.0 AS x", "SELECT TRUE AS x", "SELECT 1 AS x"]


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20))
def test_any_text_comes_back_from_the_database(ws: Workspace, text: str) -> None:
    """As a value and as the name of a column, braces and placeholders included."""
    values = Values()
    value, brace = values.add(text), values.add("{1}")
    body = f"SELECT {value} AS {identifier(text or 'x')}, rg_contains({value}, {brace}) AS y"
    found = ws.engine.query(render(values.bind(body), DUCKDB))
    assert found.columns[0] == (text or "x")
    assert found.rows == [(text, "{1}" in text)]


def test_a_key_with_braces_is_no_place_to_fill() -> None:
    """Neither for the expression nor for the pointer itself."""
    values = Values()
    body = f"SELECT rg_property({values.add('{}')}, {values.add('{0}{pointer}')}) AS x"
    assert "'/{0}{pointer}'" in render(values.bind(body), DUCKDB, pretty=False)
    assert json_pointer("~/") == "/~0~1"


def test_fragments_nest() -> None:
    """An argument may hold fragments of its own."""
    tree = Values().bind("SELECT rg_lower(rg_text(x)) AS y FROM t")
    assert render(tree, DUCKDB, pretty=False) == "SELECT LOWER(CAST(x AS TEXT)) AS y FROM t"
    assert render(tree, CLICKHOUSE, pretty=False) == "SELECT lowerUTF8(toString(x)) AS y FROM t"


def test_every_engine_spells_every_type_and_fragment() -> None:
    """Nothing is missing on one of them."""
    assert DUCKDB.types.keys() == CLICKHOUSE.types.keys()
    assert DUCKDB.fragments.keys() == CLICKHOUSE.fragments.keys()
    for dialect in DIALECTS.values():
        for table in TABLES:
            assert f"CREATE TABLE {table.name} (" in create_table(table, dialect)
    assert "ORDER BY (user_key)" in create_table(DIM_USERS, CLICKHOUSE)
    assert DIM_USERS.column_names[:2] == ("user_key", "user_id")


def test_a_statement_without_relations_is_its_body() -> None:
    """WITH stands only where something is named."""
    assert with_relations({}, "SELECT 1") == "SELECT 1"
    assert with_relations({"a": " SELECT 1 "}, "FROM a") == "WITH a AS (\nSELECT 1\n)\nFROM a"


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_statement_means_the_same_relation_by_relation(dialect: Dialect) -> None:
    """Also with a value that looks like a placeholder or goes over several lines."""
    values = Values()
    lines = values.add("one,\n  two")
    relations = {
        "a": f"SELECT {values.add('x')} AS x, {values.add('$v1')} AS y",
        "b": f"SELECT {values.add(1)} AS n, rg_lower(a.x) AS x FROM a WHERE a.y <> {lines}",
    }
    composed = with_relations(relations, f"SELECT n, x FROM b WHERE x = {values.add('x')} AND n < {values.add(1.0)}")
    whole = f"{composed} "
    spelled = [render(values.bind(text), dialect) for text in (composed, whole)]
    assert len(set(spelled)) == 2
    assert len({parse_one(text, dialect=dialect.sqlglot) for text in spelled}) == 1
    assert [type(text) for text in spelled] == [str, str]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("plan", ("", "plan")),
        ("user.plan", ("user", "plan")),
        ("event.a.b", ("event", "a.b")),
        ("a.b", ("", "a.b")),
        ('"geo.city"', ("", "geo.city")),
        ('event."geo.city"', ("event", "geo.city")),
        ('"say ""x"""', ("", 'say "x"')),
        ('"', ("", '"')),
        ("", ("", "")),
        ("user.", ("user", "")),
    ],
)
def test_a_name_splits_at_a_known_prefix_only(name: str, parts: tuple[str, str]) -> None:
    """A name in double quotes is literal."""
    assert split_name(name) == parts


def test_a_bare_name_is_the_user_attribute_first() -> None:
    """Only where there is none it is the event property."""
    names = PropertyNames({"team"}, {"team", "label"})
    found = {
        name: resolve(name, names, Values()).words for name in ("team", "label", "event.team", "age_band", "country")
    }
    assert found == {
        "team": "user attribute",
        "label": "event property",
        "event.team": "event property",
        "age_band": "time-dependent user attribute",
        "country": "user attribute",
    }


def test_every_shipped_action_is_core_unless_passive() -> None:
    """Passive ones are those that say little; markers are never actions."""
    passive = {name for name, action in SHIPPED.items() if not action.is_core_action and not action.is_marker}
    assert passive == {
        "payment_success",
        "payment_failed",
        "support_ticket",
        "notification_sent",
        "notification_received",
        "notification_open",
        "notification_dismiss",
    }
    assert all(SHIPPED[name].is_marker and not SHIPPED[name].is_core_action for name in MARKERS)
    assert (describe("dance").category, describe("dance").is_core_action) == ("other", True)
    assert not describe("notification_of_mine").is_core_action
    own = {"dance": SHIPPED["like"]}
    assert describe("dance", own).category == "social"


def test_an_empty_workspace_has_no_offsets_to_render() -> None:
    """A changed time zone needs events to matter."""
    context = Context("Europe/Berlin", 1, LATER.replace(tzinfo=None), stale=("timezone", "actions"))
    assert local_day_sql("x", context) == "e.day"
    assert local_time_key_sql("x", context) == "e.time_key"
    assert local_hour_sql("x", context) == "0"
    assert weight(context, Values()) == "1.0"
    assert category(context, Values()) == "'other'"


def test_what_clickhouse_would_analyse_for_every_reader_can_be_run_in_stages() -> None:
    """A relation that is read twice is a stage, with what it reads itself; the printed statement stays one."""
    relations = {"few": "SELECT 1 AS x", "named": "WITH one AS (SELECT x FROM few) SELECT x FROM one"}
    text = with_relations(relations, "SELECT a.x FROM named a JOIN named b ON b.x = a.x")
    staged = render(Values().bind(text), CLICKHOUSE)
    assert isinstance(staged, StagedSql)
    ((name, select),) = staged.stages
    assert name == "named"
    assert select.startswith("WITH few AS (\nSELECT\n  1 AS x\n)\nSELECT * FROM (\nWITH one AS MATERIALIZED (")
    assert staged.last.endswith("JOIN named AS b\n  ON b.x = a.x")
    assert "few AS (\n" in staged
    assert "named AS MATERIALIZED (\n" in staged
    assert type(render(Values().bind(text), DUCKDB)) is str


def test_what_is_read_once_is_no_stage() -> None:
    """Then there is one statement, as plain text."""
    text = with_relations({"few": "SELECT 1 AS x"}, "SELECT x FROM few")
    assert type(render(Values().bind(text), CLICKHOUSE)) is str
