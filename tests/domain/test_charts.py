"""Charts: the form suits the metric, the numbers are those of the rows, and what is not over is seen to be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import vl_convert

import regulars
from regulars.domain.charts import chart
from regulars.domain.metrics import METRICS
from regulars.errors import MissingExtraError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.workspace import Workspace

DAYS = {"ada": (1, 2, 3, 8, 9), "bob": (1, 4, 9), "eve": (2, 3)}


@pytest.fixture(scope="module")
def ws() -> Iterator[Workspace]:
    """Three people in the first days of January; the 9th is not over."""
    with regulars.open(clock=lambda: datetime(2026, 1, 9, 12, tzinfo=UTC)) as opened:
        opened.load(
            [
                {
                    "user_id": who,
                    "event_type": "like",
                    "timestamp": f"2026-01-{day:02}T09:00:00Z",
                    "geo": {"country": who[0]},
                }
                for who, days in DAYS.items()
                for day in days
            ]
        )
        yield opened


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_draws_itself_plain_and_sliced(ws: Workspace, name: str) -> None:
    """Whatever the form, it is valid, and a renderer makes a picture of it."""
    for asked in ({}, {"by": "country"}):
        if asked and name == "tier_transitions":
            continue
        result = ws.metric(name, start="2026-01-01", **NEEDED.get(name, {}), **asked)
        spec = result.plot().to_dict()
        assert METRICS[name].title in spec["title"]["text"]
        assert vl_convert.vegalite_to_svg(spec).startswith("<svg")


# Options without which a metric cannot be asked.
WAY = {"steps": "like -> like"}
NEEDED: dict[str, dict[str, Any]] = {
    "revenue": {"property": "duration_seconds"},
    "funnel": WAY,
    "funnel_trend": WAY,
    "time_to_convert": WAY,
    "experiment": {"experiment": "checkout", "event": "like"},
}


def test_the_numbers_drawn_are_those_of_the_rows(ws: Workspace) -> None:
    """Dates as text, flags as words, the slice in one piece, and nothing else changed."""
    result = ws.active_users(start="2026-01-08", by="country", limit=1)
    values = chart(result)["data"]["values"]
    assert [(each["date"], each["slice"], each["active_users"]) for each in values] == [
        ("2026-01-08", "a", 1), ("2026-01-08", "other", 0), ("2026-01-09", "a", 1), ("2026-01-09", "other", 1),
    ]  # fmt: skip
    assert [each["is_incomplete"] for each in values] == [False, False, True, True]
    json.dumps(values)


def test_each_form_suits_its_metric(ws: Workspace) -> None:
    """Losses go down, cohorts make a triangle, shares have an axis in percent, windows are in the title."""
    flows = chart(ws.lifecycle())
    assert {"calculate": "datum.part == 'churned' ? -datum.people : datum.people", "as": "signed"} in flows["transform"]
    triangle = chart(ws.retention())
    assert triangle["layer"][0]["mark"] == "rect"
    assert chart(ws.retention(by="country"))["facet"]["row"]["field"] == "slice"
    assert chart(ws.stickiness())["encoding"]["y"]["axis"] == {"format": "%"}
    assert chart(ws.active_users(window=7))["title"]["text"] == "Active users, 7-day window"
    assert chart(ws.active_users(calendar="week"))["title"]["text"] == "Active users, calendar week"
    assert chart(ws.retention(), "retention_users")["layer"][1]["encoding"]["text"]["format"] == ","
    assert chart(ws.active_days())["encoding"]["y"]["field"] == "users"
    assert chart(ws.sessions(profile="hour"))["encoding"]["x"]["field"] == "hour"


def test_another_column_can_be_chosen_and_a_wrong_one_is_refused(ws: Workspace) -> None:
    """With those there are."""
    assert chart(ws.new_vs_returning(), "new")["encoding"]["y"]["field"] == "new"
    with pytest.raises(UnknownNameError, match="did you mean 'returning'") as found:
        ws.new_vs_returning().plot("returningg")
    assert found.value.code == "unknown_column"


def test_an_empty_result_is_an_empty_chart() -> None:
    """No error, no invented point."""
    with regulars.open() as empty:
        assert chart(empty.active_users())["data"]["values"] == []


def test_without_altair_the_error_says_what_to_install(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    monkeypatch.setitem(__import__("sys").modules, "altair", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'regulars\[plot\]'"):
        ws.active_users().plot()


def test_a_name_that_no_picture_can_hold_is_drawn_with_a_sign_in_its_place() -> None:
    """A control character would end the whole process in what draws; the rows keep what was sent."""
    events = [
        {"user_id": name, "event_type": "like", "timestamp": "2026-01-12T09:00:00Z", "country": f"{name}\x00\x1b\ufffe"}
        for name in ("ada", "ben")
    ]
    with regulars.open(clock=lambda: datetime(2026, 1, 20, tzinfo=UTC)) as opened:
        opened.load(events)
        result = opened.active_users(by="country", start="2026-01-12", end="2026-01-12")
        assert {row["country"] for row in result.rows} == {"ada\x00\x1b\ufffe", "ben\x00\x1b\ufffe"}
        program = "import json, sys, vl_convert; print(len(vl_convert.vegalite_to_svg(json.load(sys.stdin))))"
        drawn = subprocess.run(  # noqa: S603 -- our own program
            [sys.executable, "-c", program], input=json.dumps(result.plot().to_dict()), capture_output=True, check=True,
            text=True, timeout=60,
        )  # fmt: skip
    assert int(drawn.stdout) > 1000


def test_a_day_keeps_its_name_whatever_the_time_zone_of_the_machine() -> None:
    """West of UTC, midnight UTC is the evening before."""
    program = (
        "import json, sys, vl_convert; print(vl_convert.vegalite_to_svg(json.load(sys.stdin)).replace('><', '>\\n<'))"
    )
    with regulars.open(clock=lambda: datetime(2026, 1, 20, tzinfo=UTC)) as opened:
        opened.load(
            [{"user_id": "ada", "event_type": "like", "timestamp": f"2026-01-{day}T09:00:00Z"} for day in (12, 19)]
        )
        for asked in ({"name": "lifecycle", "grain": "week"}, {"name": "dau"}):
            spec = json.dumps(opened.metric(**asked, start="2026-01-12").plot().to_dict())
            drawn = {
                subprocess.run(  # noqa: S603 -- our own program
                    [sys.executable, "-c", program], input=spec, env={**os.environ, "TZ": zone}, capture_output=True,
                    check=True, text=True, timeout=60,
                ).stdout
                for zone in ("America/New_York", "UTC", "Asia/Tokyo")
            }  # fmt: skip
            assert len(drawn) == 1
