from datetime import UTC, datetime

import polars as pl
import pytest

from regulars.errors import SourceError
from regulars.settings import Settings
from tests.infrastructure.load_support import NOW, T, Warehouse, event

JUNK = (
    "",
    "  ",
    "null",
    "NULL",
    "undefined",
    "None",
    "nan",
    "NaN",
    "0",
    "guest",
    "Anonymous",
    "-1",
    "\tnull ",
    "\u00a0",
)
IDENTITIES = "SELECT kind, external_id FROM dim_identities ORDER BY identity_key"
ATTRIBUTES = """
SELECT external_id, key, value FROM fact_user_attributes JOIN dim_identities USING (identity_key) ORDER BY ALL"""


@pytest.mark.parametrize("junk", JUNK)
def test_a_junk_id_is_a_missing_id(tmp_path, junk):
    rows = [
        event(event_id="a", user_id=junk),
        event(event_id="b", user_id=junk, anonymous_id="x"),
        event(event_id="c", user_id="u", anonymous_id=junk),
        event(event_id="d", user_id="u", anonymous_id=junk, event_type="identify"),
        event(event_id="e", user_id=junk, anonymous_id="x", event_type="identify"),
    ]
    parquet = tmp_path / "a.parquet"
    pl.DataFrame(rows).write_parquet(parquet)
    for source in (rows, parquet):
        warehouse = Warehouse()
        assert warehouse.load(source).reasons == {"no_identity": 1}
        assert warehouse.rows(IDENTITIES) == [("known", "u"), ("anonymous", "x")]
        assert warehouse.rows("FROM fact_identity_links") == []


def test_ids_are_trimmed_and_keep_their_case(tmp_path):
    rows = [event(event_id="a", user_id=" U1\t"), event(event_id="b", user_id="U1"), event(event_id="c", user_id="u1")]
    parquet = tmp_path / "a.parquet"
    pl.DataFrame(rows).write_parquet(parquet)
    for source in (rows, parquet):
        warehouse = Warehouse()
        warehouse.load(source)
        assert warehouse.rows(IDENTITIES) == [("known", "U1"), ("known", "u1")]


def test_an_event_with_both_ids_belongs_to_the_known_one():
    warehouse = Warehouse()
    warehouse.load([event(anonymous_id="x"), event(event_id="e2", user_id=None, anonymous_id="u1")])
    assert warehouse.rows(
        "SELECT event_id, kind FROM fact_user_actions JOIN dim_identities USING (identity_key) ORDER BY 1"
    ) == [
        ("e1", "known"),
        ("e2", "anonymous"),
    ]


def test_identify_and_alias_link_an_anonymous_id_to_a_known_one():
    warehouse = Warehouse()
    warehouse.load(
        [
            event(event_id="1", anonymous_id="x"),
            event(event_id="2", anonymous_id="x", event_type="identify"),
            event(event_id="3", previous_id="y", event_type="alias"),
            event(event_id="5", previous_id="w", event_type="login"),
            event(event_id="6", event_type="identify"),
        ]
    )
    assert warehouse.rows("""
        SELECT event_id, a.kind, a.external_id, k.kind, k.external_id, linked_at, load_id
        FROM fact_identity_links JOIN dim_identities a ON a.identity_key = anonymous_key
        JOIN dim_identities k ON k.identity_key = known_key ORDER BY 1""") == [
        ("2", "anonymous", "x", "known", "u1", datetime(2026, 1, 5, 10), 1),
        ("3", "anonymous", "y", "known", "u1", datetime(2026, 1, 5, 10), 1),
    ]


def test_keys_are_dense_and_go_on_in_the_next_load():
    warehouse = Warehouse()
    warehouse.load(
        [
            event(
                event_id=str(n), user_id=f"u{n}", event_type=f"t{n}", country=f"C{n}", platform=f"p{n}", feature=f"f{n}"
            )
            for n in range(3)
        ]
    )
    warehouse.load(
        [
            event(
                event_id=str(n), user_id=f"u{n}", event_type=f"t{n}", country=f"C{n}", platform=f"p{n}", feature=f"f{n}"
            )
            for n in range(2, 5)
        ]
    )
    for name in (
        "identity_identities",
        "action_actions",
        "feature_features",
        "device_devices",
        "geography_geographies",
    ):
        key, _, table = name.partition("_")
        key, table = f"{key}_key", f"dim_{table}"
        assert warehouse.column(f"SELECT {key} FROM {table} ORDER BY 1") == [1, 2, 3, 4, 5]
    assert warehouse.rows("""
        SELECT external_id, action_type, country, platform, feature_name FROM fact_user_actions
        JOIN dim_identities USING (identity_key) JOIN dim_actions USING (action_key)
        JOIN dim_features USING (feature_key)
        JOIN dim_devices USING (device_key) JOIN dim_geographies USING (geography_key) ORDER BY event_id""") == [
        (f"u{n}", f"t{n}", f"C{n}", f"p{n}", f"f{n}") for n in range(5)
    ]
    assert warehouse.rows("SELECT count(*) FROM dim_identities WHERE user_key <> identity_key") == [(0,)]


