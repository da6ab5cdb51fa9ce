"""What other programs may rely on."""

from __future__ import annotations

import inspect
import subprocess
import sys

from regulars import errors, streaming
from regulars.streaming import buffer, calculator, process, profiles

COMPILED = ("duckdb", "msgspec", "numpy", "pandas", "pyarrow", "scipy", "sqlglot")


def test_the_public_names_are_sorted_and_say_what_they_are():
    assert streaming.__all__ == sorted(streaming.__all__)
    assert all(inspect.getdoc(getattr(streaming, name)) for name in streaming.__all__)
    assert streaming.SessionLimitError is errors.SessionLimitError


def test_every_public_method_has_a_docstring():
    for module in (buffer, calculator, process, profiles):
        for kind in (each for each in vars(module).values() if inspect.isclass(each)):
            if kind.__module__ == module.__name__ and not kind.__name__.startswith("_"):
                own = [n for n, each in vars(kind).items() if not n.startswith("_") and callable(each)]
                own += [n for n, each in vars(kind).items() if isinstance(each, property)]
                assert [name for name in own if not inspect.getdoc(getattr(kind, name))] == []


def test_it_is_pure_python():
    """Counting loads no compiled library."""
    code = (
        "import sys\nfrom regulars.streaming import DAUMAUCalculator\n"
        "people = DAUMAUCalculator()\npeople.add_user_activity('ada', '2026-01-01', 1)\n"
        f"print(people.calculate_mau('2026-01-01'), [name for name in {COMPILED!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "1 []"
