"""Single events: kept at once, counted by the next question, each exactly once."""

import json
import sqlite3
import threading
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regulars
from regulars.application.ports import Envelope
from regulars.domain.report import JournalAudit
from regulars.errors import EngineError, EventError, JournalError, SettingsError, UnsupportedError
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME, SqliteStore
from regulars.settings import ImportSettings, Settings
from tests.application.test_agreement import workspace_of
from tests.application.test_refresh import derived
from tests.strategies import event_rows, worlds

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
EVENTS = "SELECT event_id FROM fact_user_actions ORDER BY event_id"


def memory(**keywords):
    return regulars.open(clock=lambda: NOON, **keywords)


def folder_of(tmp_path, name="shop"):
    return regulars.init(tmp_path / name)


def opened(folder, **keywords):
    return regulars.open(folder, clock=lambda: NOON, **keywords)


def ids(ws):
    return [row[0] for row in ws.sql(EVENTS).rows]


def one(ws, columns):
    (row,) = ws.sql(f"SELECT {columns} FROM fact_user_actions").rows
    return row


def refused(ws, **fields):
    with pytest.raises(EventError) as raised:
        ws.track(**{"user_id": "ada", "event_type": "like"} | fields)
    assert ws.journal_audit().accepted == 0
    return raised.value


# --- what becomes of one event ----------------------------------------------------------------------------


def test_an_event_is_counted_by_the_next_question():
    with memory() as ws:
        ws.track("ada", "like")
        assert ws.active_users(start="2026-01-05").rows[0]["active_users"] == 1
        ws.track("bob", "like")
        assert ws.active_users(start="2026-01-05").rows[0]["active_users"] == 2


def test_every_way_to_read_sees_what_was_tracked():
    with memory() as ws:
        for n, read in enumerate((
            lambda: ws.sql("SELECT count(*) FROM fact_user_actions").rows[0][0],
            lambda: len(ws.timeline("ada").events),
            lambda: ws.metric("active_users", start="2026-01-05").rows[0]["active_users"] + 2,
            lambda: ws.engine.query("SELECT count(*) FROM fact_user_actions").rows[0][0],
            lambda: 5 if ws.cohort("new_user", on="2026-01-05") == ["ada"] else 0,
            lambda: len(ws.membership("ada")) + 5,
        ), start=1):  # fmt: skip
            ws.track("ada", "like")
            assert read() == n


def test_the_time_is_now_unless_one_is_given():
    with memory() as ws:
        ws.track("ada", "like", event_id="a")
        ws.track("ada", "like", event_id="b", timestamp=datetime(2026, 1, 4, 1, tzinfo=timezone(timedelta(hours=2))))
        rows = ws.sql("SELECT action_timestamp, received_at FROM fact_user_actions ORDER BY event_id").rows
    assert rows == [(datetime(2026, 1, 5, 12), datetime(2026, 1, 5, 12)),
                    (datetime(2026, 1, 3, 23), datetime(2026, 1, 5, 12))]  # fmt: skip


def test_a_time_without_a_zone_is_refused_unless_the_zone_is_said():
    with memory() as ws:
        assert "names no time zone" in refused(ws, timestamp=datetime(2026, 1, 5, 9)).message
        assert refused(ws, timestamp="2026-01-05 09:00").code == "naive_time"
        with pytest.raises(SettingsError):
            ws.track("ada", "like", timezone="Mars/Olympus")
        ws.track("ada", "like", timestamp=datetime(2026, 1, 5, 9), timezone="Europe/Berlin")
        assert one(ws, "action_timestamp") == (datetime(2026, 1, 5, 8),)


def test_the_whole_form_of_an_event_arrives():
    with memory() as ws:
        ws.track(
            7, "video_watch", anonymous_id="x", event_name="Intro", properties={"plan": "paid", "n": [1, {"a": None}]},
            session_id="s1", sequence=3, feature="lesson", duration_seconds=12.5, context="home", country="DE",
            device={"type": "phone"}, user={"team": "red"}, details=[{"type": "seek", "payload": {"to": 4}}],
        )  # fmt: skip
        assert one(ws, "event_name, client_session_id, sequence, duration_seconds, action_context") == (
            "Intro", "s1", 3, 12.5, "home",
        )  # fmt: skip
        assert json.loads(one(ws, "action_metadata")[0]) == {"plan": "paid", "n": [1, {"a": None}]}
        assert ws.sql("SELECT user_id, country, device_type, plan FROM dim_users").rows == [
            ("7", "DE", "phone", "paid")
        ]
        assert ws.sql("SELECT detail_type FROM fact_activity_details").rows == [("seek",)]
        assert ws.active_users(by="team", start="2026-01-05").rows[0]["team"] == "red"


