"""``regulars import``: every row accounted for, whatever the files look like."""

import csv
import io
import os
import pty
import shutil
import subprocess
import sys

import pytest

import regulars
from regulars.interfaces.cli.progress import progress_text
from tests.interfaces.cli import EVENTS, USERS, call, environment, make_workspace, one_line, spawn


@pytest.fixture(scope="module")
def new(tmp_path_factory):
    folder = tmp_path_factory.mktemp("import") / "shop"
    assert call("init", folder, "-q").code == 0
    return folder


@pytest.fixture
def shop(new, tmp_path):
    """An empty workspace; copying one is quicker than making it."""
    return shutil.copytree(new, tmp_path / "shop")


def write(folder, name, text):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def broken_rows(number, share):
    """Events of which every so-many-th has a time that is none."""
    lines = ["user_id,event_type,timestamp"]
    for i in range(number):
        time = "not a time" if i % share == 0 else f"2026-03-{i % 28 + 1:02}T08:00:{i % 60:02}Z"
        lines.append(f"u{i},login,{time}")
    return "\n".join(lines) + "\n"


def test_the_counts_of_every_file_add_up(shop, tmp_path):
    """Read = loaded + known already + rejected, per file and in all."""
    write(tmp_path, "users.csv", USERS)
    write(tmp_path, "events.csv", EVENTS)
    done = call("import", tmp_path / "events.csv", tmp_path / "users.csv", "-w", shop, "--json")
    assert [file["kind"] for file in done.json["files"]] == ["users", "events"]
    for part in (*done.json["files"], done.json["total"]):
        assert part["rows_read"] == part["loaded"] + part["duplicates"] + part["rejected"]
    assert done.json["total"] == {"rows_read": 7, "loaded": 7, "duplicates": 0, "rejected": 0}


def test_importing_twice_changes_nothing(tmp_path):
    """The second time every event is known already."""
    shop = make_workspace(tmp_path)
    before = call("metric", "dau", "-w", shop, "--format", "csv").out
    done = call("import", tmp_path / "events.csv", "-w", shop)
    assert "4 events read = 0 loaded + 4 known already + 0 rejected" in done.out
    assert call("metric", "dau", "-w", shop, "--format", "csv").out == before


def test_one_percent_of_broken_rows_is_reported_and_exits_with_zero(shop, tmp_path):
    """Rejected rows are said on stdout with reason and line, and again on stderr."""
    file = write(tmp_path, "events.csv", broken_rows(1000, 100))
    done = call("import", file, "-w", shop)
    assert done.code == 0
    assert "1,000 events read = 990 loaded + 0 known already + 10 rejected" in done.out
    assert "10 bad_time" in done.out
    assert "line 2: " in done.out
    assert "10 rows rejected" in done.err


