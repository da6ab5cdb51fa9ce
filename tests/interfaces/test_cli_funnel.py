"""``regulars funnel``: bars for people, the same rows as Python for programs."""

import json

import pytest

import regulars
from regulars.interfaces.cli.steps import duration
from tests.interfaces.cli import call, one_line


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Four sign up, three look, one buys after two days; two of them on the web."""
    folder = tmp_path_factory.mktemp("funnel")
    rows = [("abcd", "sign_up", "05T10:00:00"), ("abc", "view", "05T10:02:05"), ("a", "purchase", "07T13:02:05")]
    events = [
        {"user_id": user, "event_type": kind, "timestamp": f"2026-01-{at}Z", "platform": "web" if user in "ab" else "x"}
        for users, kind, at in rows
        for user in users
    ]
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)))
    assert call("init", folder / "shop").code == 0
    assert call("import", folder / "events.jsonl", "-w", folder / "shop").code == 0
    return folder / "shop"


def test_a_funnel_for_people(shop, monkeypatch):
    """Steps with their bars, shares and times, and where most people are lost."""
    monkeypatch.setenv("COLUMNS", "100")
    told = call("funnel", "sign_up", "view", "purchase", "--start", "2026-01-01", "-w", shop)
    assert told.code == 0
    lines = told.out.splitlines()
    assert lines[0] == "Funnel · within 14 days · begun 2026-01-01 to 2026-01-07"
    steps = [line for line in lines if line[:1].isdigit()]
    assert [line.split()[:3] for line in steps] == [["1", "sign_up", "4"], ["2", "view", "3"], ["3", "purchase", "1"]]
    assert "2 min 5 s" in steps[1]
    assert "2 d 3 h" in steps[2]
    assert "█" in steps[2]
    assert "most people drop out after step 2, view: 2 of 3 (66.7%)" in told.out
    assert "incomplete" in told.out
    assert "empty" not in told.out


def test_slices_orders_and_silence(shop):
    """Each slice by itself; --quiet leaves only the numbers; nobody and nothing are said in words."""
    told = call("funnel", "sign_up -> view -> purchase", "--by", "platform", "--order", "any", "-w", shop)
    assert "in any order · by platform · begun in the 90 days to 2026-01-07" in told.out
    assert "web: most people drop out after step 2, 2 of 3 steps: 1 of 2 (50.0%)" in told.out
    assert "Funnel" not in call("funnel", "sign_up", "view", "-q", "-w", shop).out
    assert "nobody began this way" in call("funnel", "like", "view", "-w", shop).out
    assert "no rows: " in call("funnel", "like", "view", "--by", "platform", "-w", shop).out
    same = call("funnel", "sign_up", "sign_up, view", "--where", "user_id = 'a'", "-w", shop)
    assert "nobody drops out" in same.out


def test_programs_get_the_rows_of_python(shop):
    """With conditions, repeated steps, exclusions and slices."""
    steps = ["sign_up", '{"events": ["view"], "times": 1}', "purchase where platform = 'web'"]
    exclude = ["--exclude", "view between 1 and 3", "--exclude", "like between 1 and 2"]
    told = call("funnel", *steps, *exclude, "--by", "platform", "--format", "json", "--attribution", "last",
                "--within", "3 days", "-w", shop)  # fmt: skip
    with regulars.open(shop, read_only=True) as ws:
        python = ws.funnel(
            ["sign_up", {"events": ["view"], "times": 1}, "purchase where platform = 'web'"], by="platform",
            exclusions="view between 1 and 3; like between 1 and 2", attribution="last", within="3 days",
        )  # fmt: skip
    assert told.json["rows"] == python.rows
    assert call("funnel", *steps, "--format", "csv", "-w", shop).out.startswith("step,name,users,dropped")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sign_up"], "2 to 20 steps, not 1"),
        (["sign_up", "{"], "is not valid JSON"),
        (["a", "b", "--within", "soon"], "14 days or 30 minutes"),
        (["a", "b", "--exclude", "c"], "cancel between 1 and 2"),
        (["a", "b", "--format", "parquet"], "--output"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(shop, arguments, words):
    told = call("funnel", *arguments, "-w", shop)
    assert told.code == 2
    assert one_line(told.err)
    assert words in told.err


def test_times_are_told_in_their_two_largest_units():
    assert [duration(s) for s in (0, 59, 60, 3600, 90_061)] == ["0 s", "59 s", "1 min 0 s", "1 h 0 min", "1 d 1 h"]