def test_what_stands_in_properties_stays_a_property_whatever_it_is_called():
    with memory() as ws:
        ws.track("ada", "like", properties={"user": "eve", "type": "x", "page": "p", "id": "i"})
        assert one(ws, "action_context, event_id <> 'i'") == (None, True)
        assert json.loads(one(ws, "action_metadata")[0]) == {"user": "eve", "type": "x", "page": "p", "id": "i"}


def test_empty_objects_are_the_same_as_none():
    with memory() as ws:
        ws.track("ada", "like", properties={}, device={}, details=[], user={})
        assert one(ws, "action_metadata, device_key") == (None, None)


def test_identify_links_the_anonymous_past():
    with memory() as ws:
        ws.track(anonymous_id="x", event_type="like", timestamp="2026-01-04T09:00:00Z")
        ws.track("ada", "identify", anonymous_id="x")
        assert [str(m.at.date()) for m in ws.timeline("ada").events] == ["2026-01-05", "2026-01-04"]


def test_the_id_that_is_returned_is_the_one_that_is_stored():
    with memory() as ws:
        given_ids = [ws.track("ada", "like"), ws.track("ada", "like", event_id=" mine "), ws.track("ada", "like")]
        assert given_ids[1] == "mine"
        assert ids(ws) == sorted(given_ids)


def test_an_event_with_an_id_that_was_there_is_not_counted_again():
    with memory() as ws:
        for _ in range(2):
            ws.track("ada", "like", event_id="e")
        ws.flush()
        ws.track("ada", "like", event_id="e")
        ws.track("ada", "view", event_id="e")
        assert ids(ws) == ["e"]
        audit = ws.journal_audit()
        assert (audit.accepted, audit.loaded, audit.duplicates, audit.adds_up) == (4, 1, 3, True)
        assert ws.sql("SELECT reason FROM dead_letter").rows == [("id_conflict",)]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"user_id": None}, "no_identity"),
        ({"user_id": " null "}, "no_identity"),
        ({"event_type": None}, "no_event_type"),
        ({"event_type": " "}, "no_event_type"),
        ({"event_type": "x" * 201}, "name_too_long"),
        ({"feature": "x" * 201}, "name_too_long"),
        ({"timestamp": "yesterday"}, "bad_time"),
        ({"timestamp": True}, "bad_time"),
        ({"timestamp": float("nan")}, "bad_time"),
        ({"timestamp": 10**19}, "bad_time"),
        ({"timestamp": "1969-12-31T00:00:00Z"}, "time_out_of_range"),
        ({"timestamp": "2101-01-01T00:00:00Z"}, "time_out_of_range"),
        ({"sequence": 1.5}, "bad_number"),
        ({"sequence": 2**63}, "bad_number"),
        ({"duration_seconds": float("inf")}, "bad_number"),
        ({"duration_seconds": "long"}, "bad_number"),
        ({"properties": {"x": float("inf")}}, "bad_number"),
        ({"properties": ["x"]}, "bad_json"),
        ({"details": {"type": "x"}}, "bad_json"),
        ({"properties": {str(n): n for n in range(513)}}, "too_many_keys"),
        ({"properties": {"x": "y" * 65_537}}, "value_too_long"),
        ({"properties": {str(n): "y" * 60_000 for n in range(5)}}, "event_too_large"),
        ({"properties": {"x": "\ud800"}}, "bad_encoding"),
        ({"event_id": " "}, "bad_id"),
        ({"colour": "red"}, "unknown_key"),
    ],
)
def test_a_bad_event_is_refused_at_once_and_nothing_is_kept(fields, code):
    with memory() as ws:
        assert refused(ws, **fields).code == code


