"""The page about preparing data says what the commands print and what the tables hold."""

import re
import shlex
from pathlib import Path

from regulars.synthetic.snapshots import FEATURES
from tests.interfaces.cli import call
from tests.synthetic import plain

PAGE = (Path(__file__).parents[2] / "docs" / "preparing-data.md").read_text(encoding="utf-8")


def test_the_page_prints_what_the_commands_print(tmp_path, monkeypatch):
    """Each command of the page is run in the order of the page, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    commands = [command for block in blocks for command in block.split("$ ")[1:]]
    assert len(commands) == 6
    for command in commands:
        line, _, shown = command.partition("\n")
        done = call(*shlex.split(line)[1:])
        assert done.code == 0, done.err
        assert [text.rstrip() for text in done.out.splitlines()] == shown.splitlines()


def test_the_page_explains_every_column():
    """Nobody has to guess what a column means."""
    names = set(re.findall(r"`([a-z_0-9]+)`", PAGE))
    windows = {f"{name}_{days}d" for name in names for days in (7, 14, 30)}
    tail = {"last_event_time_used", "is_eligible", "is_censored", "churned", "as_of_date", "event_date"}
    assert {*plain.DAILY, *FEATURES, *tail} <= names | windows
