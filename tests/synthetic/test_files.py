"""The files of a run: the same bytes every time, in columns that never move."""

import gzip
import hashlib
import json

import duckdb
import pytest

from regulars.synthetic.generate import generate
from regulars.synthetic.options import GeneratorOptions
from regulars.synthetic.population import BLOCK_USERS

SMALL = GeneratorOptions(n_users=60, days=40)
DIRTY = GeneratorOptions(
    n_users=60,
    days=40,
    signups="growing",
    payments="once",
    weekend_factor=0.6,
    duplicates=0.02,
    late=0.03,
    out_of_order=0.1,
    clock_skew=0.1,
    malformed=0.02,
    test_accounts=0.1,
    anonymous=0.5,
    unknown_types=0.01,
)
USERS = ["user_id", "signup_date", "plan", "is_paid", "country", "marketing_source", "engagement_score"]
EVENTS = [
    "event_id",
    "user_id",
    "event_time",
    "event_type",
    "course_id",
    "watch_minutes",
    "quiz_score",
    "amount",
]


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def columns(path):
    return [name for name, *_ in duckdb.sql(f"DESCRIBE FROM '{path}'").fetchall()]


@pytest.mark.parametrize("options", [SMALL, DIRTY], ids=["clean", "dirty"])
@pytest.mark.parametrize("form", ["csv", "csv.gz"])
def test_the_same_seed_and_options_give_the_same_bytes(options, form, tmp_path):
    """Two runs into two folders cannot be told apart."""
    one, two = generate(options, tmp_path / "one", form), generate(options, tmp_path / "two", form)
    for name in ("users", "events", "truth"):
        assert sha(getattr(one, name)) == sha(getattr(two, name))


def test_the_bytes_are_the_ones_promised(tmp_path):
    """These hashes change only when the data is meant to change."""
    clean, dirty = generate(SMALL, tmp_path / "clean"), generate(DIRTY, tmp_path / "dirty")
    assert [sha(clean.users), sha(clean.events)] == [
        "eddf3b91caead22eb8843d76da0747bd2017101e6d31b192b07f1e26418a7776",
        "dda516db5b0fef301fbb6984f1f7630bcb02746f9a03304aca3a1c3d5117069f",
    ]
    assert [sha(dirty.users), sha(dirty.events)] == [
        "c83706e4c11c51ff297df56d006c153cd1c67c8b885c350fe6d6d1efafeccb69",
        "461858d5b97d8c3619dac8a27bd1abd3d1c5bdf28cd96a62fec37b0d1416e01b",
    ]


def test_another_seed_gives_other_data(tmp_path):
    """The seed matters."""
    one = generate(SMALL, tmp_path / "one")
    two = generate(GeneratorOptions(n_users=60, days=40, seed=43), tmp_path / "two")
    assert sha(one.events) != sha(two.events)


def test_more_users_leave_the_first_block_as_it_was(tmp_path):
    """Users are drawn in blocks of fixed size, so that a longer run starts with the same bytes."""
    short = generate(GeneratorOptions(n_users=BLOCK_USERS, days=3), tmp_path / "short")
    long = generate(GeneratorOptions(n_users=BLOCK_USERS + 5, days=3), tmp_path / "long")
    assert long.users.read_bytes().startswith(short.users.read_bytes())
    assert long.events.read_bytes().startswith(short.events.read_bytes())
    assert len(long.users.read_text().splitlines()) == BLOCK_USERS + 6


def test_the_columns_are_the_documented_ones_in_order(tmp_path):
    """Without faults there is no column beyond those of the two tables."""
    data = generate(SMALL, tmp_path)
    assert data.users.read_text().splitlines()[0] == ",".join(USERS)
    assert data.events.read_text().splitlines()[0] == ",".join(EVENTS)


def test_some_faults_bring_columns_with_them(tmp_path):
    """A mark on the user, an id of an anonymous person, the times that show faults of time."""
    data = generate(DIRTY, tmp_path, "parquet")
    assert columns(data.users) == [*USERS, "is_test_account"]
    assert columns(data.events) == [*EVENTS, "anonymous_id", "sent_at", "received_at"]