def test_too_deep_an_event_is_refused():
    nested = {}
    for _ in range(40):
        nested = {"a": nested}
    with memory() as ws:
        assert refused(ws, properties=nested).code == "bad_json"


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-05", "2026-01-05T09:30", "2026-01-05 09:30:15", "2026-01-05T09:30:15.123456Z",
        "2026-01-05T09:30+01:00", "2026-01-05T09:30-0530", "2026-01-05T09:30 UTC", "2026-01-05T24:00:00Z",
        "2026-01-05T23:59:60Z", "1767603600", "1767603600000", "1767603600.25", 1767603600, 1767603600000,
        1767603600000000, 1767603600.5, "2026-02-30", "2026-01-05T25:00Z", "nonsense", "",
        "2026-01-05T09:30:15.1234567Z", "2026-01-05T09:30:15,5Z",
        "2026-03-29T02:30:00", "2026-10-25T02:30:00", " 2026-01-05T09:30Z ", "20260105", -1.5,
    ],
    ids=repr,
)  # fmt: skip
def test_a_time_means_what_it_means_in_an_import(time):
    with memory() as imported, memory() as tracked:
        row = {"user_id": "ada", "event_type": "like", "timestamp": time, "event_id": "e"}
        imported.load([row, row | {"timestamp": "2020-01-01T00:00:00Z", "event_id": "x"}], timezone="Europe/Berlin")
        found = imported.sql("SELECT action_timestamp FROM fact_user_actions WHERE event_id = 'e'").rows
        try:
            tracked.track("ada", "like", timestamp=time, timezone="Europe/Berlin")
        except EventError:
            assert found == []
        else:
            assert tracked.sql("SELECT action_timestamp FROM fact_user_actions").rows == found


def test_the_limits_of_the_settings_hold():
    with regulars.open(settings=Settings(imports=ImportSettings(name_characters=3, string_bytes=10))) as ws:
        assert refused(ws, event_type="like").code == "name_too_long"
        assert refused(ws, event_type="l", properties={"x": "y" * 11}).code == "value_too_long"


def test_a_day_in_the_calendar_of_the_workspace_is_asked_for():
    with regulars.open(timezone="Asia/Tokyo", clock=lambda: NOON) as ws:
        assert refused(ws, timestamp="2100-12-31T20:00:00Z").code == "time_out_of_range"


# --- in a folder ------------------------------------------------------------------------------------------


def test_in_a_folder_events_are_in_the_journal_before_they_are_in_the_database(tmp_path):
    folder = folder_of(tmp_path)
    with opened(folder) as ws:
        assert ws.journal_audit() == JournalAudit(0, 0, 0, 0, 0)
        assert not (folder / JOURNAL_NAME).exists()
        ws.track("ada", "like", event_id="e")
        assert ws.journal_audit().backlog == 1
        with sqlite3.connect(folder / JOURNAL_NAME) as other:
            assert other.execute("SELECT count(*) FROM envelopes").fetchone() == (1,)
        other.close()
        assert ids(ws) == ["e"]
        assert ws.journal_audit().backlog == 0


def test_closing_brings_everything_into_the_database(tmp_path):
    folder = folder_of(tmp_path)
    with opened(folder) as ws:
        ws.track("ada", "like", event_id="e")
    with opened(folder, read_only=True) as ws:
        assert ids(ws) == ["e"]


def test_what_is_in_the_journal_is_there_after_opening_again(tmp_path):
    folder = folder_of(tmp_path)
    store = SqliteStore(folder)
    store.journal.append([Envelope(b'{"user_id": "ada", "event_type": "like"}', datetime(2026, 1, 5, 9))])
    name = store.journal.id
    store.close()
    with opened(folder) as ws:
        assert ws._tracker._drained == 1
        assert one(ws, "event_id, action_timestamp, received_at") == (
            f"journal-{name}-1", datetime(2026, 1, 5, 9), datetime(2026, 1, 5, 9),
        )  # fmt: skip


def test_a_journal_that_appears_later_is_found(tmp_path):
    folder = folder_of(tmp_path)
    with opened(folder) as ws:
        store = SqliteStore(folder)
        store.journal.append([Envelope(b'{"user_id": "ada", "event_type": "like"}', datetime(2026, 1, 5, 9))])
        store.close()
        assert len(ids(ws)) == 1


def test_a_reader_can_neither_track_nor_see_what_waits(tmp_path):
    folder = folder_of(tmp_path)
    store = SqliteStore(folder)
    store.journal.append([Envelope(b'{"user_id": "ada", "event_type": "like"}', datetime(2026, 1, 5, 9))])
    store.close()
    with opened(folder, read_only=True) as ws:
        with pytest.raises(UnsupportedError):
            ws.track("ada", "like")
        ws.flush()
        assert ids(ws) == []


