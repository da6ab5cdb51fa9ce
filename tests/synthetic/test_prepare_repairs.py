"""What ``regulars prepare`` repairs, counts and sets aside, one kind of dirt at a time."""

import gzip
import json

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.errors import EngineError
from regulars.synthetic.generate import generate
from regulars.synthetic.options import GeneratorOptions
from regulars.synthetic.prepare import prepare
from tests.synthetic import plain

USERS = "user_id,signup_date,plan,is_paid,country,marketing_source"
EVENTS = "event_id,user_id,event_time,event_type,course_id,watch_minutes,quiz_score,amount"
ONE_USER = "1,2025-01-01,free,false,IN,ads"


@pytest.fixture
def run(tmp_path):
    """Prepare lines of users and events written by hand; returns the report and the three tables."""

    def prepared(users=(ONE_USER,), events=("1,1,2025-01-05T08:00:00Z,login,,,,",), heads=(USERS, EVENTS), **options):
        (tmp_path / "raw").mkdir(exist_ok=True)
        for name, head, lines in zip(("users", "events"), heads, (users, events), strict=True):
            data = lines if isinstance(lines, bytes) else "\n".join([head, *lines, ""]).encode()
            (tmp_path / "raw" / f"{name}.csv").write_bytes(data)
        report = prepare(tmp_path / "raw", tmp_path / "out", **options)
        return report, *(plain.rows(tmp_path / "out" / f"{name}.csv") for name in ("users_clean", "events_clean"))

    return prepared


def rejects(tmp_path):
    return [(row["source"], int(row["line"]), row["reason"]) for row in plain.rows(tmp_path / "out" / "rejects.csv")]


# --- the knobs of the generator: what was injected is found again ----------------------------------------


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean")
    generate(GeneratorOptions(n_users=150, days=30), folder / "raw")
    prepare(folder / "raw", folder / "out")
    return folder / "out"


@pytest.fixture
def dirty(tmp_path):
    def make(**knobs):
        made = generate(GeneratorOptions(n_users=150, days=30, **knobs), tmp_path / "raw")
        return prepare(tmp_path / "raw", tmp_path / "out"), made.injected, tmp_path / "out"

    return make


def counts(report):
    """Everything that was repaired or rejected, by kind."""
    kinds = [*report.repairs.values(), *report.rejected.values()]
    return {kind: n for part in kinds for kind, n in part.items() if n}


def daily(folder):
    return (folder / "user_daily.csv").read_bytes()


def test_clean_data_needs_no_repair(clean):
    """On what the generator writes by default nothing is repaired, rejected or remarked."""
    report = json.loads((clean / "prepared.json").read_text())
    assert not any(n for part in report["repairs"].values() for n in part.values())
    assert report["rejected"] == {"users": {}, "events": {}}
    assert report["hints"] == []


def test_injected_duplicates_are_dropped_and_counted(dirty, clean):
    """As many as truth.json says, and the daily rows are those of the clean data."""
    report, injected, out = dirty(duplicates=0.05)
    assert counts(report) == {"duplicate_event_id": injected["duplicates"]}
    assert injected["duplicates"] > 100
    assert report.id_conflicts == 0
    assert daily(out) == daily(clean)


def test_injected_malformed_rows_are_rejected_and_counted(dirty, tmp_path):
    """A time, a user or a type is missing; the three reasons add up to what was injected."""
    report, injected, _ = dirty(malformed=0.05)
    assert set(counts(report)) == {"bad_time", "no_user", "no_type"}
    assert sum(counts(report).values()) == injected["malformed"] == len(rejects(tmp_path)) > 100
    assert report.events + injected["malformed"] == report.rows_read["events"]


@pytest.mark.parametrize("knob", ["late", "out_of_order"])
def test_the_order_of_rows_changes_no_daily_row(knob, dirty, clean):
    """Late and reversed rows are neither repaired nor rejected: they count on their day."""
    report, injected, out = dirty(**{knob: 0.2})
    assert injected[knob] > 500
    assert counts(report) == {}
    assert daily(out) == daily(clean)


def test_unknown_types_are_kept_counted_and_named(dirty):
    """A type that no catalogue knows is activity all the same."""
    report, injected, _ = dirty(unknown_types=0.05)
    assert report.unknown_types == {"widget_twirled": injected["unknown_types"]}
    assert counts(report) == {}
    assert "widget_twirled" in report.hints[0]


