"""``regulars features``: nothing in a row was unknown on its day, and a label is empty where the future is."""

import csv
import datetime as dt
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.errors import SettingsError, SourceError
from regulars.synthetic.features import features, main
from regulars.synthetic.generate import generate
from regulars.synthetic.options import GeneratorOptions
from regulars.synthetic.prepare import prepare
from regulars.synthetic.snapshots import FEATURES
from tests.synthetic import plain

START = dt.datetime(2025, 1, 1)
USERS = "user_id,signup_date,plan,is_paid,country,marketing_source,engagement_score"
EVENTS = "event_id,user_id,event_time,event_date,event_type,course_id,watch_minutes,quiz_score,amount,anonymous_id"
TAIL = ("last_event_time_used", "is_eligible", "is_censored", "churned")


def prepared(folder, **options):
    generate(GeneratorOptions(**options), folder / "raw")
    prepare(folder / "raw", folder / "out")
    return folder / "out"


def value(name, text):
    if text in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[text]
    if name == "last_event_time_used":
        return plain.moment(text)
    return float(text)


@pytest.mark.parametrize(
    "options",
    [{"signups": "growing"}, {"anonymous": 0.7, "duplicates": 0.1, "unknown_types": 0.1, "signups": "growing"}],
    ids=["clean", "dirty"],
)
def test_features_are_what_plain_python_makes_of_the_same_rows(options, tmp_path):
    """Every feature and label of every user and day, computed a second time from the clean CSV."""
    out = prepared(tmp_path, n_users=25, days=50, churn_base_rate=0.8, **options)
    data = features(out, horizon=10, lookback=14, every=9)
    users, events = plain.rows(out / "users_clean.csv"), plain.rows(out / "events_clean.csv")
    found = plain.rows(out / "features.csv")
    days = sorted({row["as_of_date"] for row in found})
    assert days == ["2025-01-14", "2025-01-23", "2025-02-01", "2025-02-10", "2025-02-19"]
    assert data.snapshots == len(days)
    for day in days:
        expected = plain.snapshot(users, events, dt.date.fromisoformat(day), horizon=10, lookback=14)
        mine = {row["user_id"]: row for row in found if row["as_of_date"] == day}
        assert list(mine) == list(expected)
        for user, row in mine.items():
            computed = {name: value(name, row[name]) for name in expected[user]}
            used = expected[user].pop("last_event_time_used")
            assert computed.pop("last_event_time_used") == used
            assert computed == pytest.approx(expected[user], abs=1e-6)
    profile = {
        row["user_id"]: [row[name] for name in ("plan", "is_paid", "country", "marketing_source")] for row in users
    }
    assert all(profile[row["user_id"]] == [row[name] for name in FEATURES[1:5]] for row in found)


def test_the_account_is_the_sum_of_the_rows(tmp_path):
    """Rows, labels and the churn rate can be counted again in the file."""
    out = prepared(tmp_path, n_users=60, days=80, churn_base_rate=0.8)
    data = features(out)
    rows = plain.rows(out / "features.csv")
    labels = [row["churned"] for row in rows]
    assert (data.rows, data.churned) == (len(rows), labels.count("true"))
    assert data.labelled == labels.count("true") + labels.count("false") > 100
    assert data.censored == sum(row["is_censored"] == "true" for row in rows)
    assert data.churn_rate == labels.count("true") / data.labelled
    assert json.loads((out / "features.json").read_text()) == data.as_json()


def test_labels_are_empty_without_a_complete_horizon_or_a_core_action_before(tmp_path):
    """The last complete horizon ends on the last day; whoever was silent for the lookback has nothing to lose."""
    out = prepared(tmp_path, n_users=60, days=60, churn_base_rate=0.9)
    features(out, horizon=30, every=3)
    for row in plain.rows(out / "features.csv"):
        censored = row["as_of_date"] > "2025-01-30"  # 30 days before 2025-03-01, the last day
        assert (row["is_censored"] == "true") == censored
        assert (row["churned"] == "") == (censored or row["is_eligible"] == "false")


