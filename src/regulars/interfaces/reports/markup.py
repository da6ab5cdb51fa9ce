"""HTML that is also well-formed XML, put together from nested elements; whatever is not an element is escaped."""

from __future__ import annotations

import html
from dataclasses import dataclass

from regulars.domain.showing import showable


@dataclass(frozen=True)
class Markup:
    """Text that is markup already."""

    text: str


def element(tag: str, /, *children: Markup | str | None, **attributes: str | None) -> Markup:
    """An element; underscores in attribute names are hyphens, ``class_`` is ``class``, None leaves out.

    >>> element("td", "a < b", class_="number", data_value="1").text
    '<td class="number" data-value="1">a &lt; b</td>'
    """
    named = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    said = "".join(f' {key}="{_escaped(value)}"' for key, value in named.items())
    inside = "".join(_text(child) for child in children)
    return Markup(f"<{tag}{said}/>" if tag in ("meta", "br") else f"<{tag}{said}>{inside}</{tag}>")


def group(*children: Markup | str | None) -> Markup:
    """Several pieces, one after the other."""
    return Markup("".join(_text(child) for child in children))


def _text(child: Markup | str | None) -> str:
    if child is None:
        return ""
    return child.text if isinstance(child, Markup) else _escaped(child)


def _escaped(text: str) -> str:
    return html.escape(showable(text))