def test_test_accounts_stay_marked(dirty, clean):
    """The mark is kept in users_clean, after the known columns, and the daily rows hold everybody."""
    _, injected, out = dirty(test_accounts=0.2)
    marks = [row["is_test_account"] for row in plain.rows(out / "users_clean.csv")]
    assert marks.count("true") == injected["test_accounts"] > 10
    assert daily(out) == daily(clean)


def test_anonymous_events_are_the_users_who_identify_later(dirty, clean):
    """The rows stay anonymous in events_clean; on the day they count for their user, and markers count for nobody."""
    report, injected, out = dirty(anonymous=0.5)
    events = plain.rows(out / "events_clean.csv")
    assert sum(not row["user_id"] for row in events) == injected["anonymous_events"] > 100
    assert report.marker_events == injected["anonymous_users"] > 50
    assert report.anonymous_events == 0
    assert counts(report) == {}
    assert daily(out) == daily(clean)


def test_a_wrong_clock_moves_days_and_loses_nothing(dirty, clean):
    """No rule can know the right time, so the events count where they say."""
    report, injected, out = dirty(clock_skew=0.3)
    assert injected["clock_skew_users"] > 20
    assert counts(report) == {}
    total = sum(row[9] for row in plain.read_daily(out / "user_daily.csv"))
    assert total == sum(row[9] for row in plain.read_daily(clean / "user_daily.csv"))
    assert daily(out) != daily(clean)


# --- dirt written by hand --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelled", "read"),
    [
        ("2025-01-31", "2025-01-31"),
        ("2025/1/31", "2025-01-31"),
        ("20250131", "2025-01-31"),
        ("31.01.2025", "2025-01-31"),
        ("31/01/2025", "2025-01-31"),
        ("01/31/2025", "2025-01-31"),
        ("31 Jan 2025", "2025-01-31"),
        ("31-January-2025", "2025-01-31"),
        ('"Jan 31, 2025"', "2025-01-31"),
        ("2025-01-31T23:30:00-05:00", "2025-01-31"),
        ("2025-01-31 08:00:00", "2025-01-31"),
        ("01/02/2025", ""),
        ("2025-02-30", ""),
        ("0025-01-31", ""),
        ("yesterday", ""),
    ],
)
def test_a_sign_up_date_is_read_in_its_spelling_or_left_empty(spelled, read, run):
    """Nothing is guessed: 01/02/2025 alone is no date. The user stays either way."""
    report, (user,), _ = run([f"1,{spelled},free,false,IN,ads"])
    assert user["signup_date"] == read
    kind = "signup_date_unreadable" if not read else "signup_date_spelling"
    assert counts(report) == ({kind: 1} if spelled != "2025-01-31" else {})


def test_the_column_shows_which_part_of_a_date_is_the_day(run):
    """One 31/01/2025 tells how to read 01/02/2025; a column that shows both orders tells nothing."""
    _, users, _ = run([f"{i},{date},free,false,IN,ads" for i, date in enumerate(["01/02/2025", "31/01/2025"], 1)])
    assert [user["signup_date"] for user in users] == ["2025-02-01", "2025-01-31"]
    _, users, _ = run([f"{i},{date},free,false,IN,ads" for i, date in enumerate(["01/02/2025", "01/31/2025"], 1)])
    assert [user["signup_date"] for user in users] == ["2025-01-02", "2025-01-31"]
    mixed = ["01/02/2025", "01/31/2025", "31/01/2025"]
    report, users, _ = run([f"{i},{date},free,false,IN,ads" for i, date in enumerate(mixed, 1)])
    assert [user["signup_date"] for user in users] == ["", "", ""]
    assert counts(report) == {"signup_date_unreadable": 3}


def test_a_user_without_a_date_has_days_without_a_tenure(run, tmp_path):
    """days_since_signup is empty, and --from-signup keeps the rows, because nothing says that they come before."""
    report, _, _ = run(["1,soon,free,false,IN,ads"], from_signup=True)
    (row,) = plain.rows(tmp_path / "out" / "user_daily.csv")
    assert (row["signup_date"], row["days_since_signup"], row["total_events"]) == ("", "", "1")
    assert report.active_rows == 1


