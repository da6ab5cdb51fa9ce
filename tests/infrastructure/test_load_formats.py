import gzip
import hashlib
import json
from datetime import UTC, datetime

import polars as pl
import pytest

from regulars.errors import SourceError
from tests.infrastructure.load_support import T, Warehouse, event

HEADER = "event_id,user_id,event_type,timestamp,feature,score"
CSV = f"{HEADER}\n1,u1,login,{T},home,5\n2,u2,view,{T},,\n"
RECORDS = [
    {"event_id": "1", "user_id": "u1", "event_type": "login", "timestamp": T, "feature": "home", "score": "5"},
    {"event_id": "2", "user_id": "u2", "event_type": "view", "timestamp": T},
]
LINES = "\n".join(json.dumps(record) for record in RECORDS) + "\n"
SEEN = """
SELECT event_id, external_id, action_type, feature_name, action_timestamp, action_metadata
FROM fact_user_actions JOIN dim_identities USING (identity_key) JOIN dim_actions USING (action_key)
LEFT JOIN dim_features USING (feature_key) ORDER BY event_id"""
EXPECTED = [
    ("1", "u1", "login", "home", datetime(2026, 1, 5, 10), '{"score":"5"}'),
    ("2", "u2", "view", None, datetime(2026, 1, 5, 10), None),
]


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("crlf.csv", CSV.replace("\n", "\r\n")),
        ("bom.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("semicolon.csv", CSV.replace(",", ";")),
        ("tabs.tsv", CSV.replace(",", "\t")),
        ("no_end.csv", CSV.rstrip("\n")),
        ("blank_lines.csv", CSV.replace("\n", "\n\n")),
        ("a.jsonl", LINES),
        ("a.ndjson", LINES.replace("\n", "\r\n\r\n")),
        ("bom.jsonl", b"\xef\xbb\xbf" + LINES.encode()),
        ("a.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)),
        ("a.json", json.dumps(RECORDS, indent=2)),
        ("a.json.gz", gzip.compress(json.dumps(RECORDS).encode(), mtime=0)),
        ("lines.json", LINES),
        ("no_suffix", LINES),
        ("no_suffix_either", CSV),
        ("array_without_suffix", json.dumps(RECORDS)),
        ("it's [a] *odd* name?.csv", CSV),
        ("it's [a] *odd* name?.json", json.dumps(RECORDS)),
    ],
)
def test_every_text_format_gives_the_same_events(tmp_path, name, content):
    warehouse = Warehouse()
    report = warehouse.load(write(tmp_path, name, content))
    assert (report.source, report.kind, report.loaded) == (name, "events", 2)
    assert warehouse.rows(SEEN) == EXPECTED


def test_a_list_of_dicts_gives_the_same_events():
    warehouse = Warehouse()
    assert warehouse.load(RECORDS).source == "list of dicts"
    assert warehouse.rows(SEEN) == EXPECTED


def frame():
    return pl.DataFrame(
        {
            "event_id": ["1", "2"],
            "user_id": ["u1", "u2"],
            "event_type": ["login", "view"],
            "timestamp": [datetime(2026, 1, 5, 10, tzinfo=UTC)] * 2,
            "feature": ["home", None],
            "score": ["5", None],
        }
    )


def test_a_parquet_file_gives_the_same_events(tmp_path):
    warehouse = Warehouse()
    path = tmp_path / "it's [a] *.parquet"
    frame().write_parquet(path)
    warehouse.load(str(path))
    assert warehouse.rows(SEEN) == EXPECTED


def test_a_parquet_file_is_known_by_its_first_bytes(tmp_path):
    warehouse = Warehouse()
    frame().write_parquet(tmp_path / "data.bin")
    assert warehouse.load(tmp_path / "data.bin").loaded == 2


def test_an_arrow_file_gives_the_same_events(tmp_path):
    warehouse = Warehouse()
    frame().write_ipc(tmp_path / "a.arrow")
    warehouse.load(tmp_path / "a.arrow")
    assert warehouse.rows(SEEN) == EXPECTED