def test_draining_again_after_the_database_was_put_back_gives_the_same(tmp_path):
    folder = folder_of(tmp_path)
    with opened(folder) as ws:
        ws.track("ada", "like", event_id="e")
    before = (folder / "regulars.duckdb").read_bytes()
    with opened(folder) as ws:
        for n in range(5):
            ws.track(f"u{n}", "like", timestamp=f"2026-01-0{n + 1}T09:00:00Z")
        expected, audit = derived(ws), ws.journal_audit()
    (folder / "regulars.duckdb").write_bytes(before)
    with opened(folder) as ws:
        assert derived(ws) == expected
        assert ws.journal_audit() == audit
        assert audit.adds_up


def test_a_journal_without_its_end_never_gives_a_place_out_again(tmp_path):
    folder = folder_of(tmp_path)
    with opened(folder) as ws:
        ws.track("ada", "like")
    early = (folder / JOURNAL_NAME).read_bytes()
    with opened(folder) as ws:
        ws.track("bob", "like")
        ws.track("cem", "like")
    (folder / JOURNAL_NAME).write_bytes(early)
    with opened(folder) as ws:
        ws.track("dan", "like")
        assert [row[0] for row in ws.sql("SELECT user_id FROM dim_users ORDER BY 1").rows] == [
            "ada",
            "bob",
            "cem",
            "dan",
        ]
        assert ws.journal_audit().adds_up


def test_a_new_journal_begins_anew_beside_the_old_numbers(tmp_path):
    folder = folder_of(tmp_path)
    with opened(folder) as ws:
        first = ws.track("ada", "like")
        ws.track("ada", "like")
    (folder / JOURNAL_NAME).unlink()
    with opened(folder) as ws:
        second = ws.track("ada", "like")
        assert second != first
        assert len(ids(ws)) == 3
        assert ws.journal_audit().accepted == 1


def test_drained_events_stay_in_the_journal_for_the_days_that_the_settings_say(tmp_path):
    folder = folder_of(tmp_path)
    with (folder / "regulars.toml").open("a") as file:
        file.write("[journal]\nkeep_days = 2\n")
    now = NOON
    with regulars.open(folder, clock=lambda: now) as ws:
        for day in range(5):
            now = NOON + timedelta(days=day)
            ws.track("ada", "like")
            ws.flush()
        kept = ws._tracker._store.journal.read(0, 100)
        assert [entry.offset for entry in kept.entries] == [3, 4, 5]
        assert len(ids(ws)) == 5


def test_erasing_somebody_takes_them_out_of_the_journal_too(tmp_path):
    folder = folder_of(tmp_path)
    with opened(folder) as ws:
        ws.track("canary-é", "like")
        ws.track("bob", "like")
        ws.flush()
        spelled = "canary-é".encode()
        journal = folder / JOURNAL_NAME
        held = b"".join(path.read_bytes() for path in folder.glob(f"{JOURNAL_NAME}*"))
        assert spelled in held
        ws.erase("canary-é")
        held = b"".join(path.read_bytes() for path in folder.glob(f"{JOURNAL_NAME}*"))
        assert spelled not in held
        assert journal.exists()
        assert ws.sql("SELECT user_id FROM dim_users").rows == [("bob",)]


def test_erasing_needs_no_journal(tmp_path):
    folder = folder_of(tmp_path)
    with opened(folder) as ws:
        ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
        ws.erase("ada")
        assert not (folder / JOURNAL_NAME).exists()
        assert ws.sql("SELECT user_id FROM dim_users").rows == []


def test_a_full_journal_says_so_and_what_was_kept_before_stays(tmp_path):
    folder = folder_of(tmp_path)
    with (folder / "regulars.toml").open("a") as file:
        file.write("[journal]\ndisk_floor_mib = 1000000000\n")
    with opened(folder) as ws, pytest.raises(JournalError) as raised:
        ws.track("ada", "like")
    assert raised.value.code == "disk_full"


# --- what cannot be loaded --------------------------------------------------------------------------------


def appended(folder, *bodies):
    store = SqliteStore(folder)
    store.journal.append([Envelope(body, datetime(2026, 1, 5, 9)) for body in bodies])
    store.close()


