"""The same folder through preparation and through the import: two programs, one answer."""

import datetime as dt
import json

import pytest

import regulars
from regulars.settings import Settings
from regulars.synthetic.features import features
from regulars.synthetic.generate import generate
from regulars.synthetic.options import GeneratorOptions
from regulars.synthetic.prepare import prepare
from tests.interfaces.cli import call
from tests.synthetic import plain

CLEAN = {"signups": "growing"}
DIRTY = {
    "signups": "growing", "duplicates": 0.04, "late": 0.05, "out_of_order": 0.1, "malformed": 0.04, "anonymous": 0.5,
    "unknown_types": 0.03, "test_accounts": 0.2, "clock_skew": 0.2,
}  # fmt: skip
DAYS = """
    SELECT u.user_id, e.day, count(*),
        count(*) FILTER (a.action_type = 'login'), count(*) FILTER (a.action_type = 'course_enroll'),
        coalesce(sum(e.duration_seconds), 0) / 60, count(*) FILTER (a.action_type = 'quiz_attempt'),
        avg(CAST(json_extract_string(e.action_metadata, '$.quiz_score') AS DOUBLE)),
        count(*) FILTER (a.action_type = 'payment_success'), count(*) FILTER (a.action_type = 'payment_failed'),
        count(*) FILTER (a.action_type = 'support_ticket')
    FROM fact_user_actions e JOIN dim_actions a USING (action_key) JOIN dim_identities USING (identity_key)
    JOIN dim_users u USING (user_key) WHERE NOT a.is_marker GROUP BY ALL"""


def workspace(folder, timezone="UTC"):
    """Everything of a folder in an empty workspace."""
    ws = regulars.open(settings=Settings(timezone=timezone))
    for path in sorted(folder.glob("users*")) + sorted(folder.glob("events*")):
        ws.load(path)
    return ws


