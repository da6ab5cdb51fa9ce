"""The README tells the truth: its Python runs, its files exist, its commands are there."""

from __future__ import annotations

import re
from pathlib import Path

from regulars.interfaces.cli.program import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_prints_what_its_comments_say() -> None:
    """Each printed line is the comment below it; the last one explains itself down to the SQL."""
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    printed: list[str] = []
    exec(code.group(1), {"print": lambda value: printed.append(str(value))})  # noqa: S102 -- our own example
    promised = re.findall(r"^# (.*)", code.group(1), re.MULTILINE)
    assert printed[: len(promised)] == promised
    assert "SELECT" in printed[-1]


def test_every_path_it_names_exists() -> None:
    """Links and the places that hold a promise are files of this repository."""
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    named = re.findall(r"`((?:tests|docs)/[\w/.]*)`", README)
    assert [path for path in [*linked, *named] if not (ROOT / path).exists()] == []


def test_every_command_it_shows_exists() -> None:
    """The subcommands in console blocks are real."""
    shown = set(re.findall(r"^\$ regulars (\w+)", README, re.MULTILINE))
    assert shown <= set(COMMANDS)
