"""The ClickHouse engine, in this process, gives the rows of the embedded engine and of the oracle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

import regulars
from regulars.application.mirror import mirror
from regulars.domain.dialect import CLICKHOUSE, render
from regulars.domain.metrics import METRICS
from regulars.domain.query import Query, Range
from regulars.domain.relations.scope import SOURCES
from regulars.domain.result import result_rows
from regulars.domain.schema import DIM_DATES, TABLES
from regulars.domain.sql import Values, with_relations
from regulars.errors import EngineError
from regulars.infrastructure.engines.clickhouse import ClickHouseEngine
from regulars.synthetic.generate import GeneratorOptions, generate
from tests.application.test_agreement import Rows, comparable, plans_of_each, workspace_of
from tests.application.test_habits_agreement import ruled_worlds
from tests.cohort_strategies import cohort_queries, cohort_worlds
from tests.interfaces.cli import call
from tests.oracle import RefusedError, answer
from tests.oracle.session_metric import session_rows
from tests.strategies import queries, sliced_queries, some, worlds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from regulars.domain.relations.scope import Source
    from regulars.workspace import Workspace
    from tests.oracle.world import World

clickhouse_connect = pytest.importorskip("clickhouse_connect")
COPIED = [table for table in TABLES if table is not DIM_DATES]


@pytest.fixture(scope="module")
def clickhouse() -> Iterator[ClickHouseEngine]:
    """One engine for the module; its calendar is copied once."""
    engine = ClickHouseEngine(clickhouse_connect.get_client(interface="chdb"))
    with workspace_of_nothing() as ws:
        mirror(ws.engine, engine)
    yield engine
    engine.close()


def workspace_of_nothing() -> Workspace:
    """An empty workspace, for its calendar."""
    return regulars.open()


def rows_on(
    clickhouse: ClickHouseEngine, ws: Workspace, query: Query, sources: tuple[Source, ...] = SOURCES
) -> Iterator[Rows]:
    """The rows of a query from the copy of a workspace, from every source."""
    for planned, text, context in plans_of_each(ws, query, CLICKHOUSE, sources):
        found = [] if text is None else clickhouse.query(text).rows
        yield comparable(result_rows(planned, found, context.timezone))


@given(data=st.data())
@some(40)
def test_clickhouse_gives_the_rows_of_the_oracle(clickhouse: ClickHouseEngine, data: st.DataObject) -> None:
    """Every source answers every drawn question on ClickHouse as the oracle does."""
    world = data.draw(worlds())
    query = data.draw(queries(world) | sliced_queries(world))
    try:
        expected = comparable(answer(world, query))
    except RefusedError:
        assume(False)
    note(msgspec.json.encode(query).decode())
    with workspace_of(world) as ws:
        mirror(ws.engine, clickhouse, COPIED)
        for rows in rows_on(clickhouse, ws, query):
            assert rows == expected


@given(ruled=ruled_worlds(), data=st.data())
@some(16)
def test_clickhouse_makes_the_sessions_of_the_oracle(
    clickhouse: ClickHouseEngine, ruled: tuple[World, dict[str, Any]], data: st.DataObject
) -> None:
    """Stored, and made from events by every rule; by itself, by session and by person."""
    world, rules = ruled
    by = data.draw(st.sampled_from(((), ("session.entry_action",), ("country",), ("tenure_band",))))
    query = Query(metric="sessions", breakdown=by, range=Range(grain=data.draw(st.sampled_from(("day", "week")))))
    note(msgspec.json.encode(query).decode())
    expected = comparable(session_rows(world, query, **rules))
    with workspace_of(world) as ws:
        mirror(ws.engine, clickhouse, COPIED)
        for rows in rows_on(clickhouse, ws, query, ("sessions", "events")):
            assert rows == expected


QUESTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "active_users": (
        {"by": ("feature", "device.platform"), "limit": 2, "activity": "any", "start": "2025-11-01"},
        {"by": ("event.category", "plan"), "where": "event.action != 'course_enroll'"},
    ),
    "new_vs_returning": ({"new_by": "registration"},),
    "stickiness": ({"method": "mean", "window": 7}, {"method": "return"}, {"summary": "median", "grain": "week"}),
    "stickiness_by_cohort": ({"cohort": "registration"}, {"cohort": "active", "window": 3, "by": "plan", "limit": 1}),
    "active_days": ({"at_least": True}, {"unit": "week", "over_time": True, "grain": "month"}),
    "tiers": ({"scheme": "depth", "depth_threshold": 3, "with_risk": True, "grain": "week"},),
    "sessions": (
        {"grain": "week", "by": "session.type", "limit": 1},
        {"profile": "hour"},
        {"profile": "weekday", "by": "tenure_band"},
    ),
    "cohort_size": ({"by": "segment", "grain": "week"}, {"by": ("segment", "plan"), "where": "segment != 'new_user'"}),
    "actions": ({"weighted": True, "grain": "hour", "start": "2026-01-29"},),
    "lifecycle": ({"grain": "week"}, {"grain": "month", "by": "event.platform"}),
    "retention": (
        {"grain": "week", "kind": "on_or_after", "horizon": 3},
        {"grain": "month", "cohort": "recurring", "by": "plan", "min_occurrences": 3},
        {"clock": "rolling", "by": "event.platform", "limit": 1, "cohort": "first_matching", "match_breakdown": True},
        {
            "clock": "anchored",
            "kind": "bracket",
            "return_event": "quiz_attempt",
            "by": "feature",
            "cohort": "recurring",
        },
        {"cohort": "registration", "horizon": 5},
    ),
    "paths": (
        {"unit": "user", "gap": "2 hours", "by": "event.platform", "limit": 1, "top": 2},
        {"view": "matrix", "to_event": "quiz_attempt", "activity": "any", "node": "feature"},
        {
            "from_event": "login",
            "to_event": "quiz_attempt",
            "collapse": False,
            "steps": 3,
            "where": "event.action != 'course_enroll'",
        },
        {"unit": "user", "view": "matrix", "by": "tenure_band"},
        {"by": "feature", "limit": 1},
    ),
    "depth": ({"grain": "week", "by": "feature", "limit": 2}, {"activity": "any", "where": "geo.country = 'DE'"}),
    "feature_adoption": ({"window": 7, "by": "plan", "limit": 1}, {"feature": "editor", "grain": "week"}),
    "onboarding": (
        {"milestones": "video_watch -> any where device.platform = 'web'", "days": 3},
        {"milestones": [{"events": None, "times": 3}], "cohort": "first_activity", "by": "plan", "limit": 1},
    ),
    "revenue": (
        {"grain": "week", "by": "action", "limit": 2},
        {"cohort_age": "week", "events": "any", "property": "duration_seconds"},
    ),
    "usage_interval": ({"by": "feature", "limit": 1}, {"activity": "any"}),
    "survival": ({"by": "plan", "limit": 1}, {"end": "2026-01-10"}),
    "churn_risk": ({"show": "people", "top": 7}, {"window": 7, "by": "tenure_band", "limit": 1}),
    "funnel": (
        {
            "ties": "strict",
            "steps": "login -> video_watch -> any",
            "exclusions": "quiz_attempt between 1 and 3; video_watch between 2 and 3",
            "within": "2 hours",
        },
        {"ties": "sequence", "by": "event.action", "attribution": "last"},
        {"attribution": "all", "by": "device.platform", "steps": [{"events": ["login"], "times": 2}, "any"]},
        {"order": "strict", "by": "device.platform", "limit": 1},
        {"order": "any", "steps": "login -> course_enroll -> login, video_watch"},
    ),
    "funnel_trend": ({"grain": "week", "order": "strict", "ties": "sequence"},),
    "nps": ({"calendar": "quarter", "by": "plan"}, {"repeats": "all", "survey": "spring", "by": "event.survey"}),
    "experiment": (
        {"measure": "count", "event": "any", "cuped": 7, "winsorize": 90, "variants": "A=1, B=1", "within": "3 days"},
        {"measure": "sum", "property": "duration_seconds", "event": "any", "by": "event.action", "only_complete": True},
        {
            "measure": "ratio",
            "event": "video_watch",
            "per_event": "any",
            "within": "12 hours",
            "by": "plan",
            "limit": 1,
        },
        {"measure": "retention", "day": 2, "event": "any", "cuped": 3, "since": "2026-01-03T00:00:00+01:00"},
        {"measure": "active_days", "event": "any", "by": "tenure_band", "until": "2026-01-20T00:00:00Z"},
    ),
    "conversion_rate": ({"window": 7, "event": "course_enroll", "by": "device.platform", "limit": 1},),
    "time_to_convert": ({"bins": "60,600", "to_step": 2, "within": "1 day"},),
}
WAY: dict[str, Any] = {"steps": "login -> video_watch, quiz_attempt"}
ALWAYS: dict[str, dict[str, Any]] = {
    "stickiness_by_cohort": {"start": "2026-01-05"},
    "funnel": WAY,
    "funnel_trend": WAY,
    "time_to_convert": WAY,
    "survival": {"silent_days": 7},
    "experiment": {"experiment": "checkout", "event": "any", "within": "2 days"},
    "lifecycle": {"as_of": "2026-01-28"},
}
NO_BREAKDOWN = ("tier_transitions",)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A month of a small product in Berlin."""
    options = GeneratorOptions(n_users=60, days=31, start_date=date(2026, 1, 1), signups="growing")
    made = generate(options, tmp_path_factory.mktemp("raw"), "parquet")
    with regulars.open(timezone="Europe/Berlin") as ws:
        ws.load(made.users)
        ws.load(made.events)
        ws.load(list(answers_of(ws)))
        yield ws