def test_the_columns_are_the_documented_ones_and_none_is_latent(tmp_path):
    """Whatever users_clean holds, a model sees only what is listed, and never what drives made-up users."""
    generate(GeneratorOptions(n_users=20, days=40, test_accounts=0.5), tmp_path / "raw")
    prepare(tmp_path / "raw", tmp_path / "out", keep_latent=True)
    assert "engagement_score" in plain.rows(tmp_path / "out" / "users_clean.csv")[0]
    features(tmp_path / "out")
    head = (tmp_path / "out" / "features.csv").read_text().splitlines()[0].split(",")
    assert head == ["user_id", "as_of_date", *FEATURES, *TAIL]
    assert not {"engagement_score", "is_test_account"} & set(head)
    assert len(set(head)) == len(head)


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Kolkata"])
def test_no_event_used_is_later_than_the_end_of_its_day(timezone, tmp_path):
    """The day ends in the zone of the prepared tables."""
    generate(GeneratorOptions(n_users=40, days=45, anonymous=0.5, late=0.1), tmp_path / "raw")
    prepare(tmp_path / "raw", tmp_path / "out", timezone=timezone)
    features(tmp_path / "out", every=2)
    shift = dt.timedelta(hours=5.5 if timezone == "Asia/Kolkata" else 0)
    rows = [row for row in plain.rows(tmp_path / "out" / "features.csv") if row["last_event_time_used"]]
    assert len(rows) > 300
    for row in rows:
        used = plain.moment(row["last_event_time_used"]) + shift
        assert used.date() <= dt.date.fromisoformat(row["as_of_date"])
        assert (dt.date.fromisoformat(row["as_of_date"]) - used.date()).days == int(row["days_since_event"])


TYPES = st.sampled_from(["login", "video_watch", "quiz_attempt", "payment_failed", "support_ticket", "identify", "new"])


def some_events(first_day, last_day, max_size):
    """Events as (user, visitor, day, second, type, measure); users may be missing, visitors may be."""
    one = st.tuples(
        st.sampled_from(["", "1", "2", "3"]), st.sampled_from(["", "v", "w"]), st.integers(first_day, last_day),
        st.integers(0, 86_399), TYPES, st.integers(1, 90),
    )  # fmt: skip
    return st.lists(one.filter(lambda event: event[0] or event[1]), max_size=max_size)


