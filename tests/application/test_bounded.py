"""A workspace in memory with a bound: whole days go, oldest first, and every number that misses them says so."""

import random
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regulars
from regulars.domain.metrics import METRICS
from regulars.errors import QueryError
from tests.application.test_refresh import derived

END = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = date(2026, 2, 1)


def bounded(most, **keywords):
    return regulars.open(max_events=most, clock=lambda: END, **keywords)


def events(days, per_day=4, people=3):
    """So many events on each of the first days of February."""
    return [
        {"user_id": f"u{(day + n) % people}", "event_type": "like", "event_id": f"{day}-{n}",
         "timestamp": f"{FIRST + timedelta(days=day)}T{n % 24:02}:00:00Z"}
        for day in range(days) for n in range(per_day)
    ]  # fmt: skip


def days_of(ws):
    return [str(row[0])[8:] for row in ws.sql("SELECT DISTINCT day FROM fact_user_actions ORDER BY day").rows]


def count_of(ws):
    return ws.sql("SELECT count(*) FROM fact_user_actions").rows[0][0]


def test_the_oldest_days_go_whole_until_the_rest_fits():
    with bounded(10) as ws:
        ws.load(events(5))
        assert days_of(ws) == ["04", "05"]
        assert count_of(ws) == 8


def test_tracked_events_push_old_days_out():
    with bounded(10) as ws:
        ws.load(events(2))
        for n in range(3):
            ws.track("u9", "like", timestamp=f"2026-02-03T0{n}:00:00Z")
        assert days_of(ws) == ["02", "03"]


def test_as_many_as_the_bound_are_kept():
    with bounded(20) as ws:
        ws.load(events(5))
        assert count_of(ws) == 20
        assert "truncated" not in ws.active_users(start="2026-02-01").rows[0]["flags"]


def test_the_newest_day_stays_however_long_it_is():
    with bounded(3) as ws:
        ws.load(events(2, per_day=8))
        assert days_of(ws) == ["02"]
        assert count_of(ws) == 8


def test_what_is_left_is_what_a_workspace_would_hold_that_never_had_the_rest():
    with bounded(12) as ws, regulars.open(clock=lambda: END) as fresh:
        ws.load(events(9))
        fresh.load(events(9)[-12:])
        assert derived(ws) == derived(fresh)


def test_people_without_an_event_left_are_gone_and_new_when_they_come_back():
    with bounded(4) as ws:
        ws.track("old", "like", timestamp="2026-02-01T09:00:00Z", user={"plan": "paid"})
        ws.load(events(2)[4:])
        assert [row[0] for row in ws.sql("SELECT user_id FROM dim_users ORDER BY 1").rows] == ["u0", "u1", "u2"]
        assert ws.sql("SELECT key FROM fact_user_attributes").rows == []
        ws.track("old", "like", timestamp="2026-02-03T09:00:00Z")
        row = ws.new_vs_returning(start="2026-02-03", end="2026-02-03").rows[0]
        assert (row["new"], row["flags"]) == (1, ["truncated"])


def test_what_is_known_about_the_people_who_stay_stays():
    with bounded(4) as ws:
        ws.track("u1", "like", timestamp="2026-02-01T09:00:00Z", user={"plan": "trial"})
        ws.track("u1", "like", timestamp="2026-02-01T10:00:00Z", user={"plan": "paid"})
        ws.track(anonymous_id="a", event_type="view", timestamp="2026-02-01T08:00:00Z")
        ws.track("u1", "identify", anonymous_id="a", timestamp="2026-02-01T10:30:00Z")
        ws.load(events(2)[4:])
        slices = {row["plan"]: row["active_users"] for row in ws.active_users(by="plan", start="2026-02-02").rows}
        assert slices == {"paid": 1, "(none)": 2}
        assert ws.sql("SELECT count(*) FROM fact_user_attributes WHERE key = 'plan' AND is_explicit").rows == [(1,)]
        ws.track(anonymous_id="a", event_type="view", timestamp="2026-02-02T08:00:00Z")
        assert "a" not in [row[0] for row in ws.sql("SELECT user_id FROM dim_users").rows]


def test_details_of_dropped_events_go_with_them():
    with bounded(4) as ws:
        ws.track("u1", "like", timestamp="2026-02-01T09:00:00Z", details=[{"type": "x", "payload": 1}])
        ws.load(events(2)[4:])
        assert ws.sql("SELECT * FROM fact_activity_details").rows == []


def test_a_late_event_for_a_dropped_day_is_turned_away_with_its_reason():
    with bounded(4) as ws:
        ws.load(events(3))
        ws.track("u1", "like", timestamp="2026-02-02T23:59:59Z")
        ws.track("u1", "like", timestamp="2026-02-03T00:00:00Z")
        assert ws.sql("SELECT reason, detail FROM dead_letter").rows == [
            ("beyond_retention", "the days up to 2026-02-02 were dropped")
        ]
        assert count_of(ws) == 5
        assert ws.journal_audit().adds_up


def test_the_floor_is_a_day_of_the_workspace():
    with bounded(4, timezone="Asia/Tokyo") as ws:
        ws.load(events(3, per_day=4))
        ws.track("u1", "like", timestamp="2026-02-02T15:00:00Z", event_id="in")
        ws.track("u1", "like", timestamp="2026-02-02T14:59:59Z", event_id="out")
        assert ws.sql("SELECT event_id FROM fact_user_actions WHERE event_id IN ('in', 'out')").rows == [("in",)]


