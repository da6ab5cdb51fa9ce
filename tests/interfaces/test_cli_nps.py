"""The net promoter score as people read it, its change, and an answer recorded."""

from __future__ import annotations

import json

import pytest

from tests.interfaces.cli import call

ANSWERS = [
    *((f"a{n}", "2026-01-10", score) for n, score in enumerate((10, 9, 8, 3))),
    *((f"b{n}", "2026-02-10", score) for n, score in enumerate((10, 10, 9, 7, 11))),
]


@pytest.fixture
def shop(tmp_path):
    """Four answers in January, four in February and one that is none."""
    rows = [
        {"user_id": user, "event_type": "nps_response", "timestamp": f"{day}T09:00:00Z", "score": score,
         "survey": "spring", "plan": "paid" if user[1] == "0" else "free"}
        for user, day, score in ANSWERS
    ]  # fmt: skip
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert call("init", tmp_path / "shop").code == 0
    assert call("import", tmp_path / "answers.jsonl", "-w", tmp_path / "shop").code == 0
    return tmp_path / "shop"


def test_the_score_stands_first_with_its_interval_and_groups(shop):
    """5 promoters, 2 passives, 1 detractor of 8; then month by month."""
    done = call("nps", "--start", "2026-01-01", "-w", shop)
    assert done.code == 0, done.err
    assert "NPS +50.0 (95 % from -7.4 to +80.2), 8 answers" in done.out
    told = [line.split()[:4] for line in done.out.splitlines()]
    assert [line for line in told if line and line[0] in ("promoters", "passives", "detractors")] == [
        ["promoters", "9-10", "5", "62.5%"], ["passives", "7-8", "2", "25.0%"], ["detractors", "0-6", "1", "12.5%"],
    ]  # fmt: skip
    assert "2026-02-01" in done.out
    assert "answers whose score is outside 0 to 10, which do not count: 1" in done.out


def test_each_slice_has_its_score(shop):
    """And what nobody answered has none."""
    done = call("nps", "--start", "2026-01-01", "--by", "plan", "--limit", "1", "--per", "week", "-w", shop)
    assert "free: NPS +33.3" in done.out
    assert "other: NPS +100.0" in done.out
    assert "no score: nobody answered" in call("nps", "--survey", "autumn", "-w", shop).out
    assert "no rows" in call("nps", "--survey", "autumn", "--by", "plan", "-q", "-w", shop).out


def test_a_change_is_told_in_words_and_as_json(shop):
    """Between ranges apart, whole or by slice; everybody alike cannot be judged."""
    february = ("nps", "--start", "2026-02-01", "--against", "2026-01-01..2026-01-31", "-w", shop)
    done = call(*february)
    assert "points since then (95 % from " in done.out
    assert "no more than chance explains" in done.out
    (told,) = call(*february, "--format", "json").json["changes"]
    assert (told["before"]["nps"], told["after"]["nps"], told["difference"]) == (25.0, 75.0, 50.0)
    assert "paid: +0.0 points; everybody answered alike" in call(*february, "--by", "plan").out
    assert "nobody answered in one of the ranges" in call(*february, "--survey", "autumn").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--against", "january"), "must look like 2026-01-01..2026-03-31"),
        (("--against", "2026-01-01..x"), "must look like 2026-01-01..2026-03-31"),
        (("--start", "2026-02-01", "--against", "2026-01-01..2026-02-01"), "both ranges hold the month of 2026-02-01"),
        (("--start", "2026-02-01", "--against", "2026-01-01..2026-01-31", "--per", "quarter"), "hold the quarter of"),
        (("--start", "2026-02-01", "--against", "2026-01-01..2026-01-31", "--format", "csv"), "use --format json"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, said, shop):
    """With the way out."""
    done = call("nps", *arguments, "-w", shop)
    assert done.code == 2
    assert said in done.err


def test_an_answer_is_recorded_and_counted(shop):
    """At a time, or now; a score that is none is refused."""
    done = call("nps", "record", "zoe", "2", "--comment", "slow", "--at", "2026-02-11T10:00:00+01:00", "-w", shop)
    assert (done.code, done.out) == (0, "recorded 2 of zoe\n")
    assert call("nps", "--start", "2026-02-01", "--format", "json", "-w", shop).json["rows"][0]["detractors"] == 1
    assert call("nps", "record", "zoe", "9", "-q", "-w", shop).out == ""
    assert call("sql", "SELECT count(*) AS n FROM fact_nps_responses", "--format", "csv", "-w", shop).out == "n\n10\n"
    refused = call("nps", "record", "zoe", "11", "-w", shop)
    assert (refused.code, "whole number from 0 to 10, not 11" in refused.err) == (2, True)
    assert "zone" in call("nps", "record", "zoe", "9", "--at", "2026-02-11", "-w", shop).err
