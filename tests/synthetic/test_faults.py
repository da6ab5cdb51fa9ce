"""Injected faults can be found again, each in exactly the number that truth.json tells."""

import json
from itertools import pairwise

import duckdb
import pytest

from regulars.synthetic.generate import generate
from regulars.synthetic.options import GeneratorOptions

KNOBS = (
    "duplicates", "late", "out_of_order", "clock_skew", "malformed", "test_accounts", "anonymous",
    "unknown_types",
)  # fmt: skip


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return generate(GeneratorOptions(n_users=400, days=30), tmp_path_factory.mktemp("clean"))


@pytest.fixture
def dirty(tmp_path):
    def make(**knobs):
        data = generate(GeneratorOptions(n_users=400, days=30, **knobs), tmp_path)
        return data, json.loads(data.truth.read_text())["injected"]

    return make


def ask(path, question):
    table = f"(SELECT *, row_number() OVER () AS place FROM read_csv('{path}', all_varchar = true))"
    return duckdb.sql(question.replace("{t}", table)).fetchall()[0][0]


def bare_rows(path):
    """The rows without the times of sending and receipt, which show that an event came late or out of order."""
    lines = path.read_text().splitlines()
    return [line.rsplit(",", 2)[0] for line in lines] if lines[0].endswith(",sent_at,received_at") else lines


def ids(path):
    return [int(row.split(",", 1)[0]) for row in path.read_text().splitlines()[1:]]


def test_without_a_knob_nothing_is_injected(clean):
    """Faults are off by default, and truth.json counts none."""
    assert set(json.loads(clean.truth.read_text())["injected"].values()) == {0}


def test_duplicates_repeat_whole_rows(dirty, clean):
    """Every duplicate is an exact copy; without them the clean rows are left."""
    data, injected = dirty(duplicates=0.05)
    rows, original = data.events.read_text().splitlines(), clean.events.read_text().splitlines()
    assert len(rows) - len(set(rows)) == injected["duplicates"] > 500
    assert list(dict.fromkeys(rows)) == original


def test_late_rows_come_after_all_others(dirty, clean):
    """Late rows keep their ids and stand at the end of the file."""
    data, injected = dirty(late=0.05)
    found = ids(data.events)
    punctual = found[: -injected["late"]]
    assert punctual == sorted(punctual)
    assert found[-injected["late"]] < punctual[-1]
    assert injected["late"] > 500
    assert sorted(bare_rows(data.events)) == sorted(bare_rows(clean.events))


def test_out_of_order_rows_step_back_once_each(dirty, clean):
    """Each reversed pair is one place where the ids go down."""
    data, injected = dirty(out_of_order=0.2)
    found = ids(data.events)
    steps_back = sum(later < earlier for earlier, later in pairwise(found))
    assert steps_back == injected["out_of_order"] > 500
    assert sorted(bare_rows(data.events)) == sorted(bare_rows(clean.events))


def test_late_rows_are_received_a_day_or_more_after_they_happened(dirty):
    """All others within seconds; without a wrong clock the two times agree."""
    data, injected = dirty(late=0.05)
    delay = "epoch(received_at::TIMESTAMP) - epoch(event_time::TIMESTAMP)"
    assert ask(data.events, f"SELECT count(*) FROM {{t}} WHERE {delay} > 86400") == injected["late"]
    assert ask(data.events, f"SELECT count(*) FROM {{t}} WHERE {delay} BETWEEN 0 AND 10") == (
        data.event_count - injected["late"]
    )
    assert ask(data.events, "SELECT count(*) FROM {t} WHERE sent_at <> received_at") == 0


def test_out_of_order_rows_are_received_after_a_later_one(dirty):
    """In the order of the file each user's receipts never step back, and one per pair is of an earlier event."""
    data, injected = dirty(out_of_order=0.2)
    stepped = "lag({}) OVER (PARTITION BY user_id ORDER BY place) > {}"
    back, earlier = stepped.format("received_at", "received_at"), stepped.format("event_time", "event_time")
    assert (
        ask(data.events, f"SELECT count(*) FROM (SELECT {earlier} AS x FROM {{t}}) WHERE x")
        == (injected["out_of_order"])
    )
    assert ask(data.events, f"SELECT count(*) FROM (SELECT {back} AS x FROM {{t}}) WHERE x") < 20


