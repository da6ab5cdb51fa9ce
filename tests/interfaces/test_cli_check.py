"""``regulars check``: what failed comes first, with the count, a sample and the next step."""

import csv
import io
import json

import duckdb
import pytest

import regulars
from regulars.domain.quality.catalogue import CHECKS
from regulars.interfaces.cli.findings import _cell
from regulars.synthetic.generate import generate
from regulars.synthetic.options import GeneratorOptions
from tests.interfaces.cli import call, make_workspace, one_line

BAD = "user_id,event_type,timestamp,quiz_score\nada,quiz_attempt,2026-03-02T08:15:00Z,101\nada,login,never,\n"


@pytest.fixture
def shop(tmp_path):
    return make_workspace(tmp_path)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "raw"
    generate(GeneratorOptions(n_users=60, days=40), folder)
    return folder


def prepared(raw, folder, *broken):
    """What ``regulars prepare`` makes of generated files, changed afterwards by statements on ``daily``."""
    assert call("prepare", raw, "--out", folder).code == 0
    path = folder / "user_daily.csv"
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE daily AS FROM '{path}'")
        for statement in broken:
            database.execute(statement)
            database.execute(f"COPY daily TO '{path}'")
    return folder


def test_a_workspace_without_faults_exits_with_0_and_its_results_are_kept(shop):
    """The summary is the last line, what passed and why others were skipped stands above it."""
    done = call("check", "-w", shop)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "4 events of 3 people, 2026-03-02 to 2026-03-04"
    assert "INFO    few_events: Too few events" in lines
    assert any(line.startswith("passed   rejected_rows, ") for line in lines)
    assert "skipped  client_sessions -- no event has a session id of the client" in lines
    assert lines[-1].startswith("1 info, ")
    with regulars.open(shop, read_only=True) as ws:
        assert ws.sql("SELECT count(*) FROM check_results WHERE occasion = 'check'").rows == [(len(CHECKS),)]


def test_a_failed_error_exits_with_1_and_says_what_to_do(shop, tmp_path):
    """The check, how many of how many, a row, and the next step; the import said so already."""
    (tmp_path / "bad.csv").write_text(BAD)
    told = call("import", tmp_path / "bad.csv", "-w", shop)
    assert "  checks failed: rejected_rows (error, 1); more with: regulars check" in told.out.splitlines()
    done = call("check", "-w", shop)
    assert done.code == 1
    lines = done.out.splitlines()
    place = lines.index("ERROR   rejected_rows: Rows that could not be loaded")
    assert lines[place + 1] == "  1 of 9 rows (11 %); allowed: 1 %"
    assert lines[place + 2].split() == ["reason", "found", "source", "line", "detail"]
    assert lines[place + 4].split()[:4] == ["bad_time", "1", "bad.csv", "3"]
    assert lines[place + 5].startswith("  next: look at the rows in `dead_letter`")
    assert any(line.startswith("ERROR   out_of_range") for line in lines)
    assert lines[-1].startswith("2 errors, 1 info, ")


def test_fail_on_decides_from_which_severity_on_it_fails(shop, tmp_path):
    """An unknown type is a warning, few events are worth knowing."""
    assert call("check", "-w", shop, "--fail-on", "info").code == 1
    (tmp_path / "more.csv").write_text("user_id,event_type,timestamp\nada,dance,2026-03-02T08:15:00Z\n")
    assert call("import", tmp_path / "more.csv", "-w", shop).code == 0
    assert call("check", "-w", shop).code == 0
    assert call("check", "-w", shop, "--fail-on", "warning").code == 1


def test_only_named_checks_run_and_an_unknown_one_is_a_usage_error(shop):
    """--only can be repeated."""
    done = call("check", "-w", shop, "--only", "late_events", "--only", "future_times", "-q")
    assert (done.code, done.out) == (0, "\n1 passed, 1 skipped\n")
    wrong = call("check", "-w", shop, "--only", "late_event")
    assert wrong.code == 2
    assert one_line(wrong.err)
    assert "did you mean 'late_events'?" in wrong.err


def test_json_and_csv_hold_every_check(shop, tmp_path):
    """One object or row per check; a file's ending chooses."""
    found = call("check", "-w", shop, "--format", "json").json
    assert [each["check"] for each in found["results"]] == list(CHECKS)
    few = next(each for each in found["results"] if each["check"] == "few_events")
    assert (few["status"], few["sample"]) == ("failed", [{"events": 4, "people": 3, "found": 1}])
    assert found["run_id"] > 0
    assert call("check", "-w", shop, "--output", tmp_path / "report.csv").code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "report.csv").read_text())))
    assert [row["check"] for row in rows] == list(CHECKS)
    assert call("check", "-w", shop, "--output", tmp_path / "report.txt").code == 0
    assert "few_events" in (tmp_path / "report.txt").read_text()
    refused = call("check", "-w", shop, "--output", tmp_path / "report.parquet")
    assert (refused.code, one_line(refused.err)) == (2, True)


