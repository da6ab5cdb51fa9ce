"""``regulars metric``: the question that was meant, the answer that Python gives, and clear words when it is wrong."""

import csv
import io
import json
from datetime import date

import duckdb
import msgspec
import pytest

import regulars
from regulars.domain.metrics import ALIASES, METRICS
from tests.interfaces.cli import call, make_workspace, one_line, spawn

HOSTILE = [
    "'; DROP TABLE arrivals; --",
    'say "hi"',
    "naïve ☃ 名前",
    "a;b",
    "back\\slash",
    "=1+1",
    "${HOME}",
    "user.plan",
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("metric"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Events whose property names and values are what an attacker, or an honest product, may send."""
    folder = tmp_path_factory.mktemp("hostile")
    events = [
        {
            "user_id": f"u{i}", "event_type": "login", "timestamp": "2026-03-02T08:15:00Z",
            "properties": {name: f"{name} {i % 2}" for name in HOSTILE},
        }
        for i in range(6)
    ]  # fmt: skip
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)))
    assert call("init", folder / "shop").code == 0
    assert call("import", folder / "events.jsonl", "-w", folder / "shop").code == 0
    return folder / "shop"


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty") / "shop"
    assert call("init", folder).code == 0
    return folder


def python_answer(folder, name, **question):
    with regulars.open(folder, read_only=True) as ws:
        return ws.metric(name, **question)


@pytest.mark.parametrize(
    ("arguments", "name", "question"),
    [
        (["dau"], "dau", {}),
        (["mau", "--by", "country"], "mau", {"by": "country"}),
        (["wau", "--by", "country,plan", "--limit", "2"], "wau", {"by": ["country", "plan"], "limit": 2}),
        (["wau", "--by", "country", "--by", "plan"], "wau", {"by": ["country", "plan"]}),
        (
            ["active_users", "--window", "28", "--where", "plan = 'free'", "--where", "country in ('FR', 'DE')"],
            "active_users", {"window": 28, "where": ["plan = 'free'", "country in ('FR', 'DE')"]},
        ),
        (
            ["active_users", "--calendar", "month", "--grain", "month"],
            "active_users", {"calendar": "month", "grain": "month"},
        ),
        (["active_users", "--grain", "hour"], "active_users", {"grain": "hour"}),
        (["dau", "--start", "2026-03-02", "--end", "2026-03-03"], "dau", {"start": "2026-03-02", "end": "2026-03-03"}),
        (["dau", "--activity", "any", "--population", "all"], "dau", {"activity": "any", "population": "all"}),
        (["dau", "--as-of", "2026-03-03"], "dau", {"as_of": "2026-03-03"}),
        (["stickiness", "-o", "numerator=7", "-o", "method=mean"], "stickiness", {"numerator": 7, "method": "mean"}),
        (["actions", "--option", "weighted=true"], "actions", {"weighted": True}),
        (["new_vs_returning", "-o", "new_by=registration"], "new_vs_returning", {"new_by": "registration"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_the_json_of_the_command_is_the_result_of_python(arguments, name, question, shop):
    """One question, one answer, whichever door it comes through."""
    done = call("metric", *arguments, "--format", "json", "-w", shop)
    assert done.code == 0, done.err
    assert done.json == msgspec.json.decode(python_answer(shop, name, **question).to_json())


# What a metric cannot be asked without.
STEPS = dict.fromkeys(("funnel", "funnel_trend", "time_to_convert"), ("-o", "steps=login -> view"))
STEPS["experiment"] = ("-o", "experiment=checkout")


@pytest.mark.parametrize("name", [*METRICS, *ALIASES])
def test_every_metric_of_the_catalogue_can_be_asked_and_shown(name, shop):
    """A metric is on the command line as soon as it has a record."""
    # What costs how much is a property of one's own, which this workspace lacks.
    own = ("-o", "property=duration_seconds") if name == "revenue" else ()
    done = call("metric", name, *own, *STEPS.get(name, ()), "-w", shop)
    assert done.code == 0, done.err
    assert METRICS[ALIASES[name][0] if name in ALIASES else name].title in done.out


def test_a_query_as_json_is_the_same_question(shop, tmp_path):
    """From a file or from stdin, the form that programs keep."""
    question = {"metric": "active_users", "window": 7, "breakdown": ["plan"]}
    (tmp_path / "q.json").write_text(json.dumps(question))
    expected = python_answer(shop, "active_users", window=7, by="plan")
    for source, stdin in ((tmp_path / "q.json", None), ("-", json.dumps(question))):
        done = call("metric", "--query", source, "--format", "json", "-w", shop, stdin=stdin)
        assert done.json["rows"] == msgspec.to_builtins(expected.rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["actve_users"], "did you mean 'active_users'?"),
        (["dau", "--by", "countri"], "did you mean 'country'?"),
        (["dau", "--where", "countri = 'DE'"], "did you mean 'country'?"),
        (["dau", "--activity", "cor"], "did you mean 'core'?"),
        (["dau", "--start", "2026-02-30"], "start must be a day like 2026-01-31"),
        (["dau", "--end", "tomorrow"], "end must be a day like 2026-01-31"),
        (["dau", "--start", "2026-03-05", "--end", "2026-03-01"], "after its end"),
        (["dau", "--window", "0"], "between 1 and 366"),
        (["dau", "--window", "x"], "--window"),
        (["dau", "--limit", "0"], "between 1 and 1000"),
        (["dau", "--grain", "minute"], "'hour', 'day', 'week', 'month'"),
        (["dau", "--window", "7", "--calendar", "week"], "exclude each other"),
        (["dau", "--where", "plan = 'paid'; DROP TABLE arrivals"], "cannot read the condition"),
        (["dau", "--where", "plan ="], "cannot read the condition"),
        (["dau", "--where", ""], "cannot read the condition"),
        (["dau", "--by", ""], "unknown property"),
        (["dau", "--by", "'; DROP TABLE arrivals; --"], "unknown property"),
        (["stickiness", "-o", "method"], "key=value"),
        (["stickiness", "-o", "methods=mean"], "did you mean 'method'?"),
        (["stickiness", "-o", "method=sum"], "ratio, mean, return"),
        (["stickiness", "-o", "numerator=seven"], "whole number from 1 to 366"),
        (["stickiness", "-o", "window=7"], "unknown option"),
        (["dau", "--engine", "clickhouse"], "--sql"),
        (["dau", "--format", "parquet"], "--output"),
        (["dau", "--format", "xml"], "'table', 'json', 'csv', 'parquet'"),
        ([], "name a metric"),
        (["dau", "--query", "-"], "leave out NAME"),
        (["--query", "-", "--by", "plan"], "leave out --by"),
        (["--query", "nosuchfile.json"], "nosuchfile.json"),
        (["--query", "-"], "not valid JSON"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_question_is_one_line_and_exit_code_two(arguments, said, shop):
    """The line says what is wrong, which value, and what is allowed."""
    done = call("metric", *arguments, "-w", shop, stdin="{")
    assert done.code == 2
    assert one_line(done.err), done.err
    assert said in done.err
    assert done.out == ""


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_and_values_are_just_names_and_values(name, hostile):
    """A property of any name can be sliced and filtered by, and nothing of it is ever run."""
    quoted = '"' + name.replace('"', '""') + '"'
    done = call("metric", "dau", "--by", quoted, "--format", "json", "--start", "2026-03-02", "-w", hostile)
    assert done.code == 0, done.err
    counts = {next(v for k, v in row.items() if k not in {"date", "active_users", "flags"}): row["active_users"]
              for row in done.json["rows"]}  # fmt: skip
    assert counts == {f"{name} 0": 3, f"{name} 1": 3}
    value = f"{name} 1".replace("'", "''")
    chosen = call(
        "metric", "dau", "--where", f"{quoted} = '{value}'", "--format", "json", "--start", "2026-03-02", "-w", hostile
    )
    assert chosen.code == 0, chosen.err
    assert [row["active_users"] for row in chosen.json["rows"]] == [3]


def test_no_spreadsheet_runs_a_value(hostile):
    """A value that begins like a formula gets an apostrophe, in every row."""
    done = call("metric", "dau", "--by", '"=1+1"', "--format", "csv", "--start", "2026-03-02", "-w", hostile)
    rows = list(csv.reader(io.StringIO(done.out)))
    assert {row[1] for row in rows[1:]} == {"'=1+1 0", "'=1+1 1"}


def test_csv_has_plain_columns_and_joined_flags(shop):
    """What pandas, R and a spreadsheet read without thinking."""
    done = call("metric", "mau", "--by", "plan", "--start", "2026-03-02", "--format", "csv", "-w", shop)
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert list(rows[0]) == ["date", "plan", "active_users", "flags"]
    assert rows[0]["date"] == "2026-03-02"
    assert {row["flags"] for row in rows} == {"warming_up"}


def test_parquet_has_the_types_of_the_catalogue(shop, tmp_path):
    """Also for a column that is empty throughout; without pyarrow."""
    file = tmp_path / "it's.parquet"
    done = call("metric", "stickiness", "--by", "plan", "--output", file, "-w", shop)
    assert done.code == 0, done.err
    told = duckdb.sql(f"DESCRIBE FROM read_parquet('{str(file).replace(chr(39), chr(39) * 2)}')").fetchall()
    assert {row[0]: row[1] for row in told} == {
        "date": "DATE", "plan": "VARCHAR", "numerator": "DOUBLE", "denominator": "BIGINT", "stickiness": "DOUBLE",
        "flags": "VARCHAR[]",
    }  # fmt: skip


@pytest.mark.parametrize(("ending", "start"), [("csv", "date,"), ("json", "{"), ("txt", "Active users")])
def test_the_ending_of_the_output_chooses_the_format(ending, start, shop, tmp_path):
    """And nothing goes to stdout."""
    done = call("metric", "dau", "--output", tmp_path / f"answer.{ending}", "-w", shop)
    assert (done.code, done.out) == (0, "")
    assert (tmp_path / f"answer.{ending}").read_text().startswith(start)


def test_an_output_that_cannot_be_written_is_one_line(shop, tmp_path):
    """The system's words and the path."""
    done = call("metric", "dau", "--output", tmp_path / "no" / "where.csv", "-w", shop)
    assert done.code == 3
    assert one_line(done.err)


def test_sql_prints_the_statement_and_nothing_else(shop):
    """It can be piped into the next command, and gives the same number."""
    done = call("metric", "dau", "--start", "2026-03-03", "--end", "2026-03-03", "--sql", "-w", shop)
    expected = python_answer(shop, "dau", start="2026-03-03", end="2026-03-03")
    assert done.out.rstrip("\n") == expected.sql
    assert [row["active_users"] for row in expected.rows] == [2]


def test_the_sql_of_another_engine_is_spelt_in_its_dialect(shop):
    """For whoever has the same tables in ClickHouse."""
    done = call("metric", "dau", "--sql", "--engine", "clickhouse", "-w", shop)
    assert done.code == 0, done.err
    assert done.out != call("metric", "dau", "--sql", "-w", shop).out
    assert "SELECT" in done.out


def test_a_table_says_what_was_asked_and_how_complete_it_is(shop):
    """Metric, window, slices, range, time zone, completeness, and a legend for the marks it uses."""
    out = call("metric", "mau", "--start", "2026-03-02", "-w", shop).out
    assert out.startswith("Active users · 30-day window · per day · 2026-03-02 to 2026-03-04\n")
    assert "Days are calendar days in UTC; complete through 2026-03-04." in out
    assert "^ warming up" in out
    assert "* incomplete" not in out


def test_a_day_that_is_not_over_is_marked_and_explained(tmp_path):
    """Today's number can still grow, and the table says so."""
    shop = make_workspace(tmp_path)
    now = regulars.open().now()
    (tmp_path / "now.csv").write_text(f"user_id,event_type,timestamp\nada,login,{now.isoformat()}Z\n")
    assert call("import", tmp_path / "now.csv", "-w", shop).code == 0
    out = call("metric", "dau", "-w", shop).out
    assert f"{now.date()} is not over yet" in out
    assert "* incomplete: not over yet" in out


def test_quiet_prints_the_numbers_only(shop):
    """No heading, no legend."""
    out = call("metric", "mau", "--start", "2026-03-02", "-q", "-w", shop).out
    assert "Active users ·" not in out
    assert "warming up" not in out
    assert "2026-03-04" in out


def test_a_long_series_shows_its_end_and_says_so(shop):
    """90 days do not fit a screen; --all shows them."""
    short = call("metric", "dau", "-w", shop).out
    assert "the last 31 of 90 rows; --all shows every row" in short
    assert "2025-12-06" not in short
    assert "2025-12-06" in call("metric", "dau", "--all", "-w", shop).out


def test_few_buckets_of_few_slices_are_a_pivot(shop):
    """Dates down, slices across."""
    out = call("metric", "dau", "--by", "country", "--start", "2026-03-02", "-w", shop).out
    head = next(line for line in out.splitlines() if line.startswith("date"))
    assert head.split() == ["date", "DE", "FR"]
    assert "2026-03-03    1    1" in out


def test_many_buckets_of_slices_are_one_line_each(shop):
    """The last complete value, a bar, and a sparkline."""
    out = call("metric", "dau", "--by", "country", "-w", shop).out
    line = next(line for line in out.splitlines() if line.startswith("DE"))
    assert line.split()[1] == "1"
    assert "numbers of 2026-03-04" in out


def test_a_missing_value_and_the_rest_have_names_of_their_own(shop):
    """(none) for people without the attribute, the rest told from a value spelt 'other'."""
    out = call(
        "metric", "dau", "--by", "device_type", "--by", "country", "--limit", "1", "--start", "2026-03-02", "-w", shop
    ).out
    assert "(none)" in out
    assert "other (all the rest)" in out


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("form", ["table", "json", "csv", "parquet"])
def test_an_empty_workspace_has_an_answer_in_every_format(name, form, empty, tmp_path):
    """No data is no error: the table says so, the others have a header and no rows."""
    output = ["--output", tmp_path / "x.parquet"] if form == "parquet" else []
    by = [] if name == "tier_transitions" else ["--by", "country"]
    done = call("metric", name, *by, *STEPS.get(name, ()), "--format", form, *output, "-w", empty)
    assert done.code == 0, done.err
    if form == "table":
        assert "the workspace has no data yet" in done.out
    elif form == "json":
        assert done.json["rows"] == []


@pytest.mark.parametrize(
    "arguments", [["mau"], ["stickiness"], ["actions", "--by", "country"], ["mau", "--by", "plan"]]
)
def test_no_line_of_a_table_is_wider_than_the_terminal(arguments, shop):
    """Eighty columns are enough for everybody."""
    out = spawn("metric", *arguments, "-w", shop, COLUMNS="80").out
    assert max(map(len, out.splitlines()[2:])) <= 80


def test_no_color_and_pipes_get_plain_text(shop):
    """No escape sequence where nobody can see it."""
    assert "\x1b" not in spawn("metric", "dau", "-w", shop, NO_COLOR="1", FORCE_COLOR="").out


def test_the_catalogue_lists_every_metric_and_describes_one():
    """Names, titles, units, columns and options come from the records."""
    listed = call("metrics").out
    assert all(name in listed for name in [*METRICS, *ALIASES])
    page = call("metrics", "stickiness").out
    assert METRICS["stickiness"].columns[-1].description in page
    assert "ratio|mean|return (default ratio)" in page
    assert call("metrics", "dau").out.startswith("Active users (active_users)")


def test_the_catalogue_as_json_holds_the_records():
    """For programs that build a form from it."""
    told = {metric["name"]: metric for metric in call("metrics", "--format", "json").json}
    assert list(told) == list(METRICS)
    for name, record in METRICS.items():
        assert [column["name"] for column in told[name]["columns"]] == [column.name for column in record.columns]
        assert {option["name"]: option["default"] for option in told[name]["options"]} == {
            option.name: option.default for option in record.options
        }


def test_an_unknown_metric_in_the_catalogue_is_answered_with_the_nearest():
    """The same words as when it is asked."""
    done = call("metrics", "stickines")
    assert done.code == 2
    assert "did you mean 'stickiness'?" in done.err


def test_dates_in_python_and_text_on_the_command_line_mean_the_same(shop):
    """The shell knows text only."""
    told = call("metric", "dau", "--start", "2026-03-02", "--format", "json", "-w", shop).json
    assert told["rows"] == msgspec.to_builtins(python_answer(shop, "dau", start=date(2026, 3, 2)).rows)


def test_a_number_is_explained_down_to_people_and_events(shop):
    """By its last row, or the one that was named; an answer without people explains itself too."""
    said = call("explain", "mau", "-w", shop)
    assert said.code == 0, said.err
    assert "For example active_users = " in said.out
    assert "SELECT" in said.out
    said = call("explain", "lifecycle", "--grain", "week", "--column", "new", "-w", shop)
    assert "For example new = " in said.out
    assert "people in the range" in call("explain", "stickiness", "-o", "summary=mean", "-w", shop).out
    assert call("explain", "mau", "--at", "date=1999-01-01", "-w", shop).code == 2