def test_a_wrong_clock_shows_between_sending_and_receipt(dirty):
    """What the client says and when it came differ for exactly the events of the skewed users."""
    data, injected = dirty(clock_skew=0.1)
    assert ask(data.events, "SELECT count(*) FROM {t} WHERE sent_at <> received_at") == injected["clock_skew_events"]


def test_a_wrong_clock_moves_all_events_of_a_user_alike(dirty, clean):
    """Against the clean run each skewed user's events are off by one amount of up to six hours."""
    data, injected = dirty(clock_skew=0.1)
    shifts = duckdb.sql(f"""
        SELECT user_id, count(*) AS n, count(DISTINCT shift) AS amounts, max(abs(shift)) AS most
        FROM (SELECT d.user_id, epoch(d.event_time) - epoch(c.event_time) AS shift
              FROM '{data.events}' d JOIN '{clean.events}' c USING (event_id))
        WHERE shift <> 0 GROUP BY 1""").fetchall()
    assert sum(n for _, n, _, _ in shifts) == injected["clock_skew_events"]
    assert len(shifts) <= injected["clock_skew_users"] < 80
    assert len(shifts) > 20
    assert all(amounts == 1 and 300 <= most <= 6 * 3600 for _, _, amounts, most in shifts)


def test_malformed_rows_lack_a_time_a_user_or_a_type(dirty):
    """Each malformed row has exactly one broken field, and no other row has one."""
    data, injected = dirty(malformed=0.03)
    broken = "(event_time = 'not a time')::INT + (user_id IS NULL)::INT + (event_type IS NULL)::INT"
    assert ask(data.events, f"SELECT sum({broken}) FROM {{t}}") == injected["malformed"] > 300
    assert ask(data.events, f"SELECT max({broken}) FROM {{t}}") == 1


def test_unknown_types_are_counted(dirty):
    """Rows of a type that is in no catalogue are as many as told."""
    data, injected = dirty(unknown_types=0.03)
    found = ask(data.events, "SELECT count(*) FROM {t} WHERE event_type = 'widget_twirled'")
    assert found == injected["unknown_types"] > 300


def test_test_accounts_are_marked_on_the_user(dirty, clean):
    """The mark is a column of users, and the events are the clean ones."""
    data, injected = dirty(test_accounts=0.1)
    found = ask(data.users, "SELECT count(*) FROM {t} WHERE is_test_account = 'true'")
    assert found == injected["test_accounts"] > 10
    assert data.events.read_bytes() == clean.events.read_bytes()


def test_anonymous_users_are_identified_after_their_first_session(dirty):
    """Rows without a user share an anonymous id with one later identify event that names the user."""
    data, injected = dirty(anonymous=0.5)
    assert ask(data.events, "SELECT count(*) FROM {t} WHERE user_id IS NULL") == injected["anonymous_events"]
    identified = "(SELECT * FROM {t} WHERE event_type = 'identify')"
    assert ask(data.events, f"SELECT count(*) FROM {identified}") == injected["anonymous_users"] > 100
    linked = f"""SELECT count(*) FROM {{t}} a JOIN {identified} i USING (anonymous_id)
        WHERE a.user_id IS NULL AND i.event_time > a.event_time AND i.place > a.place
            AND i.anonymous_id = 'anon-' || i.user_id"""
    assert ask(data.events, linked) == injected["anonymous_events"]


def test_all_faults_together_are_still_counted_exactly(dirty):
    """One file with every fault adds up: ids once, duplicates, faults, and nothing unaccounted for."""
    data, injected = dirty(**dict.fromkeys(KNOBS, 0.05))
    clean_events = json.loads(data.truth.read_text())["events"]
    assert all(injected.values())
    assert data.event_count == clean_events + injected["duplicates"]
    assert set(ids(data.events)) == set(range(1, clean_events + 1))
    lost = "event_time = 'not a time' OR event_type IS NULL OR (user_id IS NULL AND anonymous_id IS NULL)"
    assert ask(data.events, f"SELECT count(*) FROM {{t}} WHERE {lost}") == injected["malformed"]


@pytest.mark.parametrize("knob", ["duplicates", "late", "out_of_order", "malformed", "unknown_types"])
def test_a_knob_can_be_turned_all_the_way(knob, dirty):
    """A rate of 1 reaches every row it can reach."""
    data, injected = dirty(**{knob: 1.0})
    clean_events = json.loads(data.truth.read_text())["events"]
    assert injected[knob] >= clean_events * (0.45 if knob == "out_of_order" else 1)
    assert data.event_count == clean_events * (2 if knob == "duplicates" else 1)
