# ruff: noqa: INP001 -- part of a script
"""The page about notebooks as a notebook: its prose and its code, cell by cell."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTEBOOK = "notebook.ipynb"
_CODE = re.compile(r"```python\n(.*?)```\n", re.DOTALL)


def notebook(folder: Path) -> str:
    """The notebook in Jupyter's format, version 4.5, without outputs."""
    parts = _CODE.split((folder / "notebook.md").read_text(encoding="utf-8"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = {"cells": list(_cells(parts)), "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _cells(parts: list[str]) -> Iterator[dict[str, Any]]:
    for number, part in enumerate(parts):
        if text := part.strip():
            own = {"id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
            is_code = number % 2
            more = {"cell_type": "code", "execution_count": None, "outputs": []} if is_code else {}
            yield {"cell_type": "markdown"} | own | more