BAD = {
    b"not json": "bad_json",
    b"\xff": "bad_encoding",
    b"[1]": "bad_json",
    b'{"event_type": "like"}': "no_identity",
    b'{"user_id": "ada"}': "no_event_type",
    b'{"user_id": "ada", "event_type": "like", "timestamp": "soon"}': "bad_time",
    b'{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05 09:00"}': "naive_time",
    b'{"user_id": "ada", "event_type": "like", "device": 5}': "bad_json",
    b'{"user_id": "ada", "event_type": "like", "sequence": "x"}': "bad_number",
}


def test_bad_entries_go_to_the_dead_letter_and_the_others_are_loaded(tmp_path):
    folder = folder_of(tmp_path)
    good = b'{"user_id": "bob", "event_type": "like"}'
    appended(folder, good, *BAD, good)
    with opened(folder) as ws:
        assert ws.sql("SELECT line, reason FROM dead_letter ORDER BY line").rows == list(
            enumerate(BAD.values(), start=2)
        )
        audit = ws.journal_audit()
        assert (audit.loaded, audit.dead_letter, audit.adds_up) == (2, len(BAD), True)


@pytest.mark.parametrize("body", list(BAD))
def test_a_bad_entry_alone_in_its_batch_fares_no_worse(tmp_path, body):
    folder = folder_of(tmp_path)
    appended(folder, body)
    with opened(folder) as ws:
        assert ws.sql("SELECT reason FROM dead_letter").rows == [(BAD[body],)]
        assert ws.journal_audit().adds_up


def test_what_a_key_means_does_not_depend_on_the_batch(tmp_path):
    # In a file, "uid" would be taken for the user id when there is no better column.
    bodies = [b'{"uid": "eve", "anonymous_id": "x", "event_type": "like", "page": "p"}',
              b'{"user_id": "ada", "event_type": "like", "context": "home"}']  # fmt: skip
    folders = [folder_of(tmp_path, name) for name in ("together", "apart")]
    appended(folders[0], *bodies)
    with opened(folders[1]) as ws:
        for body in bodies:
            appended(folders[1], body)
            ws.flush()
    found = []
    for folder in folders:
        with opened(folder) as ws:
            found.append(ws.sql("SELECT action_context, action_metadata FROM fact_user_actions ORDER BY event_id").rows)
    assert found[0] == found[1] == [(None, '{"uid":"eve","page":"p"}'), ("home", None)]


def test_damaged_and_lost_entries_are_counted_and_kept(tmp_path):
    folder = folder_of(tmp_path)
    appended(folder, *[b'{"user_id": "ada", "event_type": "like"}'] * 5)
    with sqlite3.connect(folder / JOURNAL_NAME) as other:
        other.execute("UPDATE envelopes SET body = CAST('flipped' AS BLOB) WHERE offset = 2")
        other.execute("DELETE FROM envelopes WHERE offset IN (4, 5)")
    other.close()
    with opened(folder) as ws:
        assert ws.sql("SELECT line, reason, raw FROM dead_letter ORDER BY line").rows == [
            (2, "journal_damaged", "flipped"), (4, "journal_missing", ""), (5, "journal_missing", ""),
        ]  # fmt: skip
        audit = ws.journal_audit()
        assert (audit.accepted, audit.loaded, audit.dead_letter, audit.adds_up) == (5, 2, 3, True)


def test_what_events_say_of_a_person_is_kept_once_and_the_earliest_counts():
    """A row for every drain would be a thousand in an hour, of which one is ever read."""
    with memory() as ws:
        for hour, device in ((9, "phone"), (10, "tablet"), (11, "phone"), (8, "desktop")):
            ws.track("ada", "like", timestamp=f"2026-01-05T{hour:02}:00:00Z", device_type=device)
            ws.flush()
        said = ws.sql("SELECT value FROM fact_user_attributes WHERE key = 'device_type' ORDER BY load_id").rows
        assert said == [("phone",), ("desktop",)]
        assert ws.sql("SELECT device_type FROM dim_users").rows == [("desktop",)]