@pytest.mark.parametrize(
    ("given_pair", "clean_pair", "repaired"),
    [
        (" Paid ,true", "paid,true", {"plan_spelling": 1}),
        ("FREE,0", "free,false", {"plan_spelling": 1}),
        ("paid,false", "paid,true", {"is_paid_from_plan": 1}),
        ("free,yes", "free,false", {"is_paid_from_plan": 1}),
        ("paid,", "paid,true", {"is_paid_from_plan": 1}),
        (",1", "paid,true", {"plan_from_is_paid": 1}),
        (",no", "free,false", {"plan_from_is_paid": 1}),
        ("premium,true", "premium,true", {}),
        ("premium,maybe", "premium,", {}),
        (",", ",", {}),
    ],
)
def test_plan_and_is_paid_are_made_to_agree(given_pair, clean_pair, repaired, run):
    """The plan decides where it says free or paid; where it is missing, is_paid decides."""
    report, (user,), _ = run([f"1,2025-01-01,{given_pair},IN,ads"])
    assert f"{user['plan']},{user['is_paid']}" == clean_pair
    assert counts(report) == repaired


def test_the_first_row_of_a_user_counts(run):
    """Later rows of the same id are left out and counted; rows that name nobody are rejected."""
    users = [
        "2,2025-01-01,paid,true,US,ads",
        "2,2025-01-09,free,false,IN,ads",
        ONE_USER,
        ",2025-01-01,free,false,IN,ads",
    ]
    report, found, _ = run(users)
    assert [(user["user_id"], user["plan"]) for user in found] == [("2", "paid"), ("1", "free")]
    assert counts(report) == {"duplicate_user_id": 1, "no_user": 1}
    assert report.rows_read["users"] == 4


@pytest.mark.parametrize(
    ("spelled", "read"),
    [
        ("Video Watch", "video_watch"),
        (" LOGIN ", "login"),
        ("videoWatch", "video_watch"),
        ("quiz-attempt", "quiz_attempt"),
        ("Payment.Success", "payment_success"),
    ],
)
def test_event_types_are_spelled_one_way(spelled, read, run):
    """Letters, blanks and signs make no other type."""
    report, _, (event,) = run(events=[f"1,1,2025-01-05T08:00:00Z,{spelled},,,,"])
    assert event["event_type"] == read
    assert counts(report) == {"event_type_spelling": 1}


@pytest.mark.parametrize(
    ("spelled", "read"),
    [
        ("2025-01-05T08:00:00Z", "2025-01-05T08:00:00Z"),
        ("2025-01-05 08:00:00", "2025-01-05T08:00:00Z"),
        ("2025/1/5 8:00", "2025-01-05T08:00:00Z"),
        ("2025-01-05T08:00:00.25+02:00", "2025-01-05T06:00:00.250000Z"),
        ("2025-01-05T08:00:00-0530", "2025-01-05T13:30:00Z"),
        ("2025-01-05 08:00:00 UTC", "2025-01-05T08:00:00Z"),
        ('"2025-01-05 08:00:00,5"', "2025-01-05T08:00:00.500000Z"),
        ("2025-01-05", "2025-01-05T00:00:00Z"),
        ("1736064000", "2025-01-05T08:00:00Z"),
        ("1736064000123", "2025-01-05T08:00:00.123000Z"),
    ],
)
def test_times_are_read_in_several_spellings(spelled, read, run):
    """With and without a zone, with fractions, as seconds and milliseconds since 1970."""
    _, _, (event,) = run(events=[f"1,1,{spelled},login,,,,"])
    assert event["event_time"] == read


@pytest.mark.parametrize("spelled", ["2025-13-05T08:00:00Z", "05/01/2025 08:00", "noon", "", "12", "2025-01-05T25:00Z"])
def test_a_time_that_cannot_be_read_rejects_the_row(spelled, run, tmp_path):
    """It is kept in rejects.csv with its line, the reason, and the row itself."""
    report, _, events = run(events=["1,1,2025-01-05T08:00:00Z,login,,,,", f"2,1,{spelled},login,,,,"])
    assert counts(report) == {"bad_time": 1}
    assert [event["event_id"] for event in events] == ["1"]
    (row,) = plain.rows(tmp_path / "out" / "rejects.csv")
    assert (row["source"], row["line"], row["reason"]) == ("events", "3", "bad_time")
    assert json.loads(row["raw"])["event_id"] == "2"
    assert spelled in row["detail"]