def test_every_format_holds_the_same_rows(tmp_path):
    """CSV, compressed CSV and Parquet differ in spelling only."""
    plain = generate(SMALL, tmp_path / "csv", "csv")
    packed = generate(SMALL, tmp_path / "gz", "csv.gz")
    parquet = generate(SMALL, tmp_path / "parquet", "parquet")
    assert gzip.decompress(packed.events.read_bytes()) == plain.events.read_bytes()
    read = "SELECT * REPLACE (epoch(event_time) AS event_time, amount::DOUBLE AS amount) FROM"
    rows = duckdb.sql(f"{read} '{parquet.events}'").fetchall()
    assert rows == duckdb.sql(f"{read} read_csv('{plain.events}')").fetchall()
    assert len(rows) == parquet.event_count == packed.event_count


def test_times_name_their_zone(tmp_path):
    """Text times end in Z, and Parquet times are instants; no reader has to guess."""
    text = generate(SMALL, tmp_path / "csv").events
    times = duckdb.sql(f"SELECT event_time FROM read_csv('{text}', all_varchar = true)").fetchall()
    assert all(len(time) == 20 and time[10] == "T" and time[-1] == "Z" for (time,) in times)
    parquet = generate(SMALL, tmp_path / "parquet", "parquet").events
    kinds = {name: kind for name, kind, *_ in duckdb.sql(f"DESCRIBE FROM '{parquet}'").fetchall()}
    assert kinds["event_time"] == "TIMESTAMP WITH TIME ZONE"


def test_event_ids_count_up_by_user_and_time(tmp_path):
    """Ids start at 1 and follow the order of user and time, across blocks of users too."""
    data = generate(GeneratorOptions(n_users=BLOCK_USERS + 50, days=4), tmp_path, "parquet")
    ids = duckdb.sql(f"SELECT event_id FROM '{data.events}'").fetchall()
    assert [number for (number,) in ids] == list(range(1, data.event_count + 1))
    ordered = duckdb.sql(f"SELECT event_id FROM '{data.events}' ORDER BY user_id, event_time, event_id")
    assert ordered.fetchall() == ids


def test_each_event_fills_only_its_own_columns(tmp_path):
    """Minutes belong to videos, scores to quizzes, amounts to payments, courses to what is about one."""
    data = generate(SMALL, tmp_path, "parquet")
    filled = duckdb.sql(f"""
        SELECT event_type, bool_and(course_id IS NOT NULL), bool_or(course_id IS NOT NULL),
            count(watch_minutes), count(quiz_score), count(amount), count(*)
        FROM '{data.events}' GROUP BY 1""").fetchall()
    for kind, all_courses, some_courses, minutes, scores, amounts, n in filled:
        about_course = kind in {"course_enroll", "video_watch", "quiz_attempt"}
        assert (all_courses, some_courses) == (about_course, about_course)
        assert minutes == n * (kind == "video_watch")
        assert scores == n * (kind == "quiz_attempt")
        assert amounts == n * kind.startswith("payment_")


def test_progress_reaches_all_users(tmp_path):
    """A caller that shows a bar hears of every block and ends at the whole."""
    heard = []
    options = GeneratorOptions(n_users=BLOCK_USERS + 1, days=1)
    generate(options, tmp_path, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(BLOCK_USERS, BLOCK_USERS + 1), (BLOCK_USERS + 1, BLOCK_USERS + 1)]


def test_nothing_unfinished_stays_behind(tmp_path):
    """After a run the folder holds the three files and no scratch."""
    generate(SMALL, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.csv", "truth.json", "users.csv"]


def test_a_run_that_breaks_keeps_the_earlier_data(tmp_path):
    """Tables are put in place only when they are complete."""
    before = generate(SMALL, tmp_path)
    kept = sha(before.events), sha(before.truth)

    def interrupt(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(DIRTY, tmp_path, progress=interrupt)
    assert (sha(before.events), sha(before.truth)) == kept
    assert len(list(tmp_path.iterdir())) == 3


def test_a_default_run_has_the_promised_size(tmp_path):
    """2,000 users over 120 days make 200 to 500 thousand events."""
    data = generate(GeneratorOptions(), tmp_path, "parquet")
    assert data.user_count == 2000
    assert 200_000 <= data.event_count <= 500_000
    assert json.loads(data.truth.read_text())["events"] == data.event_count
