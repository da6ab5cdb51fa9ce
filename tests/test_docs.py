"""The documentation says what the code does."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

import regulars
from regulars.domain.metrics import METRICS
from regulars.domain.quality.catalogue import CHECKS
from regulars.settings import Settings

if TYPE_CHECKING:
    from types import ModuleType

DOCS = Path(__file__).parent.parent / "docs"


def generator() -> ModuleType:
    """The script that writes the pages, as a module."""
    sys.path.insert(0, str(DOCS))
    spec = importlib.util.spec_from_file_location("generate_docs", DOCS / "_generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = generator()


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", sorted(GENERATE.PAGES))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    """Run: python docs/_generate.py."""
    assert (DOCS / name).read_text(encoding="utf-8") == GENERATE.page(name)


def test_the_schema_of_settings_is_up_to_date_and_judges_as_the_program_does() -> None:
    """The example is fine; an unknown key, a wrong type and a wrong choice are not."""
    text = (DOCS / GENERATE.SCHEMA).read_text(encoding="utf-8")
    assert text == GENERATE.schema()
    checker = jsonschema.Draft202012Validator(json.loads(text))
    checker.check_schema(checker.schema)
    assert checker.is_valid(tomllib.loads(*blocks("settings.md", "toml")))
    for wrong in (
        "timezon = 'UTC'",
        "timezone = 1",
        "week_start = 'funday'",
        "[sessions]\ngap = 3",
        "[activity.a]\nx = 1",
    ):
        assert not checker.is_valid(tomllib.loads(wrong))


def test_every_setting_has_its_meaning_and_none_is_explained_twice() -> None:
    """A new key cannot be left out of the page."""
    assert {key for key, _, _ in GENERATE.settings_keys()} == set(GENERATE.MEANINGS)
    assert set(GENERATE.EXAMPLES) <= set(METRICS)


def test_every_metric_has_an_example_that_can_be_counted_by_hand() -> None:
    """On one log for all of them, with rows, and a cell that is taken apart into people and events."""
    with GENERATE.workspace() as ws:
        for name in METRICS:
            _, result, told = GENERATE.answer(ws, name)
            assert result.rows, name
            assert told.startswith("For example") == any(column.counts_people for column in result.columns), name


def test_the_example_of_settings_can_be_read() -> None:
    """Every section of it does something."""
    settings = Settings.from_toml(*blocks("settings.md", "toml"))
    plain = Settings()
    same = [
        name
        for name in ("population", "rollups", "imports", "engine", "actions", "activity", "checks", "ranges")
        if getattr(settings, name) == getattr(plain, name)
    ]
    assert same == []
    with regulars.open(settings=settings) as ws:
        event = {"user_id": "a", "event_type": "purchase", "timestamp": "2026-03-02T08:15:00Z", "amount": 120}
        ws.load([event])
        assert ws.active_users(activity="big_purchase").rows[-1]["active_users"] == 1


def test_the_settings_on_the_page_of_checks_do_what_it_says() -> None:
    """An order without an amount fails the one check, a day without web orders the other."""
    settings = Settings.from_toml(*blocks("data-quality.md", "toml"))
    order = {"user_id": "a", "event_type": "purchase", "source": "web"}
    with regulars.open(settings=settings) as ws:
        ws.load([
            {**order, "timestamp": "2026-03-02T08:15:00Z", "amount": 120, "rating": 6},
            {**order, "timestamp": "2026-03-04T08:15:00Z"},
        ])  # fmt: skip
        names: dict[str, Any] = {"ws": ws}
        exec(*blocks("data-quality.md", "python"), names)  # noqa: S102 -- our own page
        report = names["report"]
        found = {result.check: result.count for result in report.failed if result.severity != "info"}
        assert found == {"out_of_range": 1, "orders_without_amount": 1, "web_orders_arrive": 1}


def test_every_check_is_on_its_page() -> None:
    """With its severity, its words, and what to do."""
    page = (DOCS / "data-quality.md").read_text(encoding="utf-8")
    for check in CHECKS.values():
        assert f"`{check.name}` ({check.severity}): **{check.title}.** {check.words}" in page
        assert check.fix[1:] in page


def test_the_python_examples_of_metrics_run() -> None:
    """On the log of the page, or where somebody uses a feature, pays, and comes again twice in another month."""
    event = {"user_id": "a", "event_type": "like", "timestamp": "2026-03-02T08:15:00Z", "feature": "editor"}
    paid = {**event, "event_type": "payment_success", "amount": 10}
    with regulars.open() as ws, GENERATE.workspace() as small:
        ws.load([event, paid, *({**event, "timestamp": f"2026-04-0{day}T08:15:00Z"} for day in (3, 5))])
        ws.record_nps_response("a", 9, timestamp="2026-04-05T09:00:00Z")
        for example in blocks("metrics.md", "python"):
            answers = [eval(example, {"ws": each}).rows for each in (ws, small)]  # noqa: S307 -- our own page
            assert any(answers), example


@pytest.mark.parametrize("page", ["nps.md", "running-experiments.md"])
def test_the_examples_of_a_page_print_what_it_says(page: str) -> None:
    """Block by block, as somebody who follows the page would run them."""
    names: dict[str, Any] = {}
    runner = doctest.DocTestRunner()
    for number, block in enumerate(blocks(page, "pycon")):
        test = doctest.DocTestParser().get_doctest(block, names, f"{page}:{number}", page, 0)
        assert runner.run(test, clear_globs=False).failed == 0
        names = test.globs
    assert runner.tries > 0


def test_getting_started_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings are read, its file is loaded, its Python is executed."""
    monkeypatch.chdir(tmp_path)
    Settings.from_toml(*blocks("getting-started.md", "toml"))
    Path("events.csv").write_text(*blocks("getting-started.md", "text"), encoding="utf-8")
    regulars.init("shop", timezone="Europe/Berlin")
    names: dict[str, Any] = {}
    for example in blocks("getting-started.md", "python"):
        exec(example, names)  # noqa: S102 -- our own page
        if "result" in names:
            result = names.pop("result")
            shown = {(row["date"].isoformat(), row["country"]): row["active_users"] for row in result.rows}
            assert shown["2026-03-06", "DE"] == 2
            assert shown["2026-03-06", "FR"] == 1
        names["ws"].close()


def test_the_notebook_has_the_cells_of_its_page_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a cell prints stands below it as a comment; what stands last in a cell can be shown."""
    text = (DOCS / GENERATE.NOTEBOOK).read_text(encoding="utf-8")
    assert text == GENERATE.notebook(DOCS)
    names: dict[str, Any] = {}
    shown = 0
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "code":
            code = ast.parse("".join(cell["source"]))
            last = code.body.pop() if isinstance(code.body[-1], ast.Expr) else None
            exec(compile(code, "cell", "exec"), names)  # noqa: S102 -- our own page
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None  # noqa: S307
            shown += hasattr(value, "_repr_html_") and "<td" in str(value._repr_html_())
            told = [line.strip("\n").removeprefix("# ") for line in cell["source"] if line.startswith("# ")]
            assert capsys.readouterr().out.splitlines() == told
    assert shown == 4  # two results, two frames


def test_the_embedding_page_runs_and_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Each printed line stands below its call as a comment."""
    for example in blocks("embedding.md", "python"):
        exec(example, {})  # noqa: S102 -- our own page
        printed = [line.removeprefix("# ") for line in example.splitlines() if line.startswith("# ")]
        assert capsys.readouterr().out.splitlines() == printed