def test_actions_and_features_are_described_by_the_settings():
    settings = Settings.from_toml('core_features = ["home"]\n[actions.dance]\nweight = 5\nconversion = true')
    warehouse = Warehouse(core_features=settings.core_features, actions=settings.actions)
    warehouse.load(
        [
            event(event_id=t, event_type=t, feature=f)
            for t, f in (("dance", "home"), ("identify", "away"), ("zzz", None))
        ]
    )
    assert warehouse.rows("SELECT * EXCLUDE (action_key) FROM dim_actions ORDER BY action_type") == [
        ("dance", "other", 5.0, True, True, False),
        ("identify", "marker", 0.0, False, False, True),
        ("zzz", "other", 1.0, True, False, False),
    ]
    assert warehouse.rows("SELECT feature_name, is_core_feature FROM dim_features ORDER BY 1") == [
        ("away", False),
        ("home", True),
    ]


def test_the_user_object_sets_attributes_at_the_time_of_the_event():
    warehouse = Warehouse()
    warehouse.load([event(sequence=4, user={"plan": "pro", "age": 7, "gone": None, "a/b~c": True, "o": {"x": 1}})])
    assert warehouse.rows(
        "SELECT key, value, set_at, sequence, event_id, is_explicit FROM fact_user_attributes ORDER BY key"
    ) == [
        (key, value, datetime(2026, 1, 5, 10), 4, "e1", True)
        for key, value in (("a/b~c", "true"), ("age", "7"), ("gone", None), ("o", '{"x":1}'), ("plan", "pro"))
    ]


def inferred(warehouse, key):
    return warehouse.rows(f"""
        SELECT external_id, value, event_id FROM fact_user_attributes JOIN dim_identities USING (identity_key)
        WHERE key = '{key}' AND NOT is_explicit ORDER BY ALL""")


def test_the_first_event_that_carries_an_attribute_decides_it():
    warehouse = Warehouse()
    warehouse.load(
        [
            event(
                event_id="1",
                timestamp="2026-01-07T00:00:00Z",
                country="DE",
                plan="pro",
                region="BE",
                device_type="phone",
            ),
            event(event_id="2", timestamp="2026-01-06T00:00:00Z", country="FR"),
            event(event_id="3", timestamp="2026-01-05T00:00:00Z", gender="f"),
            event(
                event_id="4", user_id="u2", timestamp="2026-01-05T00:00:00Z", country="US", properties={"plan": "free"}
            ),
        ]
    )
    assert inferred(warehouse, "country") == [("u1", "FR", "2"), ("u2", "US", "4")]
    assert inferred(warehouse, "plan") == [("u1", "pro", "1"), ("u2", "free", "4")]
    assert inferred(warehouse, "gender") == [("u1", "f", "3")]
    assert inferred(warehouse, "region") == [("u1", "BE", "1")]
    assert inferred(warehouse, "device_type") == [("u1", "phone", "1")]


def test_ties_of_first_events_are_decided_by_sequence_then_id():
    warehouse = Warehouse()
    warehouse.load(
        [
            event(event_id="a", country="none"),
            event(event_id="c", country="second", sequence=2),
            event(event_id="d", country="first", sequence=1),
            event(event_id="y", user_id="u2", country="later"),
            event(event_id="x", user_id="u2", country="sooner"),
        ]
    )
    assert inferred(warehouse, "country") == [("u1", "first", "d"), ("u2", "sooner", "x")]


def test_each_load_infers_for_itself_and_only_from_its_own_events():
    warehouse = Warehouse()
    warehouse.load([event(country="DE")])
    warehouse.load([event(event_id="e2", timestamp="2026-01-01T00:00:00Z", country="FR"), event(country="DE")])
    assert inferred(warehouse, "country") == [("u1", "DE", "e1"), ("u1", "FR", "e2")]


USERS = "user_id,signup_date,plan,is_paid,country,marketing_source,Score\n"