def answers_of(ws: Workspace) -> Iterator[dict[str, Any]]:
    """Two answers of every third person, some of them none; and the variant that everybody saw, some of them two."""
    people = ws.sql("SELECT user_id FROM dim_users ORDER BY user_key").rows
    for number, (user_id,) in enumerate(people):
        for variant in "AB"[number % 2 :][: 1 + (number == 4)]:
            yield {
                "user_id": user_id, "event_type": "experiment_viewed",
                "timestamp": f"2026-01-{number % 20 + 1:02}T12:00:00Z",
                "properties": {"experiment": "checkout", "variant": variant},
            }  # fmt: skip
    for number, (user_id,) in enumerate(people[::3]):
        for day in (number % 28 + 1, number % 13 + 15):
            yield {
                "user_id": user_id, "event_type": "nps_response", "timestamp": f"2026-01-{day:02}T11:00:00Z",
                "properties": {
                    "score": (number * 7 + day) % 13 / (1 + (number == 5)), "survey": ("spring", "autumn")[day % 2],
                },
            }  # fmt: skip


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_the_same_rows_on_clickhouse(
    clickhouse: ClickHouseEngine, product: Workspace, name: str
) -> None:
    """Plain, by a stored and by a time-dependent attribute, and with its own options, from every source."""
    mirror(product.engine, clickhouse, COPIED)
    sliced = () if name in NO_BREAKDOWN else ({"by": "country", "limit": 2}, {"by": "tenure_band"})
    plain = ALWAYS.get(name, {})
    for question in ({}, *sliced, *QUESTIONS.get(name, ())):
        query = product.question(name, **plain | question)
        expected = comparable(product.query(query).rows)
        assert expected
        for rows in rows_on(clickhouse, product, query):
            assert rows == expected


