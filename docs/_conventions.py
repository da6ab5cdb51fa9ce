# ruff: noqa: INP001 -- part of a script
"""How other tools count, and how to see the difference: a page made of the records that questions follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _tables import table

from regulars.domain.conventions import CONVENTIONS

if TYPE_CHECKING:
    from regulars.domain.conventions import Convention

_HEAD = (
    "Tools mean different things by the same word. `convention` in a question (`--convention` on the command line) "
    "chooses what a tool documents, wherever the question leaves it open; what a question says itself wins. The result "
    "lists what was chosen and what is not followed. From each tool's public documentation and code, November 2026."
)
_TAIL = """\
## Why the numbers differ

`regulars compare` counts a question twice and puts the numbers side by side, with the rule on which they part and the
people whom only one of the two counts. One convention alone is compared with ours.

```console
$ regulars compare mau --conventions statsig -w shop
$ regulars compare retention --grain week --conventions posthog,amplitude -w shop
$ regulars compare retention --conventions mixpanel --at period=1 --column retention_users --users -w shop
```

In Python, `ws.compare("mau", "statsig")` has the same in `rows`, `rules` and `unfollowed`, and `.users(row)` has the
people."""


def convention_page() -> str:
    """Tool by tool, which choices it stands for."""
    rows = [
        (tool, f"`{name}`", _chosen(found), found.differs or "")
        for tool, metrics in CONVENTIONS.items()
        for name, found in metrics.items()
    ]
    return "\n\n".join(
        ("# Other tools' conventions", _HEAD, table(("Tool", "Metric", "Chooses", "Not followed"), rows), _TAIL)
    )


def _chosen(found: Convention) -> str:
    chosen = [f"`{name}={value}`" for name, value in found.options.items()]
    return ", ".join([*chosen, *([f"a window of {found.window} days"] if found.window else [])]) or "the same as ours"
