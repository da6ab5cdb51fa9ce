"""The script for browsers, served as it is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from regulars.interfaces.http.answers import Answer

_FILE = Path(__file__).with_name("snippet.js")


@cache
def snippet_answer() -> Answer:
    """The script, which a browser may keep for an hour."""
    return Answer(
        200, _FILE.read_bytes(), b"text/javascript; charset=utf-8", {b"cache-control": b"public, max-age=3600"}
    )