@pytest.mark.parametrize("timezone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("options", [CLEAN, DIRTY], ids=["clean", "dirty"])
def test_user_daily_is_what_the_warehouse_holds(options, timezone, tmp_path):
    """Each user-day has the events, counts and sums of the warehouse, for activity any and population all."""
    generate(GeneratorOptions(n_users=80, days=75, start_date=dt.date(2025, 2, 1), **options), tmp_path / "raw")
    prepare(tmp_path / "raw", tmp_path / "out", timezone=timezone)
    rows = plain.read_daily(tmp_path / "out" / "user_daily.csv")
    active = {(row[0], row[1]): row[9:] for row in rows if row[8]}
    with workspace(tmp_path / "raw", timezone) as ws:
        stored = {tuple(row[:2]): row[2:] for row in ws.sql(DAYS).rows}
        assert stored.keys() == active.keys()
        assert all(pytest.approx(stored[key], abs=1e-5) == active[key] for key in active)
        daily = ws.sql("SELECT user_id, day, total_actions FROM daily_activity JOIN dim_users USING (user_key)").rows
        assert {(user, day): n for user, day, n in daily} == {key: row[0] for key, row in active.items()}
        answer = ws.active_users(window=1, activity="any", population="all", start=rows[0][1], end=rows[-1][1])
        per_day = {row["date"]: row["active_users"] for row in answer.rows}
    assert per_day == {day: sum(row[8] for row in rows if row[1] == day) for day in per_day}
    assert len(per_day) == len({row[1] for row in rows})


def test_every_column_has_its_place_in_the_warehouse(tmp_path):
    """signup_date is the registration, marketing_source the channel, a course a feature, minutes seconds."""
    generate(GeneratorOptions(n_users=40, days=40, test_accounts=0.3), tmp_path)
    users, events = plain.rows(tmp_path / "users.csv"), plain.rows(tmp_path / "events.csv")
    with workspace(tmp_path) as ws:
        people = ws.sql("""
            SELECT user_id, registration_date::VARCHAR, acquisition_channel, plan, country, is_test_account, population
            FROM dim_users""").rows
        facts = ws.sql("""
            SELECT event_id, external_id, action_type, action_timestamp, feature_name, duration_seconds, action_metadata
            FROM fact_user_actions JOIN dim_identities USING (identity_key) JOIN dim_actions USING (action_key)
            LEFT JOIN dim_features USING (feature_key)""").rows
    marked = {user["user_id"]: user["is_test_account"] == "true" for user in users}
    assert any(marked.values())
    assert {row[0]: row[1:] for row in people} == {
        user["user_id"]: (
            user["signup_date"], user["marketing_source"], user["plan"], user["country"], marked[user["user_id"]],
            "test" if marked[user["user_id"]] else "production",
        )
        for user in users
    }  # fmt: skip
    stored = {row[0]: row[1:] for row in facts}
    assert len(stored) == len(events) == len(facts)
    for event in events:
        user, kind, when, feature, seconds, metadata = stored[event["event_id"]]
        assert (user, kind, when) == (event["user_id"], event["event_type"], plain.moment(event["event_time"]))
        assert feature == (event["course_id"] or None)
        minutes = event["watch_minutes"]
        assert seconds == (pytest.approx(float(minutes) * 60) if minutes else None)
        kept = {name: event[name] for name in ("quiz_score", "amount") if event[name]}
        assert json.loads(metadata or "{}") == kept


CONTENT = {
    "people": """SELECT user_id, registration_date, acquisition_channel, plan, country, population, is_test_account
        FROM dim_users ORDER BY ALL""",
    "events": """SELECT event_id, kind, external_id, action_type, action_timestamp, day, feature_name, duration_seconds,
            json_extract_string(action_metadata, '$.quiz_score'), json_extract_string(action_metadata, '$.amount')
        FROM fact_user_actions JOIN dim_identities USING (identity_key) JOIN dim_actions USING (action_key)
        LEFT JOIN dim_features USING (feature_key) ORDER BY ALL""",
    "days": "SELECT * EXCLUDE (user_key), (SELECT user_id FROM dim_users u WHERE u.user_key = d.user_key) AS who "
    "FROM daily_activity d ORDER BY ALL",
}


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("options", [CLEAN, DIRTY], ids=["clean", "dirty"])
def test_importing_the_prepared_folder_is_importing_the_raw_one(options, form, tmp_path):
    """The same people, events and days; what is made of them, beside them in the folder, is no data to import."""
    generate(GeneratorOptions(n_users=60, days=40, **options), tmp_path / "raw", form)
    prepare(tmp_path / "raw", tmp_path / "processed", format=form)
    features(tmp_path / "processed", format=form)
    content = []
    for name in ("raw", "processed"):
        ws = tmp_path / f"ws-{name}"
        assert call("init", ws, "-q").code == 0
        done = call("import", tmp_path / name, "-w", ws, "--json")
        assert done.code == 0, done.err
        sources = [file["source"].rpartition("/")[2].partition(".")[0] for file in done.json["files"]]
        assert sources == (["users", "events"] if name == "raw" else ["users_clean", "events_clean"])
        if name == "processed":
            assert done.json["total"]["rejected"] == done.json["total"]["duplicates"] == 0
        with regulars.open(ws) as opened:
            content.append({part: opened.sql(sql).rows for part, sql in CONTENT.items()})
    for part in CONTENT:
        assert content[0][part] == content[1][part] != []


def test_zero_minutes_are_no_duration_and_say_no_wrong_mean():
    """Prepared tables fill the minutes of every event; only what was watched lasted."""
    event = {"user_id": "a", "event_type": "login", "timestamp": "2025-01-05T08:00:00Z", "watch_minutes": 0}
    with regulars.open() as ws:
        ws.load([event, {**event, "event_type": "video_watch", "watch_minutes": 1.5}])
        assert ws.sql("SELECT duration_seconds FROM fact_user_actions ORDER BY 1").rows == [(90.0,), (None,)]
