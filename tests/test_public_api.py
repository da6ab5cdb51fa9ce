"""What other programs may rely on."""

from __future__ import annotations

import inspect
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars import errors, questions, workspace
from regulars.domain import query, result
from regulars.domain.metrics import METRICS

if TYPE_CHECKING:
    from types import ModuleType

HEAVY = ("duckdb", "sqlglot", "pandas", "pyarrow", "polars", "rich", "click", "numpy", "msgspec")


def test_the_public_names_are_sorted_and_can_be_imported() -> None:
    """dir() lists exactly them, and another name is an ordinary mistake."""
    assert regulars.__all__ == sorted(regulars.__all__)
    assert all(getattr(regulars, name) is not None for name in regulars.__all__)
    assert dir(regulars) == regulars.__all__
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        regulars.opne  # noqa: B018 -- reading it is the test


def test_every_public_name_says_what_it_is() -> None:
    """With a docstring of its own."""
    for name in regulars.__all__:
        if not name.startswith("__"):
            assert inspect.getdoc(getattr(regulars, name))


def run(code: str) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    return time.perf_counter() - start, done.stdout


def test_the_import_is_light() -> None:
    """No library is loaded before it is needed."""
    code = f"import sys, regulars; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert run(code)[1].strip() == "[]"


def test_the_import_is_quick() -> None:
    """Less than 100 ms over an interpreter that does nothing; medians of five."""
    times = {code: [run(code)[0] for _ in range(5)] for code in ("pass", "import regulars")}
    assert statistics.median(times["import regulars"]) - statistics.median(times["pass"]) < 0.1


@pytest.mark.parametrize(
    "module",
    [workspace, *(sys.modules[kind.__module__] for kind in questions.Questions.__mro__[:-2]), result, query, errors],
    ids=lambda module: module.__name__,
)
def test_everything_public_has_a_docstring(module: ModuleType) -> None:
    """Functions, classes and their methods."""
    own = [each for name, each in vars(module).items() if not name.startswith("_") and _is_from(each, module)]
    assert own
    silent = [each.__qualname__ for each in own if not inspect.getdoc(each)]
    for kind in filter(inspect.isclass, own):
        members = [(name, each) for name, each in vars(kind).items() if not name.startswith("_")]
        silent += [f"{kind.__name__}.{name}" for name, each in members if callable(each) and not inspect.getdoc(each)]
        silent += [f"{kind.__name__}.{n}" for n, each in members if isinstance(each, property) and not each.__doc__]
    assert silent == []


def _is_from(each: object, module: ModuleType) -> bool:
    return (inspect.isfunction(each) or inspect.isclass(each)) and each.__module__ == module.__name__


# Options without a default that means something, and values of those that are neither choices nor whole numbers.
NEEDED = {"steps": "sign_up -> add_to_cart -> purchase", "experiment": "checkout"}
# What an option, or one of its values, cannot be without.
TOGETHER: dict[tuple[object, ...], dict[str, object]] = {
    ("experiment", "measure", "sum"): {"property": "amount"},
    ("experiment", "measure", "ratio"): {"per_event": "core"},
    ("experiment", "winsorize"): {"measure": "count"},
}
OTHERS: dict[str, tuple[object, ...]] = {
    "cohort": ("buyers", "cohort.buyers"),
    "steps": (["sign_up", {"events": ["purchase"], "times": 2}],),
    "within": ("30 minutes", {"value": 2, "unit": "week"}),
    "exclusions": ("cancel between 1 and 2",),
    "attribution": ("all", "step:2"),
    "from_step": (1, 2),
    "to_step": (2, 3),
    "bins": ("60,3600", [0, 60]),
    "experiment": ("checkout",),
    "variants": ("A=1, B=2", ["A", "B"], {"A": 0.5, "B": 0.5}),
    "since": ("2026-01-01T00:00:00Z",),
    "event": ("purchase", {"events": ["purchase"]}),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_has_a_method_with_its_options(name: str) -> None:
    """Each option of the catalogue is a keyword, with the same default or none; so are window and calendar."""
    metric = METRICS[name]
    parameters = inspect.signature(getattr(regulars.Workspace, name)).parameters
    for option in metric.options:
        assert option.name in parameters
        no_default = inspect.Parameter.empty if option.name in NEEDED else None
        assert parameters[option.name].default in (option.default, no_default)
    assert ("window" in parameters) == metric.takes_window
    assert ("calendar" in parameters) == metric.takes_calendar
    with regulars.open() as ws:
        needed = {
            option.name: NEEDED[option.name] for option in metric.options if option.read and option.name in NEEDED
        }
        defaults = {option.name: option.default for option in metric.options} | needed
        assert getattr(ws, name)(**defaults).rows == []
        for option in metric.options:
            plain = (option.smallest, 7) if option.largest else (option.default,)
            other = plain if option.name == "steps" and option.largest else OTHERS.get(option.name, plain)
            for choice in option.choices or other:
                place = (name, option.name)
                also = TOGETHER.get((*place, str(choice))) or TOGETHER.get(place, {})
                assert getattr(ws, name)(**{**needed, **also, option.name: choice}).rows == []


def test_every_metric_is_described_to_the_end() -> None:
    """Words for people: definition, source, columns with units."""
    for metric in METRICS.values():
        assert metric.definition.endswith(".")
        assert metric.source
        assert all(column.unit and column.description for column in metric.columns)
        assert all(option.description for option in metric.options)


def test_every_error_is_also_what_python_calls_it() -> None:
    """And has a code and an exit code."""
    kinds = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, errors.RegularsError)]
    assert len({kind.default_code for kind in kinds}) == len(kinds)
    assert {kind.exit_code for kind in kinds} == {2, 3}
    for kind in kinds:
        if kind is not errors.RegularsError:
            assert any(issubclass(kind, python) for python in (ValueError, RuntimeError, ImportError))
    unknown = errors.UnknownNameError("colour", "rde", ["red", "blue"], hint="see: colours")
    assert str(unknown) == "unknown colour 'rde'; did you mean 'red'?; see: colours"
    assert unknown.fields == {"kind": "colour", "name": "rde", "allowed": ["blue", "red"]}
    assert str(errors.UnknownNameError("colour", "x", [])) == "unknown colour 'x'"
    assert isinstance(errors.MissingExtraError("polars", "polars", "a frame"), ImportError)
