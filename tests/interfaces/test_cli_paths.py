"""``regulars metric paths``: the ways most taken step by step, and a table of nodes by steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.interfaces.cli import call

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve ways from a long name, and one person who goes on."""
    folder = tmp_path_factory.mktemp("paths")
    walks = {f"u{n}": ["a_name_that_is_too_long_to_be_shown", f"page_{n:02}"] for n in range(12)}
    walks["ada"] = ["view", "buy", "view"]
    events = [
        {"user_id": who, "event_type": kind, "timestamp": f"2026-01-05T09:0{n}:00Z", "geo": {"country": who[0]}}
        for who, kinds in walks.items()
        for n, kind in enumerate(kinds)
    ]
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)))
    assert call("init", folder / "shop").code == 0
    assert call("import", folder / "events.jsonl", "-w", folder / "shop").code == 0
    return folder / "shop"


def test_the_ways_most_taken_come_first_and_the_rest_is_announced(shop: Path) -> None:
    """Long names are cut, ends are in brackets, and ``--all`` shows the rest."""
    out = call("metric", "paths", "-o", "top=20", "-w", shop).out
    assert "a_name_that_is_too_long…" in out
    assert "(end)" in out
    assert "the 8 ways most taken of each step, 10 more with --all" in out
    assert "page_11" in call("metric", "paths", "-o", "top=20", "--all", "-w", shop).out


def test_all_nodes_beyond_the_top_and_the_start_have_a_name(shop: Path) -> None:
    """Counted back from an anchor."""
    assert "(all other nodes)" in call("metric", "paths", "-o", "top=2", "-w", shop).out
    assert "(start)" in call("metric", "paths", "-o", "to_event=buy", "-w", shop).out


def test_the_matrix_has_nodes_down_and_steps_across_per_slice(shop: Path) -> None:
    """What is over comes last."""
    out = call("metric", "paths", "-o", "view=matrix", "-o", "top=3", "--by", "country", "-w", shop).out
    lines = [line.split() for line in out.splitlines()]
    assert ["node", *("step 1", "step 2", "step 3", "step 4", "step 5")]
    assert ["(end)", "100%", "█", "100%", "█", "100%", "█"] in lines
    assert ["buy", "100%", "█"] in lines
