"""``regulars prepare``: every table is what plain Python makes of the same rows, in columns that never move."""

import datetime as dt
import gzip
import hashlib
import json
import shutil

import duckdb
import pytest

from regulars.errors import SettingsError, SourceError
from regulars.synthetic.generate import generate
from regulars.synthetic.options import GeneratorOptions
from regulars.synthetic.prepare import main, prepare
from tests.synthetic import plain

SMALL = GeneratorOptions(n_users=40, days=35)
GROWING = GeneratorOptions(n_users=40, days=35, signups="growing", payments="once", weekend_factor=0.4)
DIRTY = GeneratorOptions(
    n_users=40, days=35, signups="growing", duplicates=0.05, late=0.05, out_of_order=0.1, malformed=0.05,
    anonymous=0.6, unknown_types=0.03, test_accounts=0.2, clock_skew=0.2,
)  # fmt: skip
USERS = "user_id,signup_date,plan,is_paid,country,marketing_source\n"
EVENTS = "event_id,user_id,event_time,event_type,course_id,watch_minutes,quiz_score,amount\n"


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    generate(SMALL, folder)
    return folder


@pytest.fixture
def folder(tmp_path):
    """Write users and events by hand; returns their folder."""

    def write(users="1,2025-01-01,free,false,IN,ads\n", events="1,1,2025-01-05T08:00:00Z,login,,,,\n", head=EVENTS):
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / "raw" / "users.csv").write_text(USERS + users, encoding="utf-8")
        (tmp_path / "raw" / "events.csv").write_text(head + events, encoding="utf-8")
        return tmp_path / "raw"

    return write


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("options", [SMALL, GROWING, DIRTY], ids=["clean", "growing", "dirty"])
def test_user_daily_is_what_plain_python_makes_of_the_same_rows(options, tmp_path):
    """Every user on every day, each count and sum computed a second time from the raw CSV."""
    generate(options, tmp_path / "raw")
    data = prepare(tmp_path / "raw", tmp_path / "out")
    users, events = (
        plain.rows(tmp_path / "raw" / "users.csv"),
        plain.good_events(plain.rows(tmp_path / "raw" / "events.csv")),
    )
    expected = plain.user_daily(users, events)
    found = plain.read_daily(tmp_path / "out" / "user_daily.csv")
    assert [row[:9] for row in found] == [row[:9] for row in expected]
    assert found == [pytest.approx(row) if row[14] is not None else row for row in expected]
    assert data.rows == len(found) == data.users * data.days
    assert data.mean_active_share == sum(row[8] for row in expected) / len(expected)


@pytest.mark.parametrize("options", [SMALL, DIRTY], ids=["clean", "dirty"])
def test_events_clean_has_the_good_rows_in_their_order(options, tmp_path):
    """Nothing is lost but what is rejected or repeated; minutes are filled, scores and amounts are not."""
    generate(options, tmp_path / "raw")
    prepare(tmp_path / "raw", tmp_path / "out")
    expected = plain.good_events(plain.rows(tmp_path / "raw" / "events.csv"))
    found = plain.rows(tmp_path / "out" / "events_clean.csv")
    assert len(found) == len(expected) > 1500
    for row, source in zip(found, expected, strict=True):
        assert row.pop("event_date") == row["event_time"][:10]
        assert float(row.pop("watch_minutes")) == float(source.pop("watch_minutes") or 0)
        assert row == source


def test_the_columns_are_the_documented_ones_in_order(raw, tmp_path):
    """Whoever reads by position reads the right column."""
    prepare(raw, tmp_path)
    heads = {path.stem: path.read_text().splitlines()[0] for path in tmp_path.glob("*.csv")}
    assert heads == {
        "users_clean": USERS.strip(),
        "events_clean": "event_id,user_id,event_time,event_date,event_type,course_id,watch_minutes,quiz_score,amount",
        "user_daily": ",".join(plain.DAILY),
        "rejects": "source,line,reason,detail,raw",
    }


