# ruff: noqa: S603 -- the processes started here are our own program
"""The program as a whole: quick to start, clear when something is wrong, quiet when it is stopped."""

import fcntl
import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import click
import pytest

import regulars
from regulars.errors import EngineError, QueryError, RegularsError
from regulars.interfaces.cli import reference
from regulars.interfaces.cli.program import COMMANDS, program, report_error
from regulars.interfaces.cli.stopping import was_interrupted
from tests.interfaces.cli import call, environment, make_workspace, one_line, spawn

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
HEAVY = ("duckdb", "sqlglot", "rich", "numpy", "pandas", "pyarrow", "polars", "msgspec")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("program"))


def test_help_takes_less_than_150_milliseconds():
    """Best of several, in processor time: that is what we decide, whoever else keeps the machine busy."""
    spawn("--help")
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        spawn("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.150, times


def test_help_imports_no_heavy_library():
    """What the help does not need is not loaded for it."""
    code = (
        "import sys\nfrom regulars.interfaces.cli.program import run\nrun(['--help'])\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, check=True, text=True)
    assert done.stderr.strip() == "[]"


def test_completion_of_commands_imports_no_heavy_library():
    """Pressing TAB lists the commands without loading any of them."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "regulars"], capture_output=True, check=False, text=True,
        env=environment(_REGULARS_COMPLETE="bash_complete", COMP_WORDS="regulars me", COMP_CWORD="1"),
    )  # fmt: skip
    assert "plain,metric" in done.stdout
    assert not any(f"| {name}\n" in done.stderr for name in HEAVY)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_with_its_summary(name):
    """The list of commands knows the summaries by heart; here it is held to commands that exist."""
    command = program.get_command(click.Context(program), name)
    assert command is not None
    assert command.name == name
    assert call(name, "--help").out.startswith(f"Usage: regulars {name}")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "generate"])
def test_every_help_shows_an_example(name):
    """Nobody should have to guess how a command is called."""
    assert f"  regulars {name}" in call(name, "--help").out


def test_the_page_in_the_docs_is_what_the_help_says():
    """Stale after a change of a command: python -m regulars.interfaces.cli.reference > docs/cli.md."""
    assert PAGE.read_text() == reference.page()


def test_the_version_is_the_package_version():
    """One place says which version this is."""
    assert call("--version").out == f"regulars {regulars.__version__}\n"


def test_a_misspelt_command_is_answered_with_the_nearest():
    """A typo costs one look."""
    done = call("metrik")
    assert done.code == 2
    assert "did you mean 'metric'?" in done.err
    assert one_line(done.err)


@pytest.mark.parametrize(
    "arguments",
    [["metric", "dau"], ["import", "x.csv"], ["sql", "SELECT 1"], ["rebuild"], ["doctor"]],
    ids=lambda a: a[0],
)
def test_without_a_workspace_the_error_says_how_to_make_one(arguments, tmp_path, monkeypatch):
    """Exit code 3, one line, and the command that helps."""
    (tmp_path / "x.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    done = call(*arguments)
    assert done.code == 3
    assert "regulars init" in done.err
    assert one_line(done.err)


def test_a_command_finds_the_workspace_above_the_current_folder(shop, monkeypatch):
    """As with git: anywhere inside is inside."""
    (shop / "deep" / "er").mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(shop / "deep" / "er")
    assert '"active_users":1' in call("metric", "dau", "--format", "json").out


def test_a_workspace_in_use_by_a_writer_is_an_error_that_names_it(shop):
    """One writer at a time; whoever waits learns for whom."""
    with regulars.open(shop):
        done = spawn("metric", "dau", "-w", shop)
    assert done.code == 3
    assert f"process {os.getpid()}" in done.err
    assert one_line(done.err)


def test_readers_share_a_workspace(shop):
    """Two questions at once disturb nobody."""
    with regulars.open(shop, read_only=True):
        assert spawn("metric", "dau", "-w", shop).code == 0


def test_a_folder_that_is_no_workspace_is_an_error(tmp_path):
    """A path that exists is not yet a workspace."""
    done = call("metric", "dau", "-w", tmp_path)
    assert done.code == 3
    assert "regulars init" in done.err


def test_init_refuses_a_folder_that_is_a_workspace_already(shop):
    """Nothing is overwritten."""
    done = call("init", shop)
    assert done.code == 3
    assert "already" in done.err


@pytest.mark.parametrize(
    ("option", "value", "nearest"),
    [("--timezone", "Europe/Berln", "Europe/Berlin"), ("--week-start", "munday", "monday")],
)
def test_init_refuses_what_no_workspace_could_use(option, value, nearest, tmp_path):
    """A wrong time zone is found before anything is counted in it, and leaves no folder behind."""
    done = call("init", tmp_path / "x", option, value)
    assert done.code == 2
    assert nearest in done.err
    assert not (tmp_path / "x").exists()


def test_a_damaged_database_is_one_line(tmp_path):
    """No traceback for a broken file."""
    shop = make_workspace(tmp_path)
    (shop / "regulars.duckdb").write_bytes(b"no database" * 1000)
    done = call("metric", "dau", "-w", shop)
    assert done.code == 3
    assert one_line(done.err)


def test_settings_that_cannot_be_read_are_one_line(tmp_path):
    """The file and the key at fault are named."""
    shop = make_workspace(tmp_path)
    (shop / "regulars.toml").write_text("timezon = 'UTC'\n")
    done = call("metric", "dau", "-w", shop)
    assert done.code == 2
    assert "timezone" in done.err
    assert one_line(done.err)


def test_an_unexpected_error_is_one_line_that_asks_for_a_report(capsys, monkeypatch):
    """Whatever happens, people see a sentence; the traceback is for those who ask for it."""
    monkeypatch.delenv("REGULARS_DEBUG", raising=False)
    assert report_error(RuntimeError("boom\nsecond line")) == 3
    said = capsys.readouterr().err
    assert said == (
        "error: internal: RuntimeError: boom second line; please report this, with what REGULARS_DEBUG=1 prints\n"
    )


def test_the_traceback_is_shown_on_request(shop):
    """REGULARS_DEBUG=1 is for whoever looks for a fault."""
    done = spawn("metric", "nix", "-w", shop, REGULARS_DEBUG="1")
    assert done.code == 2
    assert "Traceback" in done.err


@pytest.mark.parametrize("kind", [RegularsError, QueryError])
def test_an_error_exits_with_its_own_code(kind, capsys):
    """The tree of errors decides, not the command line."""
    assert report_error(kind("x")) == kind.exit_code


def test_an_error_cannot_steer_the_terminal(shop):
    """Escape sequences in a name are printed as question marks."""
    done = call("metric", "dau\x1b[31m\n", "-w", shop)
    assert "\x1b" not in done.err
    assert one_line(done.err)


def test_bytes_that_are_no_text_are_refused(shop):
    """The shell may pass anything; we pass on text only."""
    done = subprocess.run(
        [sys.executable, "-m", "regulars", "metric", "dau", "--by", b"\xff", "-w", shop],
        env=environment(), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"UTF-8" in done.stderr


def test_ctrl_c_ends_a_long_question_quietly(shop):
    """Exit code 130, no traceback, no complaint."""
    endless = "SELECT count(*) FROM range(100000000) a, range(100000000) b"
    process = subprocess.Popen(
        [sys.executable, "-m", "regulars", "sql", endless, "-w", shop],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # A runner started in the background ignores Ctrl-C, and its children would inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no threads here
    )  # fmt: skip
    try:
        _wait_until_in_use(shop)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out, err.strip()) == (130, b"", b"")


def _wait_until_in_use(folder):
    """Until the process holds the workspace, and a moment longer, so that the question is running."""
    patience = time.monotonic() + 30
    while time.monotonic() < patience:
        with (folder / "regulars.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                break
        time.sleep(0.2)
    time.sleep(1)


@pytest.mark.parametrize("text", ["Query interrupted", "something else"])
def test_an_interrupt_is_known_in_whatever_the_database_wraps_it(text):
    """While rows are fetched it is a bare RuntimeError, and the layers above put their own errors around it."""
    outer = EngineError("DuckDB could not answer")
    outer.__cause__ = RuntimeError(text)
    assert was_interrupted(outer) == (text == "Query interrupted")


@pytest.mark.parametrize("form", ["table", "csv"])
def test_a_reader_that_goes_away_is_no_error(shop, form):
    """As with every program in a pipe: regulars ... | head."""
    command = f"{sys.executable} -m regulars metric dau --all --start 1990-01-01 --format {form} -w {shop} | head -1"
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command], env=environment(), capture_output=True, check=False, text=True
    )
    assert done.stderr == ""
    assert done.returncode in {0, 141}
    assert len(done.stdout.splitlines()) == 1


def test_a_terminal_that_lacks_a_character_gets_a_question_mark(shop):
    """A sparkline is worth no crash."""
    done = spawn("metric", "dau", "-w", shop, PYTHONIOENCODING="ascii")
    assert done.code == 0
    assert "2026-03-04" in done.out
