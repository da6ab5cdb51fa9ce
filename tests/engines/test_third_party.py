"""An engine of another package: found by its entry point, asked for every answer, never told about a metric."""

import logging
import tomllib
from datetime import UTC, datetime
from threading import Thread

import duckdb
import pytest

import regulars
from regulars.domain.metrics import METRICS
from regulars.errors import EngineError, QueryError, UnknownNameError
from regulars.infrastructure.engines.clickhouse import ClickHouseEngine
from regulars.infrastructure.engines.registry import engine_names
from regulars.settings import EngineSettings, Settings
from tests.test_docs import blocks

pytest.importorskip("pyarrow")
NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
NAME = "logged-duckdb"
EVENTS = [
    {"user_id": f"u{n % 5}", "event_type": ("like", "view", "purchase")[n % 3], "country": ("DE", "FR")[n % 2],
     "timestamp": f"2026-01-{1 + n % 19:02}T{n % 24:02}:30:00Z", "event_id": f"e{n}"}
    for n in range(120)
]  # fmt: skip


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package of docs/engines.md, as it lies there once it is installed."""
    (source,) = [text for text in blocks("engines.md", "python") if "class LoggedDuckDB" in text]
    (points,) = [text for text in blocks("engines.md", "toml") if "entry-points" in text]
    ((name, target),) = tomllib.loads(points)["project"]["entry-points"]["regulars.engines"].items()
    site = tmp_path / "site"
    info = site / "logged_duckdb-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "logged_duckdb.py").write_text(source)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: logged-duckdb\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[regulars.engines]\n{name} = {target}\nbroken = nowhere:nothing\n"
                                           "half = logged_duckdb:Snapshot\n")  # fmt: skip
    monkeypatch.syspath_prepend(site)
    return site


def opened(**keywords):
    return regulars.open(clock=lambda: NOON, **keywords)


def slow(**options):
    return Settings(engine=EngineSettings(name=NAME, options={"slower_than": 0.0, **options}))


def test_an_installed_engine_answers_every_metric_as_the_embedded_one_does(package):
    asked = 0
    with opened(settings=slow()) as ws, opened() as plain:
        ws.load(EVENTS)
        plain.load(EVENTS)
        for name in METRICS:
            for keywords in ({}, {"by": "country"}, {"steps": ["like", "view"]}, {"start": "2026-01-03"}):
                try:
                    expected = plain.metric(name, **keywords)
                except QueryError:
                    continue
                found = ws.metric(name, **keywords)
                assert (found.rows, found.warnings) == (expected.rows, expected.warnings), name
                asked += bool(found.rows)
    assert asked > len(METRICS)


def test_the_engine_is_really_asked(package, caplog):
    caplog.set_level(logging.INFO, "regulars.slow")
    with opened(settings=slow()) as ws:
        ws.load(EVENTS)
        sql = ws.active_users().sql
    assert any(sql in record.getMessage() for record in caplog.records)


def test_what_changes_is_there_in_the_next_answer(package):
    with opened(settings=slow()) as ws:
        counts = []
        for n in range(3):
            ws.track(f"u{n}", "like")
            counts.append(ws.active_users(start="2026-01-20").rows[0]["active_users"])
        ws.set_population("u0", "test")
        counts.append(ws.active_users(start="2026-01-20").rows[0]["active_users"])
    assert counts == [1, 2, 3, 2]


def test_the_people_behind_a_cell_come_from_the_engine_too(package):
    with opened(settings=slow()) as ws:
        ws.load(EVENTS)
        assert ws.active_users(window=7).users() == ["u0", "u1", "u2", "u3", "u4"]


def test_the_copy_is_made_once_per_change(package, monkeypatch):
    with opened(settings=slow()) as ws:
        ws.load(EVENTS)
        replaced = []
        target = ws._served._target
        replace = target.replace
        target.replace = lambda table, rows: replaced.append(table) or replace(table, rows)
        for _ in range(3):
            ws.active_users()
        once = len(replaced)
        assert len(set(replaced)) == once
        ws.track("u1", "like")
        ws.active_users()
        assert len(replaced) == 2 * once - 1
        assert replaced.count("dim_dates") == 1


def test_threads_that_ask_while_others_track_get_whole_copies(package):
    seen, errors = [], []
    with opened(settings=slow()) as ws:
        # Every load brings two people, so an odd number of them was never committed.
        pairs = [[{"user_id": f"{n}-{side}", "event_type": "like", "timestamp": "2026-01-20T09:00:00Z"}
                  for side in "ab"] for n in range(6)]  # fmt: skip
        ws.load(pairs[0])

        def ask():
            try:
                seen.extend(ws.active_users(start="2026-01-20").rows[0]["active_users"] for _ in range(5))
            except Exception as exc:  # noqa: BLE001 -- shown below
                errors.append(exc)

        threads = [Thread(target=ask) for _ in range(2)]
        threads += [Thread(target=lambda: [ws.load(pair) for pair in pairs[1:]])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ws.active_users(start="2026-01-20").rows[0]["active_users"] == 12
    assert errors == []
    assert {count % 2 for count in seen} == {0}


def test_a_folder_names_its_engine_in_the_settings_and_a_program_may_choose_another(package, tmp_path):
    folder = regulars.init(tmp_path / "shop")
    with (folder / "regulars.toml").open("a") as file:
        file.write(f'[engine]\nname = "{NAME}"\noptions = {{ path = "{tmp_path / "copy.duckdb"}" }}\n')
    with regulars.open(folder, clock=lambda: NOON) as ws:
        ws.load(EVENTS)
        assert ws.active_users(window=30).rows[-1]["active_users"] == 5
    with duckdb.connect(str(tmp_path / "copy.duckdb")) as copy:
        assert copy.execute("SELECT count(*) FROM fact_user_actions").fetchone() == (120,)
    with regulars.open(folder, clock=lambda: NOON, engine="duckdb", read_only=True) as ws:
        assert ws._served is None
        assert ws.active_users(window=30).rows[-1]["active_users"] == 5


def test_an_engine_that_a_program_made_itself_serves():
    client = pytest.importorskip("clickhouse_connect").get_client(interface="chdb")
    with opened(engine=ClickHouseEngine(client)) as ws, opened() as plain:
        for each in (ws, plain):
            each.load(EVENTS)
        assert ws.active_users(by="country").rows == plain.active_users(by="country").rows
        for each in (ws, plain):
            each.track("u9", "like", country="PL")
        assert ws.active_users(by="country").rows == plain.active_users(by="country").rows


def test_an_unknown_engine_is_refused_with_what_is_installed(package):
    assert engine_names() == ["broken", "clickhouse", "duckdb", "half", NAME]
    with pytest.raises(UnknownNameError, match=f"installed are: broken, clickhouse, duckdb, half, {NAME}") as raised:
        opened(engine="oracle")
    assert raised.value.code == "unknown_engine"


def test_a_workspace_whose_engine_is_unknown_stays_unlocked(tmp_path):
    folder = regulars.init(tmp_path / "shop")
    with pytest.raises(UnknownNameError):
        regulars.open(folder, engine="oracle")
    regulars.open(folder).close()


@pytest.mark.parametrize(
    ("name", "words"),
    [("broken", "nowhere"), (NAME, "could not be made"), ("half", "could not be made")],
)
def test_a_package_that_fails_is_named(package, name, words):
    own = Settings(engine=EngineSettings(name=name, options={"colour": "red"}))
    with pytest.raises(EngineError, match=words) as raised:
        opened(settings=own)
    assert raised.value.code == "bad_engine"


def test_what_is_no_engine_is_refused_with_what_it_lacks():
    with pytest.raises(EngineError, match="has no dialect, query, snapshot") as raised:
        opened(engine=object())
    assert raised.value.code == "bad_engine"


def test_a_library_that_is_not_installed_is_said_as_such(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "clickhouse_connect", None)
    with pytest.raises(regulars.errors.MissingExtraError, match="clickhouse"):
        opened(engine="clickhouse")
