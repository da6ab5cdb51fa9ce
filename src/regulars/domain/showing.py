"""Text from anywhere, made fit for a picture or a page."""

from __future__ import annotations

import re
from typing import Any

_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def showable(text: str) -> str:
    r"""Text with a sign in place of each character that XML cannot hold, and at which what draws charts gives up.

    >>> showable("a\x07b")
    'a\ufffdb'
    """
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def all_showable(part: Any) -> Any:
    """The same with every text in it :func:`showable`, however deep in lists and mappings."""
    if isinstance(part, dict):
        return {key: all_showable(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [all_showable(each) for each in part]
    return showable(part) if isinstance(part, str) else part