def users_file(folder, text):
    path = folder / "users.csv"
    path.write_text(text)
    return path


def test_a_users_file_sets_attributes(tmp_path):
    warehouse = Warehouse()
    report = warehouse.load(
        users_file(tmp_path, USERS + "u1,2025-12-01,pro,true,DE,ads,\nu2,2025-12-02,free,false, ,,9\nguest,,,,,,\n")
    )
    assert (report.kind, report.loaded, report.reasons) == ("users", 2, {"no_identity": 1})
    assert warehouse.rows(ATTRIBUTES) == [
        ("u1", "acquisition_channel", "ads"),
        ("u1", "country", "DE"),
        ("u1", "is_paid", "true"),
        ("u1", "plan", "pro"),
        ("u1", "registration_date", "2025-12-01"),
        ("u2", "Score", "9"),
        ("u2", "is_paid", "false"),
        ("u2", "plan", "free"),
        ("u2", "registration_date", "2025-12-02"),
    ]
    assert set(warehouse.rows("SELECT set_at, event_id, is_explicit, load_id FROM fact_user_attributes")) == {
        (NOW, "", True, 1)
    }
    assert warehouse.rows(IDENTITIES) == [("known", "u1"), ("known", "u2")]
    assert warehouse.counts()["fact_user_actions"] == 0


def test_the_last_row_of_a_user_wins(tmp_path):
    warehouse = Warehouse()
    report = warehouse.load(users_file(tmp_path, "user_id,plan,city\nu1,free,Rome\nu2,pro,\nu1,pro,\n"))
    assert (report.loaded, report.duplicates) == (2, 1)
    assert warehouse.rows(ATTRIBUTES) == [("u1", "plan", "pro"), ("u2", "plan", "pro")]


def test_users_are_set_when_they_say_they_were_updated(tmp_path):
    warehouse = Warehouse()
    text = f"id,plan,updated_at\nu1,pro,{T}\nu2,free,\nu3,free,soon\n"
    report = warehouse.load(users_file(tmp_path, text))
    assert report.reasons == {"bad_time": 1}
    assert warehouse.rows("SELECT key, set_at FROM fact_user_attributes ORDER BY set_at") == [
        ("plan", datetime(2026, 1, 5, 10)),
        ("plan", NOW),
    ]


def test_the_same_users_twice_add_nothing(tmp_path):
    warehouse = Warehouse()
    path = users_file(tmp_path, f"user_id,plan,updated_at\nu1,pro,{T}\nu2,free,{T}\n")
    warehouse.load(path)
    again = warehouse.load(path)
    assert (again.loaded, again.duplicates) == (0, 2)
    assert warehouse.counts()["fact_user_attributes"] == 2
    path.write_text(f"user_id,plan,updated_at,city\nu1,pro,{T},Rome\nu2,free,{T},\n")
    assert warehouse.load(path).loaded == 1


def test_users_come_as_frames_lists_and_lines_too(tmp_path):
    lines = tmp_path / "users.jsonl"
    lines.write_text('{"user_id": 1, "plan": "pro", "age": 7, "team": null, "created_at": "2025-12-01"}\n')
    frame = pl.DataFrame({"user_id": [1], "plan": ["pro"], "age": [7], "team": [None], "created_at": ["2025-12-01"]})
    for source in (lines, frame, frame.to_pandas(), frame.to_dicts()):
        warehouse = Warehouse()
        report = warehouse.load(source)
        assert (report.kind, report.loaded) == ("users", 1)
        assert warehouse.rows(ATTRIBUTES) == [
            ("1", "age", "7"),
            ("1", "plan", "pro"),
            ("1", "registration_date", "2025-12-01"),
        ]


def test_the_kind_can_be_given(tmp_path):
    path = users_file(tmp_path, f"user_id,event,time\nu1,login,{T}\n")
    warehouse = Warehouse()
    assert warehouse.load(path, kind="users").kind == "users"
    assert warehouse.rows(ATTRIBUTES) == [("u1", "event", "login"), ("u1", "time", T)]
    with pytest.raises(SourceError, match="unknown kind 'people'"):
        warehouse.load(path, kind="people")


def test_a_users_frame_with_real_dates_keeps_them_as_text():
    warehouse = Warehouse()
    warehouse.load(pl.DataFrame({"user_id": ["u"], "signup_date": [datetime(2025, 12, 1, tzinfo=UTC).date()]}))
    assert warehouse.rows(ATTRIBUTES) == [("u", "registration_date", "2025-12-01")]
