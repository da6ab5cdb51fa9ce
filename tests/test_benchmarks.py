"""The benchmark harness, end to end on a size that takes seconds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.records import Measurement, Sample, Target, measurement_of
from benchmarks.report import BEGIN, END, write_table
from benchmarks.turns import Contender, RowsDifferError, take_turns

ROOT = Path(__file__).parents[1]
RUN_KEYS = {"size", "users", "days", "seed", "events", "date", "machine", "measurements"}
MACHINE_KEYS = {"cores", "memory_gb", "python", "duckdb", "clickhouse", "regulars"}
MEASUREMENT_KEYS = {
    "id", "workload", "what", "unit", "regulars", "peer", "ratio", "ratio_means", "target", "met", "rows_compared",
}  # fmt: skip
SAMPLE_KEYS = {"name", "median", "min", "max", "runs"}


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
        "W1", "W1.engine", "W1.usual", "W2", "W2.engine", "W3.clickhouse", "W3.duckdb", "W5", "W5.memory",
    ]  # fmt: skip
    assert found["W1"]["rows_compared"] == found["W2"]["rows_compared"] == 4 * run[1]["days"]
    assert found["W3.duckdb"]["rows_compared"] > run[1]["days"]
    assert found["W5"]["rows_compared"] == run[1]["events"]


def test_the_file_of_a_run_is_as_documented(run):
    """Keys, units and samples; nothing says whose machine it was."""
    _, result = run
    assert result.keys() == RUN_KEYS
    assert result["machine"].keys() == MACHINE_KEYS
    assert str(ROOT) not in json.dumps(result)
    for one in result["measurements"]:
        assert one.keys() == MEASUREMENT_KEYS
        assert one["unit"] in {"s", "MiB"}
        for sample in filter(None, (one["regulars"], one["peer"])):
            assert sample.keys() == SAMPLE_KEYS
            assert 0 < sample["min"] <= sample["median"] <= sample["max"]
            assert sample["runs"] == 2
        assert measurement_of(one).as_json() == one


def test_every_documented_key_is_in_the_file(run):
    """The page names each key once, in the tables at its end."""
    page = (ROOT / "docs" / "performance.md").read_text().partition("## The file of a run")[2]
    documented = {
        name for line in page.splitlines() if line.startswith("| `") for name in line.split("|")[1].split("`")
    }
    assert {name for name in documented if name.strip(", ")} - {" "} == RUN_KEYS | MEASUREMENT_KEYS


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
