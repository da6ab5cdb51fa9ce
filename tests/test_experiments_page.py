"""The page about experiments says what the code does."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from regulars.domain.inference import Conclusion, Decision, Reason

PAGE = (Path(__file__).parent.parent / "docs" / "experiments.md").read_text(encoding="utf-8")


def test_the_examples_give_what_they_show() -> None:
    """One after the other, as a reader would type them."""
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE, re.DOTALL)
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "experiments.md", "experiments.md", 0)
    runner = doctest.DocTestRunner()
    report: list[str] = []
    runner.run(example, out=report.append)
    assert runner.failures == 0, "".join(report)
    assert runner.tries > 20


def test_every_code_is_explained() -> None:
    """Reasons by their own words; decisions and conclusions by a row that names them."""
    for reason in Reason:
        assert f"| `{reason.value}` | {reason.words} |" in PAGE
    for code in (*Decision, *Conclusion):
        assert re.search(rf"^\| [^|]*`{code.value}`[^|]*\|", PAGE, re.MULTILINE)