def write_clean(folder, events):
    """Clean tables by hand; the first and the last day always have an event, so the window never moves."""
    folder.mkdir(parents=True, exist_ok=True)
    users = [f"{i},2024-12-0{i},free,false,IN,ads,0.5" for i in (1, 2)] + ["3,2025-01-12,paid,true,US,ads,0.9"]
    (folder / "users_clean.csv").write_text("\n".join([USERS, *users, ""]))
    edges = [("1", "", 0, 0, "login", 1), ("1", "", 29, 86_399, "login", 1)]
    with (folder / "events_clean.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(EVENTS.split(","))
        for number, (user, visitor, day, second, kind, measure) in enumerate([*edges, *events], 1):
            when = START + dt.timedelta(days=day, seconds=second)
            minutes, score = measure * (kind == "video_watch"), measure if kind == "quiz_attempt" else ""
            time = f"{when.isoformat()}Z"
            writer.writerow([number, user, time, when.date(), kind, "", minutes, score, "", visitor])


def known(folder):
    """The rows without their labels."""
    names = ["user_id", "as_of_date", *FEATURES, "last_event_time_used", "is_eligible"]
    return [[row[name] for name in names] for row in plain.rows(folder / "features.csv")]


@settings(max_examples=20, deadline=None)
@given(data=st.data(), cut=st.integers(6, 28), before=some_events(0, 28, 25))
def test_no_event_after_a_day_changes_the_features_of_that_day(data, cut, before, tmp_path_factory):
    """Two worlds that agree up to a day and differ after it have the same rows on that day, identities included."""
    folder = tmp_path_factory.mktemp("worlds")
    past = [event for event in before if event[2] <= cut]
    for world in ("one", "two"):
        write_clean(folder / world, [*past, *data.draw(some_events(cut + 1, 29, 12), label=world)])
        features(folder / world, horizon=5, lookback=cut + 1, every=30)
    (day,) = {row[1] for row in known(folder / "one")}
    assert day == str((START + dt.timedelta(days=cut)).date())
    assert known(folder / "one") == known(folder / "two")


def test_what_a_visitor_did_is_the_users_from_the_day_they_say_so(tmp_path):
    """Knowing it earlier would be knowing the future."""
    write_clean(tmp_path, [("", "v", 8, 0, "video_watch", 30), ("2", "v", 12, 0, "identify", 1)])
    features(tmp_path, horizon=5, lookback=6, every=1)
    rows = [row for row in plain.rows(tmp_path / "features.csv") if row["user_id"] == "2"]
    minutes = {row["as_of_date"]: row["watch_minutes_7d"] for row in rows}
    assert [minutes[f"2025-01-{day}"] for day in (11, 12, 13, 15, 16)] == ["0.0", "0.0", "30.0", "30.0", "0.0"]


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_the_same_input_gives_the_same_bytes(form, tmp_path):
    """Two runs cannot be told apart, and another format replaces the one before."""
    out = prepared(tmp_path, n_users=30, days=40)
    features(out)
    hashes = []
    for _ in range(2):
        features(out, format=form)
        assert [path.name for path in out.glob("features.*")].count(f"features.{form}") == 1
        assert len(list(out.glob("features.*"))) == 2
        hashes.append(hashlib.sha256((out / f"features.{form}").read_bytes()).hexdigest())
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"churn_base_rate": 0.0, "activity_base": 0.9, "days": 90}, "the churn rate is 0: nobody left"),
        ({"churn_base_rate": 1.0, "days": 40}, "no row has a label: that takes 58 days"),
        ({"n_users": 12, "days": 75, "churn_base_rate": 1.0}, "labels are few"),
    ],
    ids=["nobody leaves", "too short", "few users"],
)
def test_labels_that_teach_nothing_get_a_hint(options, said, tmp_path):
    """A churn rate of 0, no label at all, and few labels are said before a model is made of them."""
    data = features(prepared(tmp_path, **{"n_users": 50, **options}))
    assert any(said in hint for hint in data.hints)


def test_a_churn_rate_of_one_gets_a_hint(tmp_path):
    """When everybody leaves there is nothing to learn either."""
    write_clean(tmp_path, [(user, "", 3, 0, "login", 1) for user in ("1", "2", "3")])
    data = features(tmp_path, horizon=5, lookback=5, every=25)
    assert data.churn_rate == 1
    assert any("the churn rate is 1: everybody left within 5 days" in hint for hint in data.hints)


def test_what_cannot_be_done_is_refused_with_the_reason(tmp_path):
    """A folder that was not prepared, too few days, a number out of range, somebody else's file."""
    with pytest.raises(SourceError, match="regulars prepare") as caught:
        features(tmp_path)
    assert caught.value.code == "no_such_file"
    write_clean(tmp_path, [])
    with pytest.raises(SourceError, match="30 days; the first row needs 31") as caught:
        features(tmp_path, lookback=31)
    assert caught.value.code == "window_too_short"
    for name in ("horizon", "lookback", "every"):
        with pytest.raises(SettingsError, match=f"{name} is 0; it must be"):
            features(tmp_path, **{name: 0})
    (tmp_path / "features.parquet").write_text("mine")
    with pytest.raises(SettingsError, match="was not written by this command"):
        features(tmp_path)
    assert (tmp_path / "features.parquet").read_text() == "mine"


def test_the_command_prints_its_account(tmp_path, capsys):
    """Counts for people, the same as JSON for programs, one line for what is wrong."""
    out = prepared(tmp_path, n_users=60, days=80, churn_base_rate=0.8)
    assert main([str(out), "--out", str(tmp_path / "model"), "--horizon", "14"]) == 0
    said = capsys.readouterr().out
    report = json.loads((tmp_path / "model" / "features.json").read_text())
    assert f"churn rate {report['churn_rate']:.1%}" in said
    assert f"{report['rows']:,}" in said
    assert main([str(out), "--json", "--horizon", "14"]) == 0
    assert json.loads(capsys.readouterr().out) == report
    assert main([str(tmp_path / "nowhere")]) == 3
    assert capsys.readouterr().err.startswith("error: the folder ")