@pytest.mark.parametrize("convert", [lambda f: f, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_a_frame_of_any_library_gives_the_same_events(convert):
    warehouse = Warehouse()
    warehouse.load(convert(frame()))
    assert warehouse.rows(SEEN) == EXPECTED


def test_a_stream_that_can_be_read_once_is_enough():
    warehouse = Warehouse()
    assert warehouse.load(frame().to_arrow().to_reader()).loaded == 2


def test_typed_properties_stay_numbers_and_booleans(tmp_path):
    warehouse = Warehouse()
    path = tmp_path / "a.parquet"
    frame().with_columns(
        n=pl.Series([1, None]), x=pl.Series([0.5, float("nan")]), b=pl.Series([True, False]), l=pl.Series([[1, 2], []])
    ).drop("score").write_parquet(path)
    warehouse.load(path)
    stored = {
        row[0]: json.loads(row[1]) for row in warehouse.rows("SELECT event_id, action_metadata FROM fact_user_actions")
    }
    assert stored == {"1": {"n": 1, "x": 0.5, "b": True, "l": [1, 2]}, "2": {"b": False, "l": []}}


def test_nested_columns_of_parquet_are_the_wire_form(tmp_path):
    warehouse = Warehouse()
    path = tmp_path / "a.parquet"
    frame().with_columns(
        device=pl.Series([{"platform": "ios", "type": "phone"}, {"platform": "web", "type": None}]),
        geo=pl.Series([{"country": "DE", "latitude": 52.5}, {"country": "FR", "latitude": None}]),
        properties=pl.Series([{"plan": "pro"}, {"plan": None}]),
        user=pl.Series([{"plan": "pro"}, {"plan": "free"}]),
    ).drop("score").write_parquet(path)
    warehouse.load(path)
    assert warehouse.rows("""
        SELECT event_id, device_type, platform, country, latitude, action_metadata FROM fact_user_actions
        JOIN dim_devices USING (device_key) JOIN dim_geographies USING (geography_key) ORDER BY event_id""") == [
        ("1", "phone", "ios", "DE", 52.5, '{"plan":"pro"}'),
        ("2", None, "web", "FR", None, None),
    ]
    assert warehouse.rows("SELECT key, value FROM fact_user_attributes WHERE is_explicit ORDER BY event_id") == [
        ("plan", "pro"),
        ("plan", "free"),
    ]


def test_the_wire_form_fills_every_column():
    warehouse = Warehouse()
    record = event(
        sequence=7, session_id="s1", name="Sign in", feature="home", duration_seconds=1.5, context="/start",
        device={"device_type": "phone", "platform": "ios", "os_version": "18", "app_version": "2", "browser_name": "x",
                "browser_version": "1", "device_id": "d"},
        geo={"continent": "EU", "country": "DE", "region": "BE", "city": "Berlin", "postal_code": "10115",
             "latitude": 52.5, "longitude": 13.4, "timezone": "Europe/Berlin"},
        details=[{"type": "answer", "payload": {"q": 1}}, {"type": "answer", "payload": 2}],
        properties={"a": {"b": None}, "c": [1]}, odd="kept", missing=None,
    )  # fmt: skip
    warehouse.load([record])
    ((sequence, session, name, seconds, context, metadata),) = warehouse.rows(
        """SELECT sequence, client_session_id, event_name, duration_seconds, action_context, action_metadata
           FROM fact_user_actions"""
    )
    assert (sequence, session, name, seconds, context) == (7, "s1", "Sign in", 1.5, "/start")
    assert json.loads(metadata) == {"odd": "kept", "a": {}, "c": [1]}
    assert warehouse.rows("FROM dim_devices") == [(1, "phone", "ios", "18", "2", "x", "1", "d")]
    assert warehouse.rows("FROM dim_geographies") == [
        (1, "EU", "DE", None, "BE", None, "Berlin", None, "10115", 52.5, 13.4, "Europe/Berlin")
    ]
    assert warehouse.rows("SELECT event_id, detail_type, payload FROM fact_activity_details") == [
        ("e1", "answer", '{"q":1}'),
        ("e1", "answer", "2"),
    ]


def test_the_synthetic_shape_is_understood(tmp_path):
    warehouse = Warehouse()
    warehouse.load(write(tmp_path, "events.csv",
        "event_id,user_id,event_time,event_type,course_id,watch_minutes,quiz_score,amount\n"
        f"1,7,{T},video_watch,k8s,2.5,,\n2,7,{T},quiz_attempt,k8s,,88.5,\n3,7,{T},payment_success,,,,499.00\n",
    ))  # fmt: skip
    assert warehouse.rows("""
        SELECT event_id, feature_name, duration_seconds, action_metadata
        FROM fact_user_actions LEFT JOIN dim_features USING (feature_key) ORDER BY event_id""") == [
        ("1", "k8s", 150.0, None),
        ("2", "k8s", None, '{"quiz_score":"88.5"}'),
        ("3", None, None, '{"amount":"499.00"}'),
    ]


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("junk.csv", bytes(range(256)) * 40, "bad_source", "is not CSV, JSON Lines or Parquet"),
        ("junk", b"\x7fELF" + bytes(500), "bad_source", "is not CSV, JSON Lines or Parquet"),
        ("text.parquet", b"hello", "bad_source", "is not CSV, JSON Lines or Parquet"),
        ("broken.parquet", b"PAR1" + b"x" * 100, "bad_source", "Parquet"),
        ("empty.csv", b"", "empty_source", "empty"),
        ("blank.jsonl", b" \n\n", "empty_source", "empty"),
        ("header.csv", HEADER.encode() + b"\n", "empty_source", "no rows"),
        ("empty.csv.gz", gzip.compress(b"", mtime=0), "empty_source", "empty"),
        ("cut.csv.gz", gzip.compress(CSV.encode() * 50, mtime=0)[:40], "bad_source", "cannot be read"),
        ("cut.json", b'[{"a":1},', "bad_json", "JSON array"),
        ("cut_inside.json", b'[{"a":1},{"b"', "bad_json", "JSON array"),
        ("broken.json", b'[{"a":1} {"b":2}]', "bad_json", "JSON array"),
        ("more.json", b'[{"a":1}] [1]', "bad_json", "JSON array"),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path, name, content, code, words):
    with pytest.raises(SourceError, match=words) as caught:
        Warehouse().load(write(tmp_path, name, content))
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere\.csv does not exist") as caught:
        Warehouse().load(tmp_path / "nowhere.csv")
    assert caught.value.code == "no_such_file"


@pytest.mark.parametrize("source", [42, [], None])
def test_what_is_no_source_is_refused(source):
    with pytest.raises(SourceError):
        Warehouse().load(source)


def test_a_damaged_parquet_file_is_the_sources_fault(tmp_path):
    path = tmp_path / "a.parquet"
    pl.concat([frame()] * 200).write_parquet(path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[4:200] = bytes(196)
    path.write_bytes(bytes(data))
    warehouse = Warehouse()
    with pytest.raises(SourceError):
        warehouse.load(path)
    assert warehouse.counts()["fact_user_actions"] == 0


def test_the_load_is_recorded_with_the_hash_of_the_file(tmp_path):
    warehouse = Warehouse()
    path = write(tmp_path, "a.csv", CSV + "3,u3,login,never,,\n")
    warehouse.load(path)
    warehouse.load(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert warehouse.rows(
        "SELECT load_id, source, fingerprint, rows_read, rows_loaded, duplicates, rejected FROM loads"
    ) == [
        (1, "a.csv", digest, 3, 2, 0, 1),
        (2, "a.csv", digest, 3, 0, 2, 1),
    ]


def test_progress_is_told_by_stage(tmp_path):
    told = []
    Warehouse().load(write(tmp_path, "a.csv", CSV), progress=lambda *step: told.append(step))
    assert told == [("read", 0, None), ("check", 0, None), ("store", 0, 2), ("store", 2, 2)]


def test_a_load_leaves_no_temporary_table_behind(tmp_path):
    warehouse = Warehouse()
    before = warehouse.engine.fetch(
        "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views()"
    )
    warehouse.load(write(tmp_path, "a.csv", CSV))
    warehouse.preview(write(tmp_path, "a.csv", CSV))
    assert sorted(before) == sorted(
        warehouse.engine.fetch("SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views()")
    )