def test_without_storing_it_reads_only(shop):
    """Beside another reader, and without the right to write."""
    with regulars.open(shop, read_only=True) as ws:
        quiet = call("check", "-w", shop, "--no-store")
        assert (quiet.code, quiet.err) == (0, "")
        told = call("check", "-w", shop)
        assert (told.code, told.err) == (
            0, "note: another process reads this workspace, so the results are not kept\n",
        )  # fmt: skip
        assert ws.sql("SELECT count(*) FROM check_results WHERE occasion = 'check'").rows == [(0,)]


def test_a_workspace_that_somebody_writes_to_is_one_line(shop):
    """Nothing can be read then."""
    with regulars.open(shop):
        done = call("check", "-w", shop)
    assert (done.code, one_line(done.err)) == (3, True)


def test_generated_files_pass(raw):
    """generate, check: exit code 0, and no workspace is needed."""
    done = call("check", raw)
    assert (done.code, done.err) == (0, "")
    assert " of 60 people, 2025-01-01 to " in done.out
    assert not any(line.startswith(("ERROR", "WARNING")) for line in done.out.splitlines())


def test_prepared_files_are_checked_against_each_other(raw, tmp_path):
    """Naive times are UTC, a file of rejected rows is left alone, and both checks of user_daily pass."""
    folder = prepared(raw, tmp_path / "processed")
    found = call("check", folder, "--format", "json")
    assert found.code == 0
    status = {each["check"]: each["status"] for each in found.json["results"]}
    assert status["user_daily_rows"] == status["user_daily_adds_up"] == "passed"
    assert status["rejected_rows"] == "passed"
    assert "failed" not in [status[name] for name in CHECKS if CHECKS[name].severity != "info"]


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE daily SET is_active_day = NOT is_active_day", "user_daily_rows"),
        ("UPDATE daily SET quiz_avg_score = 50", "user_daily_rows"),
        ("UPDATE daily SET days_since_signup = 0", "user_daily_rows"),
        ("UPDATE daily SET logins_count = logins_count + 1", "user_daily_adds_up"),
    ],
)
def test_a_prepared_table_that_differs_from_its_events_fails(statement, name, raw, tmp_path):
    """Flags, averages, days and counts."""
    done = call("check", prepared(raw, tmp_path / "processed", statement), "--only", name)
    assert done.code == 1
    assert f"ERROR   {name}" in done.out


def test_a_table_that_is_no_user_daily_is_one_line(tmp_path):
    """It names the file and the reason."""
    (tmp_path / "user_daily.csv").write_text("user_id,day\n1,2026-01-01\n")
    done = call("check", tmp_path)
    assert (done.code, one_line(done.err)) == (3, True)
    assert "user_daily.csv is no user_daily" in done.err


def test_any_files_can_be_checked_and_a_workspace_gives_the_settings(shop, tmp_path):
    """Files of other names, by path; what is missing is one line."""
    (tmp_path / "week.csv").write_text("user_id,event_type,timestamp,rating\nada,login,2026-03-02T08:15:00Z,6\n")
    with (shop / "regulars.toml").open("a") as file:
        file.write("[ranges.rating]\nat_most = 5\n")
    assert call("check", tmp_path / "week.csv").code == 0
    assert call("check", tmp_path / "week.csv", "-w", shop).code == 1
    done = call("check", tmp_path / "nothing.csv")
    assert (done.code, one_line(done.err)) == (3, True)


def test_a_workspace_can_be_named_as_a_path(shop, raw):
    """Alone; its results are kept."""
    assert call("check", shop, "-q").code == 0
    with regulars.open(shop, read_only=True) as ws:
        assert ws.sql("SELECT count(*) FROM check_results WHERE occasion = 'check'").rows == [(len(CHECKS),)]
    mixed = call("check", shop, raw)
    assert (mixed.code, one_line(mixed.err)) == (2, True)


def test_own_checks_are_shown_with_their_reason(shop):
    """A broken one with what the database said, one that counts days with its words."""
    with (shop / "regulars.toml").open("a") as file:
        file.write('[checks.broken]\nsql = "SELECT nothing FROM loads"\n[checks.calls]\nevents = ["call"]\n')
        file.write("at_least_per_day = 1\nthreshold = 2\n")
    lines = call("check", "-w", shop).out.splitlines()
    assert lines[lines.index("ERROR   broken: Own check broken") + 1].startswith("  it could not be run: DuckDB")
    assert (
        lines[lines.index("ERROR   calls: Days without the expected events (at least 1)") + 1] == "  3 days; allowed: 2"
    )


def test_nothing_to_check_is_said(tmp_path):
    """An empty workspace, and users without events."""
    assert call("init", tmp_path / "new").code == 0
    done = call("check", "-w", tmp_path / "new")
    assert (done.code, done.out.splitlines()[0]) == (0, "no events; 0 people")
    assert "passed   none" in done.out


def test_what_data_say_cannot_steer_the_terminal(shop, tmp_path):
    """Names of types are shown as text."""
    rows = [{"user_id": "a", "event_type": "x\x1b[31m", "timestamp": "2026-03-02T08:15:00Z"}]
    (tmp_path / "odd.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert call("import", tmp_path / "odd.jsonl", "-w", shop).code == 0
    assert "\x1b" not in call("check", "-w", shop).out
    assert _cell("x" * 100) == "x" * 59 + "…"
    assert (_cell(None), _cell(1234), _cell(True)) == ("", "1,234", "True")
