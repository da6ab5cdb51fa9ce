"""What truth.json promises is found again by preparation, features and the workspace."""

import datetime as dt
import json

import pytest

import regulars
from regulars.synthetic.features import features
from regulars.synthetic.generate import generate
from regulars.synthetic.options import GeneratorOptions
from regulars.synthetic.prepare import prepare
from tests.synthetic import plain

OPTIONS = GeneratorOptions(n_users=600, days=90, churn_base_rate=0.6)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A product, its truth, and everything that is made of it."""
    folder = tmp_path_factory.mktemp("world")
    generate(OPTIONS, folder / "raw")
    data = prepare(folder / "raw", folder / "out")
    features(folder / "out")
    ws = regulars.open()
    for name in ("users", "events"):
        ws.load(folder / "raw" / f"{name}.csv")
    yield folder, json.loads((folder / "raw" / "truth.json").read_text()), data, ws
    ws.close()


def last_active_days(ws):
    """The last day with any action of each user, as the warehouse stores it."""
    return dict(ws.sql("SELECT user_id, max(day) FROM daily_activity JOIN dim_users USING (user_key) GROUP BY 1").rows)


def test_counts_are_exact(world):
    """Users, payers, events and active user-days, by preparation and by the warehouse."""
    folder, truth, data, ws = world
    stored = ws.sql("SELECT sum(total_actions), count(*) FROM daily_activity").rows[0]
    assert stored == (truth["events"], truth["active_user_days"])
    assert (data.users, data.events, data.active_rows) == (truth["users"], truth["events"], truth["active_user_days"])
    paid = [row["plan"] for row in plain.rows(folder / "out" / "users_clean.csv")].count("paid")
    assert paid == truth["paid_users"]
    assert ws.sql("SELECT count(*) FROM dim_users WHERE plan = 'paid'").rows == [(paid,)]


def test_rates_are_within_their_interval(world):
    """Days with any event and days with a session, within five standard errors of the expected rates."""
    folder, truth, data, _ = world
    sessions = sum(row[10] > 0 for row in plain.read_daily(folder / "out" / "user_daily.csv"))
    for share, name in (
        (data.mean_active_share, "expected_active_day_rate"),
        (sessions / data.rows, "expected_session_day_rate"),
    ):
        expected = truth[name]
        assert abs(share - expected) < 5 * (expected * (1 - expected) / data.rows) ** 0.5


def test_churners_are_last_seen_shortly_before_their_true_churn_day(world):
    """Nobody is seen on or after it, and most were seen in the two weeks before."""
    _, truth, _, ws = world
    seen = last_active_days(ws)
    gaps = [
        (dt.date.fromisoformat(day) - seen[user]).days for user, day in truth["churn_dates"].items() if user in seen
    ]
    assert len(gaps) > 0.98 * truth["churners"] > 100
    assert min(gaps) >= 1
    assert sorted(gaps)[int(0.9 * len(gaps))] <= 14
    end = OPTIONS.end_date
    stayers = [(end - day).days for user, day in seen.items() if user not in truth["churn_dates"]]
    assert sorted(stayers)[int(0.9 * len(stayers))] <= 14


def test_labels_agree_with_the_true_churn_days(world):
    """Whoever had churned by a day is labelled so; whoever was still there thirty days later nearly never is."""
    folder, truth, _, _ = world
    gone, stayed = [], []
    for row in plain.rows(folder / "out" / "features.csv"):
        if row["churned"]:
            churn = truth["churn_dates"].get(row["user_id"], str(OPTIONS.end_date))
            alive_until = dt.date.fromisoformat(row["as_of_date"]) + dt.timedelta(days=30)
            if churn <= row["as_of_date"]:
                gone.append(row["churned"] == "true")
            elif dt.date.fromisoformat(churn) > alive_until:
                stayed.append(row["churned"] == "true")
    assert len(gone) > 30
    assert all(gone)
    assert len(stayed) > 1000
    assert sum(stayed) < 0.02 * len(stayed)


def test_recency_tells_who_will_leave(world):
    """The plainest feature ranks those who leave before those who stay far better than chance."""
    folder, *_ = world
    rows = [row for row in plain.rows(folder / "out" / "features.csv") if row["churned"]]
    scores = {
        label: [int(r["days_since_core_action"]) for r in rows if r["churned"] == label] for label in ("true", "false")
    }
    pairs = [(a > b) + (a == b) / 2 for a in scores["true"] for b in scores["false"]]
    assert sum(pairs) / len(pairs) > 0.65


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"engagement_a": 1.0}, {"engagement_a": 4.0}),
        ({"engagement_b": 4.0}, {"engagement_b": 1.0}),
        ({"activity_base": 0.05}, {"activity_base": 0.3}),
        ({"activity_slope": 0.3}, {"activity_slope": 0.8}),
    ],
    ids=lambda changed: "-".join(f"{name}={value}" for name, value in changed.items()),
)
def test_more_engagement_is_measured_as_more_stickiness(less, more, tmp_path):
    """Each parameter of engagement, turned up, raises the DAU/MAU that the workspace measures."""
    found = []
    for name, changed in (("less", less), ("more", more)):
        generate(GeneratorOptions(n_users=150, days=60, churn_base_rate=0.0, **changed), tmp_path / name)
        with regulars.open() as ws:
            ws.load(tmp_path / name / "users.csv")
            ws.load(tmp_path / name / "events.csv")
            rows = ws.stickiness(start="2025-02-01", end="2025-02-28").rows
        found.append(sum(row["stickiness"] for row in rows) / len(rows))
    assert found[0] + 0.05 < found[1]