def test_who_was_active_already_changes_no_aggregate_and_says_nothing_new():
    """What most drains bring: more events of people who have been there today. Only what counts events is written."""
    with memory() as ws:
        changed = []
        execute = ws._engine.execute

        def watched(sql, parameters=None):
            changed.append([*sql.split(), "", ""][:3])
            execute(sql, parameters)

        ws._engine.execute = watched
        written = []
        for user in ("ada", "ada", "bob"):
            changed.clear()
            ws.track(user, "like")
            ws.flush()
            written.append({table for verb, _, table in changed if verb in {"INSERT", "DELETE"}})
        assert [{"agg_arrivals", "dim_users"} <= tables for tables in written] == [True, False, True]
        assert not {"agg_arrivals", "agg_retention", "agg_tier_changes", "dim_users"} & written[1]
        assert {"daily_activity", "user_sessions", "arrivals"} <= written[1]
        assert [row["active_users"] for row in ws.active_users(start="2026-01-05").rows] == [2]


def test_times_are_read_the_same_beside_a_plain_one_and_beside_an_odd_one():
    """Where every time is a plain instant they are not taken apart; what they mean stays the same."""
    plain = ["2026-01-05T09:00:00Z", "2026-01-05T09:00:00.5Z", "2026-01-05T09:00:00.123456+00:00"]
    expected = [datetime(2026, 1, 5, 9), datetime(2026, 1, 5, 9, 0, 0, 123456), datetime(2026, 1, 5, 9, 0, 0, 500000)]
    for odd in ([], [b"2016-12-31T23:59:60Z"], [b"1767603600000"], [b"2026-02-30T09:00:00Z"]):
        with memory() as ws:
            bodies = [b'{"user_id": "u", "event_type": "like", "timestamp": "%s"}' % time for time in odd]
            bodies += [
                json.dumps({"user_id": "ada", "event_type": "like", "timestamp": time}).encode() for time in plain
            ]
            ws._tracker._journal(create=True).append([Envelope(body, NOON.replace(tzinfo=None)) for body in bodies])
            kept = ws.sql("""SELECT action_timestamp FROM fact_user_actions JOIN dim_identities USING (identity_key)
                             WHERE external_id = 'ada' ORDER BY 1""").rows
            assert [row[0] for row in kept] == expected


def failing_on(ws, word, code):
    """Let the engine refuse rows that hold a word, as a database does that cannot store a value."""
    engine = ws._engine
    execute, keep_arrays, state = engine.execute, engine.keep_arrays, {"poisoned": False}

    def staged(name, types, arrays):
        state["poisoned"] = any(word in text for text in arrays["doc"])
        keep_arrays(name, types, arrays)

    def judged(sql, parameters=None):
        if "INSERT INTO fact_user_actions" in sql and state["poisoned"]:
            raise EngineError("the value does not fit", code=code)
        execute(sql, parameters)

    engine.execute, engine.keep_arrays = judged, staged


@pytest.mark.parametrize("place", range(7))
def test_a_row_that_the_engine_refuses_is_found_wherever_it_stands(place):
    with memory() as ws:
        failing_on(ws, "poison", "bad_value")
        for n in range(7):
            ws.track("poison" if n == place else f"u{n}", "like", event_id=f"e{n}")
        assert ids(ws) == [f"e{n}" for n in range(7) if n != place]
        ((line, reason, detail, raw),) = ws.sql("SELECT line, reason, detail, raw FROM dead_letter").rows
        assert (line, reason, detail) == (place + 1, "not_storable", "the value does not fit")
        assert "poison" in raw
        assert ws.journal_audit().adds_up
        ws.engine.query(EVENTS)


def test_lost_places_beside_a_row_that_the_engine_refuses_are_counted_once(tmp_path):
    folder = folder_of(tmp_path)
    with opened(folder) as ws:
        failing_on(ws, "poison", "bad_value")
        appended(
            folder, *[b'{"user_id": "%s", "event_type": "like"}' % (b"poison" if n == 4 else b"u") for n in range(9)]
        )
        with sqlite3.connect(folder / JOURNAL_NAME) as other:
            other.execute("DELETE FROM envelopes WHERE offset IN (1, 3, 4, 6, 9)")
        other.close()
        rows = ws.sql("SELECT line, reason FROM dead_letter ORDER BY line").rows
        assert rows == [(n, "not_storable" if n == 5 else "journal_missing") for n in (1, 3, 4, 5, 6, 9)]
        assert ws.journal_audit().adds_up


