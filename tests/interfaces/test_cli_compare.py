"""``regulars compare``: two values, the rule between them, the people behind the gap."""

import re

import pytest

from tests.interfaces.cli import call

DAYS = {"ada": ("01-05", "02-03"), "ben": ("01-05",), "cem": ("02-03",)}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare") / "shop"
    events = folder.parent / "events.csv"
    rows = [f"{user},like,2026-{day}T12:00:00Z" for user, days in DAYS.items() for day in days]
    events.write_text("\n".join(["user_id,event_type,timestamp", *rows]) + "\n")
    assert call("init", folder).code == 0
    assert call("import", events, "-w", folder).code == 0
    return folder


def test_people_read_both_numbers_the_rule_and_who_is_in_between(shop):
    done = call("compare", "mau", "--conventions", "statsig", "-w", shop)
    assert done.code == 0, done.err
    assert "window: 30 in regulars, 28 in statsig" in done.out
    assert "1 user only in regulars: ben" in done.out
    assert "0 users only in statsig" in done.out
    assert re.search(r"\d+ of 90 numbers differ; 1 shown, --all shows every one", done.out)


def test_programs_read_rows_and_lists(shop):
    arguments = ("compare", "mau", "--conventions", "regulars,statsig", "--at", "date=2026-02-03", "-w", shop)
    assert call(*arguments, "--format", "json").json["rows"] == [
        {"date": "2026-02-03", "column": "active_users", "baseline": 3, "compared": 2, "gap": -1, "flags": []}
    ]
    assert call(*arguments, "--format", "csv").out.splitlines() == [
        "date,column,baseline,compared,gap,flags",
        "2026-02-03,active_users,3,2,-1,",
    ]
    assert call(*arguments, "--users").out == "only in regulars: ben\n"
    assert call(*arguments, "--users", "--format", "json").json == {"regulars": ["ben"], "statsig": []}
    assert call(*arguments, "--users", "--format", "csv").out.splitlines() == ["only_in,user_id", "regulars,ben"]


def test_a_parquet_file_is_written(shop, tmp_path):
    for name, options in (("rows", ()), ("people", ("--users",))):
        target = tmp_path / f"{name}.parquet"
        done = call("compare", "mau", "--conventions", "statsig", *options, "--output", target, "-w", shop)
        assert done.code == 0, done.err
        assert target.read_bytes()[:4] == b"PAR1"


def test_where_nothing_differs_the_last_numbers_are_shown(shop):
    done = call("compare", "mau", "--conventions", "posthog", "-w", shop)
    assert "regulars and posthog take the same choices here" in done.out
    assert "behind the gap" not in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mau",), "Missing option '--conventions'"),
        (("mau", "--conventions", "heap"), "unknown convention 'heap'"),
        (("sessions", "--conventions", "posthog"), "says nothing about sessions"),
        (("mau", "--conventions", "statsig", "--at", "country=DE"), "no column 'country'"),
        (("mau", "--conventions", "statsig", "--at", "date=2020-01-01"), "no row has date=2020-01-01"),
        (("stickiness", "--conventions", "statsig", "--column", "stickiness", "--users"), "count no people"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_line(arguments, said, shop):
    done = call("compare", *arguments, "-w", shop)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