def test_the_latent_score_is_kept_only_when_asked_for(raw, tmp_path):
    """It drives the made-up data and does not exist in real data."""
    prepare(raw, tmp_path / "one")
    assert "engagement_score" not in (tmp_path / "one" / "users_clean.csv").read_text()
    prepare(raw, tmp_path / "two", keep_latent=True)
    kept = [row["engagement_score"] for row in plain.rows(tmp_path / "two" / "users_clean.csv")]
    assert kept == [row["engagement_score"] for row in plain.rows(raw / "users.csv")]
    assert sha(tmp_path / "one" / "user_daily.csv") == sha(tmp_path / "two" / "user_daily.csv")


def test_days_before_sign_up_are_negative_or_left_out(tmp_path):
    """By default they are rows like others, with --from-signup they are none."""
    generate(GROWING, tmp_path / "raw")
    whole = prepare(tmp_path / "raw", tmp_path / "whole")
    cut = prepare(tmp_path / "raw", tmp_path / "cut", from_signup=True)
    all_rows, later = (plain.read_daily(tmp_path / name / "user_daily.csv") for name in ("whole", "cut"))
    assert min(row[3] for row in all_rows) < 0
    assert later == [row for row in all_rows if row[3] >= 0]
    assert (cut.rows, cut.active_rows) == (len(later), whole.active_rows)


def test_the_window_can_be_given(raw, tmp_path):
    """Days beyond the events are silent rows; events beyond the days are counted as outside."""
    data = prepare(raw, tmp_path, start=dt.date(2024, 12, 30), end=dt.date(2025, 1, 5))
    found = plain.read_daily(tmp_path / "user_daily.csv")
    assert data.rows == len(found) == 40 * 7
    assert not any(row[8] for row in found if row[1] < dt.date(2025, 1, 1))
    events = plain.rows(raw / "events.csv")
    assert data.events_outside_window == sum(row["event_time"][:10] > "2025-01-05" for row in events) > 0
    assert sum(row[9] for row in found) + data.events_outside_window == len(events)


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
@pytest.mark.parametrize("options", [SMALL, DIRTY], ids=["clean", "dirty"])
def test_the_same_input_gives_the_same_bytes(form, options, tmp_path):
    """Two runs cannot be told apart, whatever the threads do."""
    generate(options, tmp_path / "raw", form)
    prepare(tmp_path / "raw", tmp_path / "one", format=form)
    prepare(tmp_path / "raw", tmp_path / "two", format=form)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(
        [f"events_clean.{form}", "prepared.json", "rejects.csv", f"user_daily.{form}", f"users_clean.{form}"]
    )
    assert [sha(tmp_path / "one" / name) for name in names] == [sha(tmp_path / "two" / name) for name in names]


def test_every_format_in_and_out_holds_the_same_rows(tmp_path):
    """CSV, compressed CSV and Parquet differ in spelling only, as input and as output."""
    tables = {}
    for form in ("csv", "csv.gz", "parquet"):
        generate(SMALL, tmp_path / form, form)
        prepare(tmp_path / form, tmp_path / f"from-{form}")
        tables[form] = {path.name: sha(path) for path in (tmp_path / f"from-{form}").glob("*_*.csv")}
    assert tables["csv"] == tables["csv.gz"] == tables["parquet"]
    prepare(tmp_path / "csv", tmp_path / "gz", format="csv.gz")
    prepare(tmp_path / "csv", tmp_path / "pq", format="parquet")
    for name in ("users_clean", "events_clean", "user_daily"):
        text = (tmp_path / "from-csv" / f"{name}.csv").read_bytes()
        assert gzip.decompress((tmp_path / "gz" / f"{name}.csv.gz").read_bytes()) == text
        parquet = tmp_path / "pq" / f"{name}.parquet"
        types = ", ".join(f"'{row[0]}': '{row[1]}'" for row in duckdb.sql(f"DESCRIBE FROM '{parquet}'").fetchall())
        shown = "* REPLACE (epoch_us(event_time) AS event_time)" if name == "events_clean" else "*"
        back = f"read_csv('{tmp_path / 'from-csv' / name}.csv', columns = {{{types}}}, header = true)"
        assert (
            duckdb.sql(f"SELECT {shown} FROM '{parquet}'").fetchall()
            == duckdb.sql(f"SELECT {shown} FROM {back}").fetchall()
        )