def test_rejects_holds_every_rejected_row(shop, tmp_path):
    """The report shows the first; the file has all of them, with line, reason, detail and the row itself."""
    file = write(tmp_path, "events.csv", broken_rows(500, 10))
    call("import", file, "-w", shop, "--rejects", tmp_path / "rejected.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "rejected.csv").read_text())))
    assert list(rows[0]) == ["source", "line", "reason", "detail", "raw"]
    assert [int(row["line"]) for row in rows] == list(range(2, 502, 10))
    assert {row["reason"] for row in rows} == {"bad_time"}
    assert "not a time" in rows[0]["raw"]


def test_rejects_is_written_when_nothing_was_rejected(tmp_path):
    """A file that is always there is easier to check than one that may be missing."""
    shop = make_workspace(tmp_path)
    call("import", tmp_path / "events.csv", "-w", shop, "--rejects", tmp_path / "rejected.csv")
    assert (tmp_path / "rejected.csv").read_text() == "source,line,reason,detail,raw\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "empty"),
        ("junk.csv", bytes(range(256)) * 40, "junk.csv"),
        ("junk.parquet", b"PAR1 and then nothing of the kind", "junk.parquet"),
        ("nowhere.csv", None, "does not exist"),
        ("columns.csv", b"colour,shape\nred,round\n", "user_id"),
        ("naive.csv", b"user_id,event_type,timestamp\na,login,2026-03-02 08:15:00\n", "--timezone"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_a_source_that_cannot_be_read_exits_with_three_in_one_line(name, content, said, shop, tmp_path):
    """The line names the file or what it lacks, and nothing was loaded."""
    if content is not None:
        write(tmp_path, name, content)
    done = call("import", tmp_path / name, "-w", shop)
    assert done.code == 3
    assert one_line(done.err), done.err
    assert said in done.err
    assert call("sql", "SELECT count(*) AS n FROM fact_user_actions", "-w", shop, "--format", "csv").out == "n\n0\n"


def test_the_files_beside_an_unreadable_one_are_loaded(shop, tmp_path):
    """One bad file costs its own rows only; the exit code still tells."""
    good, bad = write(tmp_path, "good.csv", EVENTS), write(tmp_path, "bad.csv", b"\x00\x01\x02" * 100)
    done = call("import", bad, tmp_path / "missing.csv", good, "-w", shop, "--json")
    assert done.code == 3
    assert done.json["total"]["loaded"] == 4
    errors = {file["source"].rpartition("/")[2]: file["error"] for file in done.json["files"]}
    assert errors["good.csv"] is None
    assert errors["bad.csv"]["code"] == "bad_source"
    assert errors["missing.csv"]["code"] == "no_such_file"


def test_a_folder_means_its_data_files_users_first(shop, tmp_path):
    """Hidden files, notes and JSON that describes the data stay out; every file is taken once."""
    for name, text in {
        "raw/events-2.csv": EVENTS, "raw/users.csv": USERS, "raw/events-1.csv": EVENTS,
        "raw/truth.json": "{}", "raw/.events.csv": "x", "raw/_tmp.csv": "x", "raw/README.md": "x",
    }.items():  # fmt: skip
        write(tmp_path, name, text)
    done = call("import", tmp_path / "raw", tmp_path / "raw" / "events-1.csv", "-w", shop, "--json")
    assert [file["source"].rpartition("/")[2] for file in done.json["files"]] == [
        "users.csv", "events-1.csv", "events-2.csv",
    ]  # fmt: skip
    assert done.json["total"] == {"rows_read": 11, "loaded": 7, "duplicates": 4, "rejected": 0}


def test_a_pattern_means_the_files_that_match(shop, tmp_path):
    """For shells that do not expand it, and for patterns across folders."""
    write(tmp_path, "a/events.csv", EVENTS)
    write(tmp_path, "b/events.csv", EVENTS)
    done = call("import", tmp_path / "**" / "events.csv", "-w", shop, "--json")
    assert len(done.json["files"]) == 2


def test_a_folder_without_data_says_what_data_looks_like(shop, tmp_path):
    """The error lists the endings."""
    done = call("import", write(tmp_path, "raw/README.md", "x").parent, "-w", shop)
    assert done.code == 3
    assert ".parquet" in done.err


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(shop, tmp_path):
    """Brackets and stars are legal in names."""
    done = call("import", write(tmp_path, "events[1].csv", EVENTS), "-w", shop, "--json")
    assert done.json["total"]["loaded"] == 4


@pytest.mark.parametrize("head", ["", "[columns]\n"])
def test_a_mapping_comes_from_options_or_a_file(head, shop, tmp_path):
    """Columns with names of their own are told by role=column, or by a TOML file."""
    file = write(tmp_path, "log.csv", "wer,event_type,wann\nada,login,2026-03-02T08:15:00Z\n")
    mapping = write(tmp_path, "map.toml", f"{head}user_id = 'wer'\ntimestamp = 'wann'\n")
    assert call("import", file, "-w", shop, "--map", mapping, "--json").json["total"]["loaded"] == 1
    again = call("import", file, "-w", shop, "--map", "user_id=wer", "--map", "timestamp=wann", "--json")
    assert again.json["total"]["duplicates"] == 1


@pytest.mark.parametrize("mapping", ["nosuchfile.toml", "userid=wer", "user_id=nosuchcolumn"])
def test_a_mapping_that_cannot_be_used_is_one_line(mapping, shop, tmp_path):
    """Whether the file, the role or the column does not exist."""
    file = write(tmp_path, "events.csv", EVENTS)
    done = call("import", file, "-w", shop, "--map", mapping)
    assert done.code in {2, 3}
    assert one_line(done.err)


@pytest.mark.parametrize("text", ["user_id = [1", "user_id = 3", "columns = 7"])
def test_a_mapping_file_that_is_not_understood_is_one_line(text, shop, tmp_path):
    """Broken TOML, and TOML that says something else."""
    file = write(tmp_path, "events.csv", EVENTS)
    done = call("import", file, "-w", shop, "--map", write(tmp_path, "map.toml", text))
    assert done.code == 2
    assert "map.toml" in done.err
    assert one_line(done.err)


def test_times_without_a_zone_are_read_in_the_zone_that_is_named(shop, tmp_path):
    """The hint of the refusal works when it is followed."""
    file = write(tmp_path, "naive.csv", "user_id,event_type,timestamp\na,login,2026-03-02 00:30:00\n")
    assert call("import", file, "-w", shop, "--timezone", "Europe/Berlin").code == 0
    done = call("sql", "SELECT day FROM fact_user_actions", "-w", shop, "--format", "csv")
    assert done.out == "day\n2026-03-01\n"


def test_a_dry_run_says_what_would_happen_and_changes_nothing(shop, tmp_path):
    """Columns, counts, rejected rows; and no event afterwards."""
    file = write(tmp_path, "events.csv", broken_rows(100, 10))
    done = call("import", file, "-w", shop, "--dry-run")
    assert done.code == 0
    assert "nothing was changed" in done.out
    assert "100 events read = 90 loaded + 0 known already + 10 rejected" in done.out
    assert done.err == ""
    assert call("sql", "SELECT count(*) AS n FROM loads", "-w", shop, "--format", "csv").out == "n\n0\n"


def test_a_dry_run_of_a_source_that_would_be_refused_exits_with_three(shop, tmp_path):
    """As the import would."""
    file = write(tmp_path, "naive.csv", "user_id,event_type,timestamp\na,login,2026-03-02 08:15:00\n")
    assert call("import", file, "-w", shop, "--dry-run").code == 3


def test_a_dry_run_has_no_file_of_rejects(shop, tmp_path):
    """It keeps no rows, so it can write none."""
    done = call("import", write(tmp_path, "e.csv", EVENTS), "-w", shop, "--dry-run", "--rejects", tmp_path / "r.csv")
    assert done.code == 2
    assert one_line(done.err)


def test_quiet_prints_nothing_when_all_is_well(shop, tmp_path):
    """For scheduled jobs whose output is mailed."""
    done = call("import", write(tmp_path, "events.csv", EVENTS), "-w", shop, "-q")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_no_progress_is_drawn_where_nobody_watches(shop, tmp_path):
    """A log file holds no carriage returns."""
    done = spawn("import", write(tmp_path, "events.csv", EVENTS), "-w", shop)
    assert done.code == 0
    assert "\r" not in done.out + done.err
    assert done.err == ""


def test_progress_is_drawn_on_a_terminal_and_taken_away(shop, tmp_path):
    """On stderr, so that stdout stays what it is without a terminal."""
    leader, follower = pty.openpty()
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "regulars", "import", write(tmp_path, "events.csv", EVENTS), "-w", shop],
        env=environment(), stdout=subprocess.PIPE, stderr=follower, check=True,
    )  # fmt: skip
    os.close(follower)
    drawn = os.read(leader, 100_000).decode()
    os.close(leader)
    assert "events.csv  store  4 of 4 rows" in drawn or "events.csv  store  0 of 4 rows" in drawn.replace("100 %  ", "")
    assert drawn.endswith("\r\x1b[K")
    assert b"4 events read" in done.stdout


def test_progress_tells_share_rate_and_time_left():
    """As far as they are known."""
    assert progress_text("store", 500, 1000, 2.0) == "store  50 %  500 of 1,000 rows  250 rows/s  2.0 s left"
    assert progress_text("read", 0, None, 0.0) == "read"


def test_the_report_of_the_command_is_the_one_of_python(shop, tmp_path):
    """The same file into a second workspace from Python: the same account."""
    file = write(tmp_path, "events.csv", broken_rows(200, 20))
    told = call("import", file, "-w", shop, "--json").json["files"][0]
    with regulars.open() as ws:
        report = ws.load(str(file))
    for name in ("kind", "rows_read", "loaded", "duplicates", "rejected", "conflicts", "future"):
        assert told[name] == getattr(report, name)
    assert told["reasons"] == dict(report.reasons)
    assert [reject["line"] for reject in told["rejects"]] == [reject.line for reject in report.rejects]