def test_any_other_failure_leaves_the_events_in_the_journal():
    with memory() as ws:
        execute = ws._engine.execute
        failing_on(ws, "poison", "engine_failed")
        ws.track("poison", "like", event_id="e")
        with pytest.raises(EngineError):
            ws.flush()
        assert ws.journal_audit().backlog == 1
        ws._engine.execute = execute
        assert ids(ws) == ["e"]
        assert ws.journal_audit().adds_up


def test_an_event_is_kept_even_if_the_backlog_cannot_be_brought_in(monkeypatch):
    monkeypatch.setattr("regulars.application.tracking.MOST_BACKLOG", 3)
    monkeypatch.setattr("regulars.infrastructure.operational.memory._MOST_BYTES", 400)
    with memory() as ws:
        execute = ws._engine.execute
        failing_on(ws, "poison", "engine_failed")
        assert [ws.track("poison", "like", event_id=f"e{n}") for n in range(5)] == [f"e{n}" for n in range(5)]
        with pytest.raises(JournalError, match=r"call flush\(\)") as raised:
            [ws.track("poison", "like", event_id=f"e{n}") for n in range(5, 9)]
        assert raised.value.code == "journal_full"
        with pytest.raises(JournalError, match=r"call flush\(\)"):
            ws._tracker._store.journal.check()
        kept = ws.journal_audit().accepted
        ws._engine.execute = execute
        assert ids(ws) == [f"e{n}" for n in range(kept)]
        assert ws.track("ada", "like", event_id="after") == "after"


def test_a_closed_workspace_takes_no_events():
    ws = memory()
    ws.track("ada", "like")
    ws.close()
    with pytest.raises(JournalError) as raised:
        ws.track("ada", "like")
    assert raised.value.code == "journal_closed"


# --- many threads -----------------------------------------------------------------------------------------


def test_threads_track_while_others_ask(tmp_path):
    folder = folder_of(tmp_path)
    counts, errors = [], []
    with opened(folder) as ws:

        def track(name):
            for n in range(30):
                ws.track(f"{name}-{n % 3}", "like", event_id=f"{name}-{n}")

        def ask():
            try:
                for _ in range(4):
                    counts.append(ws.sql("SELECT count(*) FROM fact_user_actions").rows[0][0])
                    ws.active_users(start="2026-01-05")
            except Exception as exc:  # noqa: BLE001 -- shown below
                errors.append(exc)

        threads = [threading.Thread(target=track, args=[name]) for name in range(4)]
        threads += [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert sorted(ids(ws)) == sorted(f"{name}-{n}" for name in range(4) for n in range(30))
        assert ws.active_users(start="2026-01-05").rows[0]["active_users"] == 12
        assert ws.journal_audit().adds_up


def test_a_thread_sees_what_it_tracked_itself():
    missed = []
    with memory() as ws:

        def work(name):
            for n in range(3):
                event_id = ws.track(name, "like", event_id=f"{name}-{n}")
                if not ws.sql(f"SELECT 1 FROM fact_user_actions WHERE event_id = '{event_id}'").rows:
                    missed.append(event_id)

        threads = [threading.Thread(target=work, args=[f"t{n}"]) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert missed == []


def test_a_long_backlog_is_brought_in_by_who_tracks(monkeypatch):
    monkeypatch.setattr("regulars.application.tracking.MOST_BACKLOG", 10)
    with memory() as ws:
        for _ in range(25):
            ws.track("ada", "like")
        assert ws.journal_audit().backlog == 5


# --- the same as a load -----------------------------------------------------------------------------------


@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_tracked_one_by_one_in_any_order_gives_the_rows_of_one_load(data):
    world = data.draw(worlds(conflicts=False))
    rows = data.draw(st.permutations(event_rows(world)))
    with workspace_of(type(world)(world.events, {}, world.settings, world.now)) as whole:
        expected = derived(whole)
    with workspace_of(type(world)([], {}, world.settings, world.now)) as ws:
        asks = data.draw(st.sets(st.integers(0, len(rows)), max_size=3))
        for n, row in enumerate(rows):
            ws.track(**{"event_name" if key == "name" else key: value for key, value in row.items()})
            if n in asks:
                ws.flush()
        assert derived(ws) == expected
        assert ws.journal_audit().adds_up


def test_a_date_without_a_clock_is_midnight_in_the_zone_that_is_given():
    with memory() as ws:
        ws.track("ada", "like", timestamp=date(2026, 1, 5), timezone="UTC")
        assert one(ws, "action_timestamp") == (datetime(2026, 1, 5),)
