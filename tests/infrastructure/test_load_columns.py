import json

import polars as pl
import pytest

from regulars.errors import SourceError, UnknownNameError
from regulars.infrastructure.importers.columns import Field, assign, decide_kind
from regulars.settings import ImportSettings
from tests.infrastructure.load_support import T, Warehouse, event


def guessed(*names):
    columns = assign([Field(name, "VARCHAR", name) for name in names])
    return {role: item.name for role, item in columns.roles.items()}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["userId", "Event", "Time-Stamp"], {"user_id": "userId", "event_type": "Event", "timestamp": "Time-Stamp"}),
        (["$insert_id", "distinct_id"], {"event_id": "$insert_id", "user_id": "distinct_id"}),
        (["event", "event_type"], {"event_type": "event_type"}),
        (["event_name", "event_type"], {"event_type": "event_type", "name": "event_name"}),
        (["event_name"], {"event_type": "event_name"}),
        (["id", "event_id"], {"event_id": "event_id"}),
        (["user", "user_id"], {"user_id": "user_id"}),
        (["CUSTOMER_ID", "action", "ts"], {"user_id": "CUSTOMER_ID", "event_type": "action", "timestamp": "ts"}),
        (["anon_id", "message_id"], {"anonymous_id": "anon_id", "event_id": "message_id"}),
        (["course_id"], {"feature": "course_id"}),
        (["screen"], {"context": "screen"}),
        (["page", "url"], {"context": "page"}),
        (["plan", "amount"], {}),
    ],
)
def test_roles_are_guessed_from_names(names, expected):
    assert guessed(*names) == expected


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["user_id", "event", "time"], "events"),
        (["user_id", "plan"], "users"),
        (["id", "plan", "created_at"], "users"),
        (["user_id", "type", "country"], "users"),
        (["user_id", "time"], "events"),
        (["user_id", "event"], "events"),
        (["plan"], "events"),
    ],
)
def test_people_are_told_from_events_by_their_columns(names, kind):
    assert decide_kind(assign([Field(name, "VARCHAR", name) for name in names])) == kind


def csv_file(folder, text):
    path = folder / "a.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("header", "meaning", "role"),
    [
        ("event,time,plan", "who", "user_id"),
        ("user,time,plan", "what happened", "event_type"),
        ("user,event,plan", "when", "timestamp"),
    ],
)
def test_a_missing_column_is_named_with_what_there_is_and_what_to_do(tmp_path, header, meaning, role):
    with pytest.raises(SourceError) as caught:
        Warehouse().load(csv_file(tmp_path, f"{header}\n1,2,3\n"))
    message = str(caught.value)
    assert caught.value.code == "missing_column"
    assert f"no column for {meaning}" in message
    assert f"--map {role}=COLUMN" in message
    assert all(name in message for name in header.split(","))
    assert "\n" not in message


def test_a_mapping_overrides_the_guess(tmp_path):
    path = csv_file(tmp_path, f"who,user_id,did,at,module\nu1,other,login,{T},home\n")
    warehouse = Warehouse()
    warehouse.load(path, mapping={"user_id": "who", "event_type": "did", "timestamp": "AT", "feature": "module"})
    assert warehouse.column("SELECT external_id FROM dim_identities") == ["u1"]
    assert warehouse.column("SELECT feature_name FROM dim_features") == ["home"]
    assert json.loads(warehouse.column("SELECT action_metadata FROM fact_user_actions")[0]) == {"user_id": "other"}


def test_a_mapping_works_on_documents():
    warehouse = Warehouse()
    warehouse.load(
        [{"quién?": "u1", "did": "login", "at": T}],
        mapping={"user_id": "quién?", "event_type": "did", "timestamp": "at"},
    )
    assert warehouse.rows(
        "SELECT external_id, action_metadata FROM dim_identities JOIN fact_user_actions USING (identity_key)"
    ) == [("u1", None)]


def test_a_mapping_with_a_wrong_role_or_column_is_refused(tmp_path):
    path = csv_file(tmp_path, f"user,event,time\nu1,login,{T}\n")
    with pytest.raises(UnknownNameError, match="did you mean 'user_id'"):
        Warehouse().load(path, mapping={"userid": "user"})
    with pytest.raises(SourceError, match="there is no column 'usr'; the columns are: user, event, time"):
        Warehouse().load(path, mapping={"user_id": "usr"})