def test_times_without_a_zone_are_counted(run):
    """They are read as UTC, and the report says how many there are."""
    times = ["2025-01-05 08:00:00", "2025-01-05", "2025-01-05T08:00:00Z", "2025-01-05T08:00:00-0530", "1736064000"]
    report, *_ = run(events=[f"{i},1,{time},login,,,," for i, time in enumerate(times)])
    assert report.naive_times == 2


def test_numbers_that_are_none_are_coerced_and_counted(run):
    """Minutes become 0, scores and amounts stay missing; blanks around a number are no fault."""
    events = ["1,1,2025-01-05T08:00:00Z,video_watch,k8s, 12.50 ,,", "2,1,2025-01-05T08:00:00Z,video_watch,k8s,long,,",
              "3,1,2025-01-05T08:00:00Z,quiz_attempt,k8s,,NaN,", "4,1,2025-01-05T08:00:00Z,payment_success,,,,$9",
              "5,1,2025-01-05T08:00:00Z,payment_success,,,,1e99"]  # fmt: skip
    report, _, found = run(events=events)
    assert [event["watch_minutes"] for event in found] == ["12.5", "0.0", "0.0", "0.0", "0.0"]
    assert [event["quiz_score"] + event["amount"] for event in found] == [""] * 5
    assert counts(report) == {"watch_minutes_unreadable": 1, "quiz_score_unreadable": 1, "amount_unreadable": 2}


def test_the_first_row_of_an_event_counts_and_conflicts_are_counted(run):
    """A repeated id is left out; one that says something else is a conflict too. Rows without an id never repeat."""
    events = ["1,1,2025-01-05T08:00:00Z,login,,,,", "1,1,2025-01-05T08:00:00Z,login,,,,",
              "1,1,2025-01-05T09:00:00Z,login,,,,", ",1,2025-01-05T08:00:00Z,login,,,,",
              ",1,2025-01-05T08:00:00Z,login,,,,"]  # fmt: skip
    report, _, found = run(events=events)
    assert [event["event_time"][11:13] for event in found] == ["08", "08", "08"]
    assert counts(report) == {"duplicate_event_id": 2}
    assert report.id_conflicts == 1


def test_a_rejected_row_takes_no_id_from_a_good_one(run):
    """The first row that can be read counts, not the first row."""
    report, _, found = run(events=["1,1,never,login,,,,", "1,1,2025-01-05T08:00:00Z,login,,,,"])
    assert len(found) == 1
    assert counts(report) == {"bad_time": 1}


def test_events_of_unknown_users_are_clean_and_counted(run, tmp_path):
    """They stay in events_clean and are in no row of user_daily."""
    events = [f"{i},{user},2025-01-05T08:00:00Z,login,,,," for i, user in enumerate((1, 9, 8, 9))]
    report, _, found = run(events=events)
    assert (report.unknown_user_events, report.unknown_users, len(found)) == (3, 2, 4)
    assert sum(row[9] for row in plain.read_daily(tmp_path / "out" / "user_daily.csv")) == 1


def test_visitors_who_never_say_who_they_are_are_counted(run):
    """Their events are clean and nobody's."""
    head = EVENTS + ",anonymous_id"
    events = ["1,1,2025-01-05T08:00:00Z,login,,,,,", "2,,2025-01-05T08:00:00Z,login,,,,,visitor-1"]
    report, _, found = run(events=events, heads=(USERS, head))
    assert report.anonymous_events == 1
    assert [event["anonymous_id"] for event in found] == ["", "visitor-1"]


def test_the_earliest_link_decides_whose_a_visitor_is(run, tmp_path):
    """As in the warehouse: an id that two users claim is the first one's."""
    head = EVENTS + ",anonymous_id"
    events = ["1,2,2025-01-05T10:00:00Z,identify,,,,,v", "2,1,2025-01-05T09:00:00Z,identify,,,,,v",
              "3,,2025-01-05T08:00:00Z,login,,,,,v"]  # fmt: skip
    users = [ONE_USER, "2,2025-01-01,free,false,IN,ads"]
    run(users, events, heads=(USERS, head))
    assert [row[9] for row in plain.read_daily(tmp_path / "out" / "user_daily.csv")] == [1, 0]