def test_parquet_has_types_that_need_no_guessing(raw, tmp_path):
    """Ids are numbers where all are, days are dates, times are instants."""
    prepare(raw, tmp_path, format="parquet")
    described = duckdb.sql(f"DESCRIBE FROM '{tmp_path / 'user_daily.parquet'}'").fetchall()
    types = {name: kind for name, kind, *_ in described}
    assert [types[name] for name in ("user_id", "as_of_date", "is_paid")] == ["BIGINT", "DATE", "BOOLEAN"]
    assert [types[name] for name in ("total_events", "watch_minutes_sum")] == ["BIGINT", "DOUBLE"]
    events = dict(row[:2] for row in duckdb.sql(f"DESCRIBE FROM '{tmp_path / 'events_clean.parquet'}'").fetchall())
    assert events["event_time"] == "TIMESTAMP WITH TIME ZONE"


def test_ids_of_any_kind_are_kept_as_they_are(folder, tmp_path):
    """Ids that look like numbers but are not, and names, stay text."""
    raw = folder(
        "007,2025-01-01,free,false,IN,ads\nu-1,2025-01-01,free,false,IN,ads\n",
        "a,007,2025-01-05T08:00:00Z,login,,,,\nb,u-1,2025-01-05T08:00:00Z,login,,,,\n",
    )
    prepare(raw, tmp_path / "out")
    assert [row[0] for row in plain.read_daily(tmp_path / "out" / "user_daily.csv")] == ["007", "u-1"]


def test_days_follow_the_time_zone(folder, tmp_path):
    """Half past eight in the evening of UTC is the next day in India, and days change length with the clocks."""
    raw = folder(events="1,1,2025-01-05T20:30:00Z,login,,,,\n2,1,2025-01-06T18:00:00Z,login,,,,\n")
    prepare(raw, tmp_path / "out", timezone="Asia/Kolkata")
    assert [row["event_date"] for row in plain.rows(tmp_path / "out" / "events_clean.csv")] == ["2025-01-06"] * 2
    raw = folder(events="1,1,2025-03-29T23:30:00Z,login,,,,\n2,1,2025-03-30T22:30:00Z,login,,,,\n")
    data = prepare(raw, tmp_path / "out", timezone="Europe/Berlin")
    assert [row["event_date"] for row in plain.rows(tmp_path / "out" / "events_clean.csv")] == [
        "2025-03-30",
        "2025-03-31",
    ]
    assert data.days == 2


OLD = "1,1,1995-01-05T08:00:00Z,login,,,,\n2,1,2025-01-05T08:00:00Z,login,,,,\n"
UNUSABLE = {
    "no events": (lambda raw: (raw / "events.csv").unlink(), "no_such_file", "has no events"),
    "no folder": (shutil.rmtree, "no_such_file", "does not exist"),
    "two users": (lambda raw: (raw / "users.parquet").write_bytes(b"x"), "ambiguous_source", "users.csv and users.pa"),
    "empty": (lambda raw: (raw / "users.csv").write_text(""), "empty_source", "is empty"),
    "blank": (lambda raw: (raw / "events.csv").write_text("\n \n"), "empty_source", "is empty"),
    "no date": (lambda raw: (raw / "users.csv").write_text("user_id,at\n1,x\n"), "missing_column", "'signup_date'"),
    "no time": (lambda raw: (raw / "events.csv").write_text("event_id,user_id\n"), "missing_column", "'event_time'"),
    "no row": (lambda raw: (raw / "events.csv").write_text(EVENTS), "no_events", "no event that can be read"),
    "no good row": (lambda raw: (raw / "events.csv").write_text(EVENTS + "1,1,x,login,,,,\n"), "no_events", "no event"),
    "no user": (lambda raw: (raw / "users.csv").write_text(USERS), "no_users", "names no user"),
    "no Parquet": (lambda raw: (raw / "events.csv").rename(raw / "events.parquet"), "bad_source", "cannot be read"),
    "no gzip": (lambda raw: (raw / "events.csv").rename(raw / "events.csv.gz"), "bad_source", "cannot be read"),
    "30 years": (lambda raw: (raw / "events.csv").write_text(EVENTS + OLD), "bad_window", "--start"),
}