def test_a_failing_statement_is_an_engine_error(clickhouse: ClickHouseEngine) -> None:
    """The driver's error is the cause, its first line the message."""
    with pytest.raises(EngineError, match="ClickHouse could not answer the query"):
        clickhouse.query("SELECT nothing FROM nowhere")


FUNNEL = {"steps": "login -> video_watch -> any -> quiz_attempt", "order": "strict"}


def test_a_statement_can_be_run_whole(clickhouse: ClickHouseEngine, product: Workspace) -> None:
    """As one who prints it runs it, and as a client without a session has to; text that looks like SQL stays text."""
    mirror(product.engine, clickhouse, COPIED)
    for more in ({}, {"where": "plan != 'x\n),\nmarks AS MATERIALIZED (\n'"}):
        query = product.question("funnel", **FUNNEL, **more)
        expected = comparable(product.query(query).rows)
        ((planned, text, context),) = plans_of_each(product, query, CLICKHOUSE)
        for sql in (text, str(text)):
            assert comparable(result_rows(planned, clickhouse.query(sql).rows, context.timezone)) == expected


def test_threads_take_turns(clickhouse: ClickHouseEngine, product: Workspace) -> None:
    """The stages of one question never meet those of another, and nothing of them is left."""
    mirror(product.engine, clickhouse, COPIED)
    asked: dict[str, dict[str, Any]] = {"funnel": FUNNEL, "paths": {}, "retention": {}}
    queries = [product.question(metric, **options) for metric, options in asked.items()]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda query: next(rows_on(clickhouse, product, query)), queries * 4))
    assert found == [comparable(product.query(query).rows) for query in queries] * 4
    assert clickhouse.query("SELECT count() FROM system.tables WHERE is_temporary").rows == [(0,)]