# --- other people's files --------------------------------------------------------------------------------


def test_columns_may_have_other_letters_order_and_neighbours(run):
    """Names are compared without case, blanks and dashes; further columns are kept; absent ones are empty."""
    heads = ("Plan,User ID,Team,Signup-Date", "EVENT_TYPE,Event_Time,User_Id,event_id,Device")
    _, (user,), (event,) = run(["paid,u1,blue,2025-01-01"], ["login,2025-01-05T08:00:00Z,u1,e1,phone"], heads)
    assert user == {"user_id": "u1", "signup_date": "2025-01-01", "plan": "paid", "is_paid": "true", "country": "",
                    "marketing_source": "", "team": "blue"}  # fmt: skip
    assert event == {"event_id": "e1", "user_id": "u1", "event_time": "2025-01-05T08:00:00Z", "course_id": "",
                     "event_date": "2025-01-05", "event_type": "login", "watch_minutes": "0.0", "quiz_score": "",
                     "amount": "", "device": "phone"}  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_line_ends_marks_and_delimiters_change_nothing(end, mark, delimiter, run):
    """Files from spreadsheets of other countries are files too."""
    lines = [EVENTS, "1,1,2025-01-05T08:00:00Z,login,k8s,,,", "2,1,2025-01-05T08:00:00Z,login,linux,,,"]
    text = mark + end.join([*lines, ""]).replace(",", delimiter)
    report, _, found = run(events=text.encode())
    assert [(event["event_id"], event["course_id"]) for event in found] == [("1", "k8s"), ("2", "linux")]
    assert counts(report) == {}


def test_hostile_text_comes_through_unharmed(run):
    """Quotes, delimiters, line breaks and characters of any script are values like others."""
    names = ['say "hi"', "a,b", "two\nlines", "naïve 漢字 🙂", "o'clock; DROP TABLE people", "=1+1"]
    lines = ['{},2025-01-01,free,false,IN,"{}"'.format(i, name.replace('"', '""')) for i, name in enumerate(names, 1)]
    report, users, _ = run(lines)
    assert [user["marketing_source"] for user in users] == names
    assert counts(report) == {}


def test_rows_that_are_no_rows_are_set_aside_one_by_one(run, tmp_path):
    """A quote that is never closed, bytes that are no text and missing columns cost their own row only."""
    good = [f"{i},1,2025-01-05T08:00:00Z,login,,,,".encode() for i in range(1, 5)]
    lines = [EVENTS.encode(), good[0], b'9,1,2025-01-05T08:00:00Z,"login,,,,', good[1], b"9,1,2025-01-05T08:00:00Z"]
    lines += [
        b"",
        good[2],
        b"9,1,2025-01-05T08:00:00Z,log\xffin,,,,",
        good[3],
        b'9,"1" x,2025-01-05T08:00:00Z,login,,,,',
    ]
    report, _, found = run(events=b"\n".join(lines))
    assert [event["event_id"] for event in found] == ["1", "2", "3", "4"]
    assert rejects(tmp_path) == [("events", 3, "bad_row"), ("events", 5, "bad_row"), ("events", 8, "bad_encoding"),
                                 ("events", 10, "bad_row")]  # fmt: skip
    assert report.rows_read["events"] == 8


def test_two_quotes_that_are_never_closed_do_not_swallow_what_is_between(run, tmp_path):
    """The second one looks like the end of the first; the rows between them are whole all the same."""
    good = "{},1,2025-01-05T08:00:00Z,login,,,,"
    bad = '9,1,2025-01-05T08:00:00Z,"login,,,,'
    _, _, found = run(events=[good.format(1), bad, good.format(2), good.format(3), bad, good.format(4)])
    assert [event["event_id"] for event in found] == ["1", "2", "3", "4"]
    assert rejects(tmp_path) == [("events", 3, "bad_row"), ("events", 6, "bad_row")]


def test_any_number_of_broken_rows_is_kept(run, tmp_path):
    """More than are held in memory at once are all in rejects.csv."""
    report, *_ = run(events=["1,1,2025-01-05T08:00:00Z,login,,,,", *["broken"] * 10_500])
    assert report.rejected["events"] == {"bad_row": 10_500}
    assert [line for _, line, _ in rejects(tmp_path)] == list(range(3, 10_503))


