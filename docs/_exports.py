# ruff: noqa: INP001 -- part of a script
"""What becomes what when another tool's export is imported: a page made of the records that the importer follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.infrastructure.importers.exports.recognise import EXPORTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from regulars.infrastructure.importers.exports.shape import Export, Shape

_HEAD = (
    "The keys of other tools' exports and what they become, made of the records that `regulars import` follows. "
    "[](importing.md) says how to export and import, and what is not carried over. Of several keys the first one that "
    "has a value counts; `a.b` is key `b` inside of `a`."
)


def exports_page() -> str:
    """All tools, each with its kinds of rows."""
    return "\n".join(["# Keys of other tools", "", _HEAD, *(line for export in EXPORTS for line in _tool(export))])


def _tool(export: Export) -> Iterator[str]:
    yield from ("", f"## {export.title}", "", f"`--format {export.tool}`")
    shown: set[str] = set()
    for shape in export.shapes:
        if shape.name not in shown and not shape.header:
            yield from _shape(shape)
        shown.add(shape.name)


def _shape(shape: Shape) -> Iterator[str]:
    yield from ("", f"### {shape.name.capitalize()}", "")
    keys = _listed(choice.replace("|", "` or `").replace("/", ".") for choice in shape.keys)
    yield f"Recognised by {keys}{_named(shape)}. Each row is {'an event' if shape.kind == 'events' else 'a user'}."
    yield from ("", "| Here | There |", "| --- | --- |")
    for role, value in shape.values.items():
        yield f"| `{role}` | {_code(value.shown)} |"
    if shape.properties or shape.kept:
        yield f"| properties | {_patterns((*shape.properties, *shape.kept))} |"
    if shape.user:
        yield f"| user attributes | {_patterns(shape.user)} |"
    if shape.registered:
        yield f"| `registration_date` | {_code(' or '.join(path.replace('/', '.') for path in shape.registered))} |"
    if shape.actions:
        pairs = [f"`{theirs}` is `{ours}`" for theirs, ours in shape.actions.items()]
        yield from ("", f"Event types: {', '.join(pairs)}; any other keeps its name.")


def _named(shape: Shape) -> str:
    return f" in a file or folder named {_listed(shape.named)}" if shape.named else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _code(shown: str) -> str:
    return " or ".join(f"`{part}`" for part in shown.replace(", or ", " or ").split(" or "))


def _patterns(paths: Iterable[str]) -> str:
    taken = [path.replace("/", ".") for path in paths if not path.startswith("!")]
    left = [path[1:] for path in paths if path.startswith("!")]
    return _listed(taken) + (f" without {_listed(left)}" if left else "")