def test_the_dead_letter_is_bounded_too():
    with bounded(4) as ws:
        ws.load(events(3))
        for n in range(12):
            ws.load([{"user_id": "u1", "event_type": "like", "timestamp": f"2026-02-01T0{n % 9}:00:00Z"}])
            ws.load([e | {"event_id": f"{n}-{e['event_id']}", "timestamp": f"2026-02-{4 + n:02}T00:00:00Z"}
                     for e in events(1)])  # fmt: skip
        assert ws.sql("SELECT count(*) FROM dead_letter").rows[0][0] <= 4


def test_rows_that_look_at_dropped_days_are_flagged_and_the_answer_warns():
    with bounded(40) as ws:
        ws.load(events(20))
        result = ws.active_users(window=3, start="2026-02-09", end="2026-02-14")
        flags = {row["date"].day: row["flags"] for row in result.rows}
        assert flags == {9: ["truncated"], 10: ["truncated"], 11: ["truncated"], 12: ["truncated"], 13: [], 14: []}
        assert [w for w in result.warnings if w.startswith("truncated: the days up to 2026-02-10 were dropped")]
        later = ws.active_users(window=3, start="2026-02-13", end="2026-02-14")
        assert later.warnings == ()


def test_first_times_are_always_in_doubt_when_days_were_dropped():
    with bounded(40) as ws:
        ws.load(events(20))
        assert all("truncated" in row["flags"] for row in ws.new_vs_returning(start="2026-02-19").rows)
        asked = ws.active_users(start="2026-02-19", where="tenure_band = '0-7'")
        assert all("truncated" in row["flags"] for row in asked.rows)


def test_a_quiet_day_before_the_first_event_that_is_left_was_not_dropped():
    with bounded(4) as ws:
        ws.load([e for e in events(5, per_day=2) if not e["event_id"].startswith(("2-", "1-"))])
        assert days_of(ws) == ["04", "05"]
        flags = {row["date"].day: row["flags"] for row in ws.active_users(window=2, start="2026-02-01").rows}
        assert flags == {1: ["truncated"], 2: ["truncated"], 3: [], 4: [], 5: []}


def test_hours_and_undated_answers_are_flagged_by_the_days_they_look_at():
    with bounded(40) as ws:
        ws.load(events(20))
        hours = ws.active_users(grain="hour", start="2026-02-10", end="2026-02-11").rows
        assert {row["date"][:10]: row["flags"] for row in hours} == {"2026-02-10": ["truncated"], "2026-02-11": []}
        churn = ws.churn_risk(start="2026-02-19")
        assert all("truncated" in row["flags"] for row in churn.rows)
        paths = [ws.paths(start=f"2026-02-{day}", end="2026-02-13").rows for day in (10, 12)]
        assert [{"truncated" in row["flags"] for row in rows} for rows in paths] == [{True}, {False}]


STEPS = {"steps": ["view", "like"]}
OPTIONS = {
    "funnel": STEPS, "funnel_trend": STEPS, "time_to_convert": STEPS,
    "conversion_rate": {"event": "like"},
    "cohort_size": {"where": "cohort.segment = 'power_user'"},
    "onboarding": {"milestones": ["like"]},
    "experiment": {"experiment": "checkout"},
}  # fmt: skip
# Around midnight, so that sessions begin on one day and end on the next.
CLOCKS = ("00:05:00Z", "00:20:00Z", "09:00:00Z", "23:50:00Z", "23:58:00Z")


@given(seed=st.integers(0, 1000), window=st.sampled_from([1, 2, 7, 30]))
@settings(max_examples=6, deadline=None)
def test_a_row_without_the_flag_is_the_row_of_a_workspace_without_a_bound(seed, window):
    chance = random.Random(seed)
    rows = [
        e | {"user_id": f"u{chance.randrange(6)}", "timestamp": e["timestamp"][:11] + chance.choice(CLOCKS),
             "event_type": chance.choice(("view", "like", "purchase")), "amount": chance.randrange(9)}
        for e in events(28, per_day=5) if chance.random() < 0.6
    ]  # fmt: skip
    with bounded(30) as ws, regulars.open(clock=lambda: END) as whole:
        cuts = sorted(chance.sample(range(len(rows)), 2))
        for part in (rows[: cuts[0]], rows[cuts[0] : cuts[1]], rows[cuts[1] :]):
            if part:
                ws.load(part)
        whole.load(rows)
        for name, start in product(METRICS, ("2026-02-01", "2026-02-27")):
            asked = {"start": start, **({"window": window} if name == "active_users" else OPTIONS.get(name, {}))}
            found, expected = ws.metric(name, **asked).rows, whole.metric(name, **asked).rows
            if all("truncated" in row["flags"] for row in found):
                continue
            for row, unbounded in zip(found, expected, strict=True):
                if "truncated" not in row["flags"]:
                    plain = {**unbounded, "flags": [f for f in unbounded["flags"] if f != "warming_up"]}
                    assert row == plain, name


@pytest.mark.parametrize("most", [0, -1])
def test_a_bound_that_could_hold_nothing_is_refused(most):
    with pytest.raises(QueryError):
        regulars.open(max_events=most)


def test_a_folder_has_no_bound(tmp_path):
    folder = regulars.init(tmp_path / "shop")
    with pytest.raises(QueryError) as raised:
        regulars.open(folder, max_events=5)
    assert raised.value.code == "memory_only"