@pytest.mark.parametrize(("break_it", "code", "said"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_folder_that_cannot_be_used_is_refused_with_the_reason(break_it, code, said, folder, tmp_path):
    """The code is stable, the message names the file, and nothing is left behind."""
    raw = folder()
    break_it(raw)
    with pytest.raises(SourceError, match=said) as caught:
        prepare(raw, tmp_path / "out")
    assert caught.value.code == code
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_window_that_ends_before_it_begins_is_refused(folder, tmp_path):
    """The message says from when to when there are events."""
    with pytest.raises(SourceError, match="events are from 2025-01-05 to 2025-01-05") as caught:
        prepare(folder(), tmp_path / "out", end=dt.date(2025, 1, 1))
    assert caught.value.code == "bad_window"


def test_a_wrong_setting_is_refused_before_anything_is_written(raw, tmp_path):
    """Format, zone and folder are looked at first."""
    with pytest.raises(SettingsError, match="did you mean 'parquet'"):
        prepare(raw, tmp_path / "out", format="parket")
    with pytest.raises(SettingsError, match="IANA name"):
        prepare(raw, tmp_path / "out", timezone="Mars/Olympus")
    with pytest.raises(SettingsError, match="cannot lie beside the raw ones"):
        prepare(raw, raw)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["user_daily.csv", "users_clean.parquet", "rejects.csv"])
def test_tables_of_other_origin_are_left_alone(name, raw, tmp_path):
    """A folder with such a table and no report belongs to somebody else."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(SettingsError, match="was not written by this command"):
        prepare(raw, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_run_that_breaks_keeps_the_earlier_tables(raw, tmp_path):
    """Tables are put in place only when they are complete; a new run replaces all of them."""
    prepare(raw, tmp_path)
    before = {path.name: sha(path) for path in tmp_path.iterdir()}

    def interrupt(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(raw, tmp_path, format="parquet", progress=interrupt)
    assert {path.name: sha(path) for path in tmp_path.iterdir()} == before
    prepare(raw, tmp_path, format="parquet")
    assert not list(tmp_path.glob("*_*.csv"))


def test_users_are_written_in_blocks_without_a_seam(raw, tmp_path, monkeypatch):
    """However few users fit at once, the rows are the same, and progress reaches all of them."""
    prepare(raw, tmp_path / "one")
    monkeypatch.setattr("regulars.synthetic.user_daily.ROWS_AT_ONCE", 3 * SMALL.days)
    heard = []
    prepare(raw, tmp_path / "two", progress=lambda done, total: heard.append((done, total)))
    assert heard == [(done, 40) for done in (*range(3, 40, 3), 40)]
    assert sha(tmp_path / "one" / "user_daily.csv") == sha(tmp_path / "two" / "user_daily.csv")


def test_the_command_prints_what_it_did(raw, tmp_path, capsys):
    """Rows, users, days and the mean active share are on the screen; --json has all of it for programs."""
    assert main([str(raw), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    report = json.loads((tmp_path / "prepared.json").read_text())
    for part in ("40 users", "1,400 rows", "2025-01-01 to 2025-02-04", f"{report['mean_active_share']:.1%} active"):
        assert part in said
    assert main([str(raw), "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == report


def test_the_command_prints_repairs_rejects_and_hints(folder, tmp_path, capsys):
    """Each kind has its words and its number, and nothing in the data steers the terminal."""
    raw = folder(
        "1,2025-01-01, Paid ,false,IN,ads\n1,2025-01-01,free,false,IN,ads\n",
        "1,1,2025-01-05 08:00:00,Login,,,,\n2,1,never,login,,,,\n3,9,2025-01-05T08:00:00Z,\x1b[31mred,,,,\n",
    )
    assert main([str(raw), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    for words in (
        "plans in other letters or with blanks",
        "is_paid made to agree with the plan",
        "further rows of a user, left out",
        "event types in other letters",
        "rows whose time cannot be read",
        "hint: 2 events of 1 users are few",
        "hint: times that name no zone: 1; they were read as UTC",
        "hint: events of people who are not in users: 1, people: 1",
        "types that the catalogue does not know: 1 (?[31mred)",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--format", "xlsx"], 2),
        (["--start", "01/02/2025"], 2),
        (["nowhere"], 3),
        (["raw", "--out", "raw/users.csv/x"], 3),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(arguments, code, tmp_path, capsys, monkeypatch):
    """No traceback, no files."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "users.csv").write_text(USERS)
    (tmp_path / "raw" / "events.csv").write_text(EVENTS)
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]
