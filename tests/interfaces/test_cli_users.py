"""``regulars users``: the people behind a number, as many as the number says."""

import pytest

from tests.interfaces.cli import call

ROWS = [("ada", "DE", 1), ("ada", "DE", 2), ("ben", "FR", 2), ("cem", "DE", 2), ("cem", "DE", 3), ("dan", "", 3)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("users") / "shop"
    lines = [f"{user},like,2026-03-0{day}T12:00:00Z,{country}" for user, country, day in ROWS]
    events = folder.parent / "events.csv"
    events.write_text("\n".join(["user_id,event_type,timestamp,country", *lines]) + "\n")
    assert call("init", folder).code == 0
    assert call("import", events, "-w", folder).code == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "people"),
    [
        (["dau"], ["cem", "dan"]),
        (["mau"], ["ada", "ben", "cem", "dan"]),
        (["dau", "--at", "date=2026-03-02"], ["ada", "ben", "cem"]),
        (["dau", "--by", "country", "--at", "country=DE"], ["cem"]),
        (["mau", "--by", "country", "--at", "country=(none)"], ["dan"]),
        (["mau", "--by", "country", "--limit", "1", "--rest"], ["ben", "dan"]),
        (["new_vs_returning", "--column", "new", "--at", "date=2026-03-02"], ["ben", "cem"]),
        (["new_vs_returning", "--column", "returning", "--at", "date=2026-03-02"], ["ada"]),
        (["tiers", "--at", "tier=casual"], ["ada", "ben", "cem", "dan"]),
        (["active_days", "--at", "active_days=2"], ["ada", "cem"]),
        (["sessions", "--at", "date=2026-03-02"], ["ada", "ben", "cem"]),
    ],
    ids=" ".join,
)
def test_the_list_has_the_people_of_the_cell(arguments, people, shop):
    """Chosen by the values of its row, the last one by default."""
    done = call("users", *arguments, "--format", "json", "-w", shop)
    assert done.code == 0, done.err
    assert done.json["users"] == people


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new_vs_returning"], "say which column: new, returning, active_users"),
        (["actions", "--column", "actions"], "count no people"),
        (["mau", "--at", "country=DE"], "no column 'country'"),
        (["mau", "--at", "date=1999-01-01"], "no row has date=1999-01-01"),
        (["mau", "--at", "date"], "must look like column=value"),
        (["stickiness", "--column", "stickiness"], "count no people"),
        (["mua"], "did you mean"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_cell_that_cannot_be_opened_is_one_line_and_exit_code_two(arguments, said, shop):
    """With what can be opened instead."""
    done = call("users", *arguments, "-w", shop)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_every_format_has_the_same_people(shop, tmp_path):
    """A list to read, a column to join with."""
    assert call("users", "dau", "-w", shop).out.splitlines()[1:] == ["cem", "dan"]
    assert call("users", "dau", "--format", "csv", "-w", shop).out.splitlines() == ["user_id", "cem", "dan"]
    assert call("users", "dau", "--output", tmp_path / "x.parquet", "-w", shop).code == 0
    assert (tmp_path / "x.parquet").read_bytes()[:4] == b"PAR1"
