"""The benchmark harness, end to end on a size that takes seconds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pytest

import regulars
from benchmarks.dataset import ALL_SIZES, event_log
from benchmarks.growth import growth_of
from benchmarks.newday import derived_rows, short_history, write_new_days
from benchmarks.overview import load_page
from benchmarks.records import Measurement, Sample, Target, measurement_of
from benchmarks.report import BEGIN, END, tables, write_table
from benchmarks.store import merge_result, read_result
from benchmarks.turns import Contender, RowsDifferError, take_turns

ROOT = Path(__file__).parents[1]
FILE_KEYS = {"size", "users", "days", "seed", "events", "runs", "measurements"}
RUN_KEYS = {"date", "machine", "workloads"}
MACHINE_KEYS = {"cores", "memory_gb", "python", "duckdb", "clickhouse", "regulars"}
MEASUREMENT_KEYS = {
    "id", "workload", "what", "unit", "regulars", "peer", "ratio", "ratio_means", "target", "met", "rows_compared",
    "parts",
}  # fmt: skip
SAMPLE_KEYS = {"name", "median", "min", "max", "runs", "p95"}
PAGE_LOADS = 20
LOG = {"size": "S", "users": 5, "days": 365, "seed": 7, "events": 1000}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run of every workload: its folder, and its result file."""
    pytest.importorskip("chdb")
    folder = tmp_path_factory.mktemp("benchmarks")
    shutil.copy(ROOT / "docs" / "performance.md", folder / "page.md")
    command = [sys.executable, "-m", "benchmarks", "--size", "XS", "--runs", "2"]
    command += ["--out", folder / "results", "--data", folder / "data", "--page", folder / "page.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return folder, json.loads((folder / "results" / "XS.json").read_text())


@pytest.fixture
def contender():
    return lambda name, *rows: Contender(name, lambda: None, lambda _: list(rows))


def test_every_workload_is_measured_on_equal_rows(run):
    """The harness stops at a difference, so every number of compared rows is a promise that was kept."""
    found = {one["id"]: one for one in run[1]["measurements"]}
    assert list(found) == [
        "W1", "W1.engine", "W1.usual", "W2", "W2.engine", "W3.clickhouse", "W3.duckdb",
        "W4", "W4.aggregates", "W4.others", "W5", "W5.memory", "W6", "W6.late", "W6.history", "W6.load",
        "W7.single", "W7.single.p99", "W7.single.seen", "W7.batch", "W7.batch.p99", "W7.batch.seen", "W7.memory",
        *(f"W8.{work}.{peer}" for work in ("retention", "lifecycle", "funnel", "sessions")
          for peer in ("duckdb", "clickhouse")),
        "W9", "W10.memory", "W10.start", "W10.help", "W10.import", "W11", "W11.add", "W11.first",
    ]  # fmt: skip
    assert found["W1"]["rows_compared"] == found["W2"]["rows_compared"] == 4 * run[1]["days"]
    assert found["W3.duckdb"]["rows_compared"] > run[1]["days"]
    assert found["W4"]["rows_compared"] == 2 * 90 + 1
    assert found["W5"]["rows_compared"] == run[1]["events"]
    assert found["W8.lifecycle.duckdb"]["rows_compared"] == run[1]["days"]
    assert found["W9"]["rows_compared"] > run[1]["days"]
    assert found["W11"]["rows_compared"] == 20
    assert found["W11.add"]["rows_compared"] == run[1]["days"]
    assert found["W6"]["rows_compared"] == found["W6.late"]["rows_compared"] > 0


def test_the_page_names_its_slowest_tile(run):
    """The target for tiles is held against the slowest of those that read aggregates; the parts show them all."""
    page, stored, others = (one for one in run[1]["measurements"] if one["workload"] == "W4")
    from_aggregates = [part for part in page["parts"] if part["source"] == "aggregates"]
    assert {part["name"] for part in from_aggregates} == {
        "dau", "wau", "mau", "stickiness", "new_vs_returning", "tiers",
    }  # fmt: skip
    assert {part["name"] for part in page["parts"]} - {part["name"] for part in from_aggregates} == {
        "freshness", "at_risk", "sessions",
    }  # fmt: skip
    assert stored["regulars"]["median"] == max(part["median"] for part in from_aggregates)
    slowest = max(page["parts"], key=lambda part: part["median"])
    assert slowest["name"] in {stored["regulars"]["name"], others["regulars"]["name"]}
    assert page["regulars"]["median"] > slowest["median"]
    assert page["target"]["figure"] == "p95"
    assert page["met"] == (page["regulars"]["p95"] <= 0.15)


def test_a_refresh_is_a_part_of_its_load(run):
    """Both are taken of the same calls, so the refresh is the shorter one."""
    found = {one["id"]: one["regulars"] for one in run[1]["measurements"]}
    assert 0 < found["W6"]["min"] < found["W6.load"]["min"]
    assert found["W6"]["median"] < found["W6.load"]["median"]


def test_the_file_of_a_size_is_as_documented(run):
    """Keys, units and samples; nothing says whose machine it was."""
    _, result = run
    assert result.keys() == FILE_KEYS
    assert [one["workloads"] for one in result["runs"]] == [[f"W{number}" for number in range(1, 12)]]
    assert result["runs"][0].keys() == RUN_KEYS
    assert result["runs"][0]["machine"].keys() == MACHINE_KEYS
    assert str(ROOT) not in json.dumps(result)
    for one in result["measurements"]:
        assert one.keys() == MEASUREMENT_KEYS
        assert one["unit"] in {"s", "MiB", "requests/s", "events/s"}
        for sample in filter(None, (one["regulars"], one["peer"])):
            assert sample.keys() == SAMPLE_KEYS
            assert 0 < sample["min"] <= sample["median"] <= sample["max"]
            assert sample["runs"] == {"W4": PAGE_LOADS, "W7": 1, "W10": 1}.get(one["workload"], 2)
            assert (sample["p95"] is None) == (sample["runs"] < PAGE_LOADS)
        assert measurement_of(one).as_json() == one


def test_every_documented_key_is_in_the_file(run):
    """The page names each key once, in the tables at its end."""
    page = (ROOT / "docs" / "performance.md").read_text().partition("## The file of a size")[2]
    documented = {
        name for line in page.splitlines() if line.startswith("| `") for name in line.split("|")[1].split("`")
    }
    assert {name for name in documented if name.strip(", ")} - {" "} == FILE_KEYS | RUN_KEYS | MEASUREMENT_KEYS


def test_the_table_stands_between_the_markers(run):
    """One line per measurement; what stands around the markers stays."""
    page = (run[0] / "page.md").read_text()
    _, _, table = page.partition(BEGIN)[2].partition(END)[0].partition("### Size XS")
    assert [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| W")] == [
        f"| {one['id']}" for one in run[1]["measurements"]
    ]
    assert page.endswith((ROOT / "docs" / "performance.md").read_text().partition(END)[2])


def test_only_the_event_log_stays(run):
    """Databases of a run are gone after it."""
    assert [path.name for path in (run[0] / "data").iterdir()] == ["events-XS-7.parquet"]


def test_the_documentation_has_the_tables_of_the_stored_results():
    """Whoever puts results into the repository puts their tables there too."""
    page = (ROOT / "docs" / "performance.md").read_text()
    assert page.partition(BEGIN)[2].partition(END)[0] == f"\n{tables(ROOT / 'benchmarks' / 'results')}"


def test_a_page_without_markers_is_refused(tmp_path):
    """A table is never put just anywhere."""
    (tmp_path / "page.md").write_text("Nothing here.")
    with pytest.raises(ValueError, match="needs the lines"):
        write_table(tmp_path / "page.md", tmp_path)


@pytest.mark.parametrize("rows", [[(1, 2)], [(1, 2), (2, 4)], [(1, 2), (2, 3), (3, 3)]])
def test_contenders_that_differ_are_not_timed(contender, rows):
    """A changed, a missing and an additional row each stop the run."""
    with pytest.raises(RowsDifferError):
        take_turns([contender("one", (1, 2), (2, 3)), contender("other", *rows)], runs=2)


def test_contenders_without_rows_are_not_timed(contender):
    """Equal because empty proves nothing."""
    with pytest.raises(RowsDifferError, match="no rows"):
        take_turns([contender("one"), contender("other")], runs=2)


@pytest.mark.parametrize(
    ("sense", "limit", "ratio", "met"),
    [
        ("at least", 4, 4.0, True),
        ("at least", 5, 4.0, False),
        ("at most", 0.25, 0.25, True),
        ("at most", 0.2, 0.25, False),
    ],
)
def test_a_target_is_held_against_the_ratio_of_the_medians(sense, limit, ratio, met):
    """Times faster with ``at least``, times the peer's with ``at most``."""
    own, peer = Sample.of("own", [3.0, 2.0, 1.0]), Sample.of("peer", [9.0, 8.0, 7.0])
    one = Measurement("W0", "W0", "work", "s", own, peer, Target(sense, limit), sense)
    assert (one.ratio, one.met) == (ratio, met)


@pytest.mark.parametrize(("own", "met"), [(0.5, True), (0.51, False)])
def test_a_short_time_meets_a_target_whatever_its_ratio(own, met):
    """The ratio is 5 and more, so only the seconds can decide."""
    target = Target("at most", 0.01, or_at_most=0.5)
    one = Measurement("W0", "W0", "work", "s", Sample.of("own", [own]), Sample.of("peer", [0.1]), target, "at most")
    assert one.met is met


def test_p95_is_what_19_of_20_do_not_exceed():
    """Of fewer values it is undefined, and a target for it is neither met nor missed."""
    assert Sample.of("own", [float(n) for n in range(20, 0, -1)]).p95 == 19.0
    assert Sample.of("own", [float(n) for n in range(1, 41)]).p95 == 38.0
    few = Sample.of("own", [1.0] * 19)
    assert few.p95 is None
    assert Measurement("W0", "W0", "work", "s", few, target=Target("at most", 9, "p95")).met is None


def measured(id_, median, peer=None):
    """A measurement in its JSON form."""
    peer = None if peer is None else Sample.of("peer", [peer])
    return Measurement(id_, id_.partition(".")[0], "work", "s", Sample.of("own", [median]), peer).as_json()


def test_a_part_of_the_workloads_replaces_only_itself(tmp_path):
    """What was measured before stays, with its date and machine, until it is measured again."""
    path = tmp_path / "S.json"
    first, second = {"date": "2026-01-01", "machine": {"cores": 2}}, {"date": "2026-01-02", "machine": {"cores": 4}}
    merge_result(path, LOG, first, [measured("W1", 1.0), measured("W1.old", 1.0), measured("W5", 5.0)])
    merge_result(path, LOG, second, [measured("W4", 4.0)])
    merge_result(path, LOG, second, [measured("W1", 2.0)])
    found = read_result(path)
    assert [(one["id"], one["regulars"]["median"]) for one in found["measurements"]] == [
        ("W1", 2.0), ("W4", 4.0), ("W5", 5.0),
    ]  # fmt: skip
    assert found["runs"] == [{**first, "workloads": ["W5"]}, {**second, "workloads": ["W1", "W4"]}]


def test_results_of_another_log_do_not_mix(tmp_path):
    """Times of fewer events beside those of more would compare what cannot be compared."""
    path, run = tmp_path / "S.json", {"date": "2026-01-01", "machine": {"cores": 2}}
    merge_result(path, LOG, run, [measured("W1", 1.0)])
    merge_result(path, {**LOG, "events": 2000}, run, [measured("W5", 5.0)])
    found = read_result(path)
    assert (found["events"], [one["id"] for one in found["measurements"]]) == (2000, ["W5"])


def test_a_file_of_a_single_run_is_still_read(tmp_path):
    """Files had one date and one machine before there were runs in them."""
    path, machine = tmp_path / "S.json", dict.fromkeys(MACHINE_KEYS, 2)
    one = {name: value for name, value in measured("W5", 5.0, peer=2.0).items() if name != "parts"}
    for sample in (one["regulars"], one["peer"]):
        del sample["p95"]
    path.write_text(json.dumps({**LOG, "date": "2026-01-01", "machine": machine, "measurements": [one]}))
    assert "| W5 | work | 5 s (5 to 5, 1 runs) |" in tables(tmp_path)
    merge_result(path, LOG, {"date": "2026-01-02", "machine": machine}, [measured("W1", 1.0)])
    found = read_result(path)
    assert found.keys() == FILE_KEYS
    assert [(one["date"], one["workloads"]) for one in found["runs"]] == [
        ("2026-01-01", ["W5"]),
        ("2026-01-02", ["W1"]),
    ]
    assert "- W5: 2026-01-01: 2 cores" in tables(tmp_path)


def test_growth_is_the_power_of_the_rows(tmp_path):
    """Of W5 with the power 1.1, of the rebuild with 1.5 after 1; what one size has tells nothing."""
    run = {"date": "2026-01-01", "machine": dict.fromkeys(MACHINE_KEYS, 2)}
    for size, events, rebuild in (("S", 10**3, 1.0), ("M", 10**4, 10.0), ("L", 10**6, 10_000.0)):
        found = [measured("W5", events**1.1 / 1000), measured("W6", 0.5, peer=rebuild)]
        found += [measured("W1", 1.0)] if size == "M" else []
        merge_result(tmp_path / f"{size}.json", {**LOG, "size": size, "events": events}, run, found)
    results = [read_result(tmp_path / f"{size}.json") for size in ("S", "M", "L")]
    imports, rebuild, new_day = growth_of(results)
    assert imports.overall == pytest.approx(1.1, abs=1e-4)
    assert rebuild.steps == {("S", "M"): pytest.approx(1.0), ("M", "L"): pytest.approx(1.5)}
    assert (rebuild.overall, new_day.overall) == (pytest.approx(4 / 3), 0.0)
    table = tables(tmp_path).partition("### Growth")[2]
    assert "| | Work | S to M | M to L | Overall | Target |" in table
    assert "| W5 | import | 1.10 | 1.10 | 1.10 | at most 1.1: met |" in table
    assert "| W6 | rebuild of everything derived | 1.00 | 1.50 | 1.33 | at most 1.1: **not met** |" in table


def test_new_days_follow_the_log_and_some_of_their_events_are_late(tmp_path):
    """The same people, new ids, one day each; one event in a hundred lies before, inside the history."""
    size = ALL_SIZES["XS"]
    log = event_log(size, tmp_path)
    made = write_new_days(size, log, tmp_path, 2)
    first, last = date.fromisoformat(size.first_day), date.fromisoformat(size.last_day)
    ids, people = (set(_column(log, name)) for name in ("event_id", "user_id"))
    for number, path in enumerate([*made["new"], *made["late"]]):
        days = [instant.date() for instant in _column(path, "event_time")]
        early = [day for day in days if day != last + timedelta(days=1 + number)]
        assert len(early) == (-(-len(days) // 100) if path in made["late"] else 0)
        assert all(first <= day <= last + timedelta(days=number) for day in early)
        assert len({*_column(path, "event_id")} - ids) == len(days)
        assert set(_column(path, "user_id")) & people
        ids |= {*_column(path, "event_id")}
    begin = datetime.combine(last - timedelta(days=short_history(size) - 1), time())
    kept = [instant for instant in _column(log, "event_time") if instant >= begin]
    assert _column(made["history"], "event_time") == kept


def _column(path, name):
    return [value for (value,) in duckdb.execute(f"SELECT {name} FROM '{path}'").fetchall()]


@pytest.fixture
def workspace():
    """Three people over five days."""
    days = {"ada": (1, 2, 5), "bob": (1, 5), "eve": (2,)}
    rows = [
        {"user_id": user, "event_type": "like", "timestamp": f"2026-01-0{day}T09:00:00Z"}
        for user, active in days.items()
        for day in active
    ]
    with regulars.open() as ws:
        ws.load(rows)
        yield ws


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE arrivals SET days_since_prior = 2 WHERE days_since_prior = 1",
        "UPDATE daily_activity SET engagement_score = engagement_score + 0.01 WHERE user_key = 1",
        "DELETE FROM user_sessions WHERE session_start = (SELECT max(session_start) FROM user_sessions)",
        "INSERT INTO event_days SELECT * FROM event_days LIMIT 1",
    ],
)
def test_a_derived_row_that_differs_is_noticed(workspace, change):
    """Changed, missing and doubled rows; the order of rows is none of them."""
    before = derived_rows(workspace)
    with workspace.engine.transaction():
        workspace.engine.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM arrivals")
        workspace.engine.execute("DELETE FROM arrivals")
        workspace.engine.execute("INSERT INTO arrivals SELECT * FROM kept ORDER BY day DESC, user_key DESC")
    assert derived_rows(workspace) == before
    with workspace.engine.transaction():
        workspace.engine.execute(change)
    assert len(set(derived_rows(workspace)) - set(before)) == 1


@pytest.mark.parametrize(
    ("tile", "column"),
    [("dau", "active_users"), ("mau", "active_users"), ("stickiness", "numerator"), ("stickiness", "denominator"),
     ("new_vs_returning", "active_users"), ("tiers", "users"), ("at_risk", "users")],
)  # fmt: skip
def test_a_page_whose_tiles_disagree_is_not_timed(workspace, tile, column):
    """Each of the numbers that two tiles show."""
    page = load_page(workspace)
    assert page.rows_that_agree() == 2 * 90 + 1
    result = page.answers[tile]
    at = next(
        place for place, row in enumerate(result.rows) if row.get("tier") != "dormant" and row[column] is not None
    )
    wrong = [{**row, column: row[column] + 1} if place == at else row for place, row in enumerate(result.rows)]
    altered = replace(page, answers={**page.answers, tile: replace(result, rows=wrong)})
    with pytest.raises(RowsDifferError):
        altered.rows_that_agree()