def test_a_name_that_comes_twice_is_the_first_column(run):
    """The other one is kept under a number."""
    _, (user,), _ = run(["1,2025-01-01,9"], heads=("user_id,signup_date,User ID", EVENTS))
    assert (user["user_id"], user["user_id_2"]) == ("1", "9")


def test_a_packed_file_is_read_around_its_broken_rows_too(tmp_path):
    """Gzip changes nothing about lines and reasons."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "users.csv").write_text(f"{USERS}\n{ONE_USER}\n")
    text = f'{EVENTS}\n1,1,2025-01-05T08:00:00Z,login,"x\ny",,,\nbroken\n'
    (tmp_path / "raw" / "events.csv.gz").write_bytes(gzip.compress(text.encode()))
    report = prepare(tmp_path / "raw", tmp_path / "out")
    assert rejects(tmp_path) == [("events", 4, "bad_row")]
    assert report.events == 1


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_further_columns_may_have_any_name(form, tmp_path):
    """Names that mean something inside come out as they went in."""
    names = [
        "rank",
        "line",
        "reason",
        "day",
        "plan_text",
        "paid_given",
        "other_0",
        "c1",
        "a b",
        'say "hi"',
        "user",
        "from",
    ]
    listed = ", ".join(f"'{i}' AS " + '"' + name.replace('"', '""') + '"' for i, name in enumerate(names))
    (tmp_path / "raw").mkdir()
    user = "SELECT 'u' AS user_id, DATE '2025-01-01' AS signup_date"
    event = "SELECT 1 AS event_id, 'u' AS user_id, TIMESTAMP '2025-01-05 08:00:00' AS event_time, 'login' AS event_type"
    for table, select in (("users", user), ("events", event)):
        duckdb.execute(f"COPY ({select}, {listed}) TO '{tmp_path}/raw/{table}.{form}' (FORMAT {form})")
    prepare(tmp_path / "raw", tmp_path / "out")
    for table in ("users_clean", "events_clean"):
        (row,) = plain.rows(tmp_path / "out" / f"{table}.csv")
        assert [row[name.replace(" ", "_")] for name in names] == [str(i) for i in range(len(names))]


def test_a_row_without_end_is_set_aside(run, tmp_path):
    """More than a megabyte is no row, and costs the rows around it nothing."""
    good = "1,1,2025-01-05T08:00:00Z,login,k8s\x00,,,"
    report, _, found = run(
        events=[good, f"2,1,2025-01-05T08:00:00Z,{'x' * (5 << 20)},,,,", good.replace("1,", "3,", 1)]
    )
    assert [event["event_id"] for event in found] == ["1", "3"]
    assert rejects(tmp_path) == [("events", 3, "row_too_long")]
    assert report.rows_read["events"] == 3


def test_a_damaged_parquet_file_is_an_error_and_no_traceback(tmp_path):
    """The footer may be whole where the data is not."""
    generate(GeneratorOptions(n_users=50, days=20), tmp_path / "raw", "parquet")
    path = tmp_path / "raw" / "events.parquet"
    data = bytearray(path.read_bytes())
    data[100:2000] = bytes(1900)
    path.write_bytes(data)
    with pytest.raises(EngineError, match="cannot be made"):
        prepare(tmp_path / "raw", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('",;\n\t '), max_size=8)


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6))
def test_any_text_that_csv_can_hold_is_kept(texts, tmp_path_factory):
    """Whatever Python's csv module writes comes back as it reads it, blanks at the ends aside."""
    folder = tmp_path_factory.mktemp("any")
    rows = [[i, "2025-01-01", "free", "false", text, "x"] for i, text in enumerate(texts, 1)]
    with (folder / "users.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = plain.csv.writer(stream)
        writer.writerows([USERS.split(","), *rows])
    (folder / "events.csv").write_text(f"{EVENTS}\n1,1,2025-01-05T08:00:00Z,login,,,,\n")
    report = prepare(folder, folder / "out")
    blanks = " \t\r\n\v\f\u00a0\u2003\u200b\ufeff"
    assert [row["country"] for row in plain.rows(folder / "out" / "users_clean.csv")] == [
        t.strip(blanks) for t in texts
    ]
    assert report.users == len(texts)