def test_a_failing_stage_is_an_engine_error_and_leaves_nothing(clickhouse: ClickHouseEngine) -> None:
    """Those before it are gone."""
    broken = with_relations({"fine": "SELECT 1 AS x", "bad": "SELECT x FROM nowhere"},
                            "SELECT a.x FROM fine a, fine b, bad c, bad d")  # fmt: skip
    with pytest.raises(EngineError, match="ClickHouse could not answer the query") as caught:
        clickhouse.query(render(Values().bind(broken), CLICKHOUSE))
    assert "nowhere" in str(caught.value)
    assert type(caught.value.fields["sql"]) is str
    assert clickhouse.query("SELECT count() FROM system.tables WHERE is_temporary").rows == [(0,)]


def test_one_question_has_one_answer_by_every_road(clickhouse: ClickHouseEngine, tmp_path: Path) -> None:
    """Command line, Python, and the printed SQL run by hand on DuckDB and on ClickHouse give the same rows."""
    shop = tmp_path / "shop"
    made = generate(GeneratorOptions(n_users=150, days=60, signups="growing"), tmp_path / "raw", "parquet")
    question = ["metric", "active_users", "--window", "28", "--by", "country", "-w", str(shop)]
    assert call("init", shop).code == 0
    assert call("import", made.users, made.events, "-w", shop).code == 0

    told = call(*question, "--format", "json").json["rows"]
    with regulars.open(shop, read_only=True) as ws:
        python = [{**row, "date": str(row["date"])} for row in ws.active_users(window=28, by="country").to_dicts()]
        mirror(ws.engine, clickhouse, COPIED)
    printed = call(*question, "--sql").out
    with duckdb.connect(str(shop / "regulars.duckdb"), read_only=True) as hand:
        by_hand = hand.execute(printed).fetchall()
    served = clickhouse.query(call(*question, "--sql", "--engine", "clickhouse").out).rows

    assert told == python
    bare = [(row["date"], row["country"], row["active_users"]) for row in told]
    assert [(str(date), country, count) for date, country, count, _ in by_hand] == bare
    assert [(str(date), country, count) for date, country, count, _ in served] == bare
    assert sum(count for _, _, count in bare) > 0


@given(world=cohort_worlds(), data=st.data())
@some(25)
def test_clickhouse_knows_who_belongs(clickhouse: ClickHouseEngine, world: World, data: st.DataObject) -> None:
    """Cohorts and segments as filter and breakdown, from every source."""
    query = data.draw(cohort_queries(world))
    note(msgspec.json.encode(query).decode())
    try:
        expected = comparable(answer(world, query))
    except RefusedError:
        assume(False)
    with workspace_of(world) as ws:
        mirror(ws.engine, clickhouse, COPIED)
        for rows in rows_on(clickhouse, ws, query):
            assert rows == expected


def test_a_frozen_cohort_has_the_same_people_on_clickhouse(clickhouse: ClickHouseEngine) -> None:
    """As filter, as breakdown, and by its size."""
    events = [
        {"user_id": name, "event_type": "like", "timestamp": f"2026-01-0{day}T09:00:00Z"}
        for name, day in (("ada", 1), ("ada", 3), ("ben", 2), ("cem", 3))
    ]
    with regulars.open() as ws:
        ws.load(events)
        ws.freeze_cohort(users=["ada", "ben"], as_="chosen")
        mirror(ws.engine, clickhouse, COPIED)
        for name, more in (("active_users", {"by": "cohort.chosen"}), ("active_users", {"where": "cohort.chosen"}),
                           ("cohort_size", {"cohort": "chosen"})):  # fmt: skip
            query = ws.question(name, start="2026-01-01", **more)
            expected = comparable(ws.query(query).rows)
            assert expected
            assert next(rows_on(clickhouse, ws, query)) == expected