def test_a_preview_tells_what_would_happen_and_changes_nothing(tmp_path):
    warehouse = Warehouse()
    path = csv_file(
        tmp_path, f"id,user,event,time,plan\n1,u1,login,{T},pro\n1,u1,login,{T},pro\n2,u2,login,never,\n3,u3\n"
    )
    preview = warehouse.preview(path)
    assert (preview.source, preview.format, preview.kind, preview.problem) == ("a.csv", "csv", "events", None)
    assert preview.columns == {"event_id": "id", "user_id": "user", "event_type": "event", "timestamp": "time"}
    assert preview.properties == ("plan",)
    assert (preview.rows_read, preview.loaded, preview.duplicates, preview.rejected) == (4, 1, 1, 2)
    assert [(reject.line, reject.reason) for reject in preview.rejects] == [(4, "bad_time"), (5, "bad_row")]
    assert set(warehouse.counts().values()) == {0}
    assert warehouse.rows("FROM loads") == warehouse.rows("FROM dead_letter") == []
    assert warehouse.load(path).loaded == preview.loaded


def test_a_preview_says_why_an_import_would_be_refused(tmp_path):
    naive = Warehouse().preview(csv_file(tmp_path, "user,event,time\nu1,login,2026-01-01 10:00\n"))
    assert "--timezone UTC" in naive.problem
    missing = Warehouse().preview(csv_file(tmp_path, "user,plan,event\nu1,pro,login\n"))
    assert "no column for when" in missing.problem
    assert missing.columns == {"user_id": "user", "event_type": "event"}


def test_a_preview_of_users_shows_their_attributes(tmp_path):
    preview = Warehouse().preview(csv_file(tmp_path, "id,plan,city\nu1,pro,\nu1,free,\n"))
    assert (preview.kind, preview.columns, preview.properties) == ("users", {"user_id": "id"}, ("plan", "city"))
    assert (preview.rows_read, preview.rejected) == (2, 0)


def test_addresses_are_kept_only_when_the_settings_say_so():
    for store, expected in ((False, None), (True, "10.0.0.1")):
        warehouse = Warehouse(imports=ImportSettings(store_ip=store))
        warehouse.load([event(ip="10.0.0.1")])
        assert warehouse.rows("SELECT client_ip, action_metadata FROM fact_user_actions") == [(expected, None)]


def test_limits_come_from_the_settings():
    warehouse = Warehouse(imports=ImportSettings(string_bytes=10, name_characters=5))
    report = warehouse.load(
        [
            event(timestamp=0),
            event(event_id="2", x="y" * 11, timestamp=0),
            event(event_id="3", event_type="logout", timestamp=0),
        ]
    )
    assert report.reasons == {"name_too_long": 1, "value_too_long": 1}


@pytest.mark.parametrize("column", ["event_id", "user_id", "event_type", "country", "x"])
def test_one_long_text_in_any_column_of_parquet_is_refused(tmp_path, column):
    rows = [{"event_id": f"e{i}", "user_id": "u", "event_type": "a", "country": "FR", "x": "y"} for i in range(2)]
    rows[1][column] = "z" * 11
    path = tmp_path / "a.parquet"
    pl.DataFrame([row | {"timestamp": 1_767_600_000} for row in rows]).write_parquet(path)
    warehouse = Warehouse(imports=ImportSettings(string_bytes=10))
    report = warehouse.load(path)
    assert (report.loaded, report.reasons) == (1, {"value_too_long": 1})
    assert warehouse.column("SELECT detail FROM dead_letter") == [f"over 10 bytes: {column}"]


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", "\u2003"])
@pytest.mark.parametrize("ends", ["{}z", "z{}"])
def test_one_blank_end_in_a_column_of_parquet_is_trimmed(tmp_path, blank, ends):
    path = tmp_path / "a.parquet"
    names = ["a", ends.format(blank), "b"]
    frame = {
        "event_id": names,
        "user_id": names,
        "event_type": names,
        "platform": names,
        "timestamp": [1_767_600_000] * 3,
    }
    pl.DataFrame(frame).write_parquet(path)
    warehouse = Warehouse()
    warehouse.load(path)
    stored = {
        "SELECT event_id FROM fact_user_actions": "event_id",
        "SELECT external_id FROM dim_identities": "external_id",
        "SELECT action_type FROM dim_actions": "action_type",
        "SELECT platform FROM dim_devices": "platform",
    }
    for sql, name in stored.items():
        assert warehouse.column(f"{sql} ORDER BY {name}") == ["a", "b", "z"]


def test_only_some_ids_of_parquet_are_made_where_some_are_missing(tmp_path):
    path = tmp_path / "a.parquet"
    frame = {
        "event_id": ["a", None, "b"],
        "user_id": ["u"] * 3,
        "event_type": ["x"] * 3,
        "timestamp": [1_767_600_000] * 3,
    }
    pl.DataFrame(frame).write_parquet(path)
    warehouse = Warehouse()
    assert warehouse.load(path).loaded == 3
    assert warehouse.load(path).duplicates == 3
    ids = warehouse.column("SELECT event_id FROM fact_user_actions")
    assert {"a", "b"} < set(ids)
