"""``regulars cohort``: lists, files, and cohorts that never change."""

import pytest

from tests.interfaces.cli import call, make_workspace, one_line

RULES = """
[cohorts.buyers]
did = "purchase"
last_days = 2
"""


@pytest.fixture
def shop(tmp_path):
    folder = make_workspace(tmp_path)
    with (folder / "regulars.toml").open("a") as file:
        file.write(RULES)
    return folder


def test_the_people_of_a_day_are_listed(shop):
    """With a heading for people, without one on request, and as JSON for programs."""
    done = call("cohort", "buyers", "--on", "2026-03-04", "-w", shop)
    assert done.out.splitlines() == ["1 user in buyers on 2026-03-04", "cyd"]
    assert call("cohort", "buyers", "-q", "-w", shop).out == "cyd\n"
    assert call("cohort", "new_user", "-w", shop).out.splitlines()[0] == "3 users in new_user on the last day with data"
    found = call("cohort", "buyers", "--on", "2026-03-03", "--format", "json", "-w", shop).json
    assert found == {"cohort": "buyers", "on": "2026-03-03", "users": []}


def test_the_people_are_exported(shop, tmp_path):
    """Into the form that the ending of the file names."""
    assert call("cohort", "buyers", "--output", tmp_path / "b.csv", "-w", shop).code == 0
    assert (tmp_path / "b.csv").read_text() == "user_id\ncyd\n"
    assert call("cohort", "buyers", "--output", tmp_path / "b.parquet", "-w", shop).code == 0
    assert (tmp_path / "b.parquet").read_bytes()[:4] == b"PAR1"


def test_a_cohort_is_frozen_and_used_by_its_name(shop):
    """It says how many it kept; quietly, if asked."""
    done = call("cohort", "buyers", "--freeze", "march_buyers", "-w", shop)
    assert done.out == "1 user kept as cohort.march_buyers\n"
    assert call("cohort", "march_buyers", "-q", "-w", shop).out == "cyd\n"
    assert call("cohort", "buyers", "--on", "2026-03-02", "--freeze", "nobody", "-q", "-w", shop).out == ""
    rows = call("metric", "mau", "--where", "cohort.march_buyers", "--format", "json", "-w", shop).json["rows"]
    assert rows[-1]["active_users"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["byers"], "did you mean 'cohort.buyers'"),
        (["buyers", "--on", "yesterday"], "must be a day like 2026-01-31"),
        (["buyers", "--freeze", "x", "--format", "csv"], "leave the other options out"),
        (["buyers", "--freeze", "buyers"], "choose another name"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(shop, arguments, said):
    """With the way out."""
    done = call("cohort", *arguments, "-w", shop)
    assert done.code == 2
    assert said in done.err
    assert one_line(done.err)
