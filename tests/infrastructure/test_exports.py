"""Exports of other tools: who is recognised, what is kept, and what becomes of rows that are broken or hostile."""

import csv
import gzip
import json
import random

import polars as pl
import pytest

from regulars.errors import SourceError, UnknownNameError
from regulars.infrastructure.importers.exports.recognise import EXPORTS, _look, recognise
from regulars.infrastructure.importers.exports.snowplow import SNOWPLOW
from regulars.infrastructure.importers.formats import FORMATS, TOOLS, inspect, peek
from tests.infrastructure import export_world as tools
from tests.infrastructure.load_support import T, Warehouse, event, lines_of

FIRST, SECOND = (
    tools.Happening(1, tools._START, "purchase", "u1", "d1", {"amount": 2.5}),
    tools.Happening(2, tools._START, "search", None, "d2", {"path": "/a"}),
)
MAKERS = {
    "segment": tools.segment_call,
    "posthog": tools.posthog_event,
    "amplitude": tools.amplitude_event,
    "mixpanel": tools.mixpanel_event,
    "ga4": tools.ga4_event,
    "snowplow": tools.snowplow_event,
}
METADATA = "SELECT action_metadata FROM fact_user_actions ORDER BY action_timestamp, event_id"
ATTRIBUTES = "SELECT key, value FROM fact_user_attributes WHERE is_explicit ORDER BY ALL"


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def properties(warehouse):
    return [json.loads(text or "{}") for text in warehouse.column(METADATA)]


def test_the_names_of_the_tools_are_those_of_their_records():
    assert tuple(export.tool for export in EXPORTS) == TOOLS
    assert not set(TOOLS) & set(FORMATS)


@pytest.mark.parametrize("written", tools.WRITERS)
def test_no_tool_claims_the_file_of_another(tmp_path, written):
    tool, write = tools.WRITERS[written]
    write(tmp_path, tools.world(people=8))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert recognise(peek(path)).export.tool == tool
        for export in EXPORTS:
            own = [shape for shape in export.shapes if not shape.header]
            if export.tool != tool:
                assert not any(shape.fits(keys_of(path)) for shape in own)


def keys_of(path):
    return _look(peek(path))[0]


@pytest.mark.parametrize(
    "names",
    [
        "event_id,user_id,event_type,timestamp", "user_id,event,time,properties", "uuid,event,distinct_id,timestamp",
        "id,user_id,event,timestamp,received_at", "event_name,event_timestamp,user_id,session_id",
        "user_id,created_at,plan", "id,email,received_at", "event_type,event_time,device_id,user_id",
        "event_id,event,user_id,collector", "type,userId,timestamp,messageIds",
    ],
)  # fmt: skip
def test_a_plain_file_stays_plain(tmp_path, names):
    path = tmp_path / "a.csv"
    path.write_text(names + "\n" + ",".join("1" for _ in names.split(",")) + "\n")
    assert recognise(peek(path)) is None
    lines = write_lines(tmp_path / "a.jsonl", [dict.fromkeys(names.split(","), "1")])
    assert recognise(peek(lines)) is None
    parquet = tmp_path / "a.parquet"
    pl.DataFrame([dict.fromkeys(names.split(","), "1")]).write_parquet(parquet)
    assert recognise(peek(parquet)) is None


def test_what_regulars_writes_itself_stays_plain(tmp_path):
    nested = event(device={"platform": "web"}, geo={"country": "NO"}, properties={"distinct_id": "x", "time": 1})
    for row in (event(), nested, event(anonymous_id="a", details=[{"type": "t", "payload": {}}])):
        assert recognise(peek(write_lines(tmp_path / "a.jsonl", [row]))) is None
        assert Warehouse().load(tmp_path / "a.jsonl").loaded == 1


@pytest.mark.parametrize("tool", MAKERS)
def test_a_broken_row_ends_in_the_dead_letter_with_its_line_and_the_reason(tmp_path, tool):
    make = MAKERS[tool]
    timeless = {**make(FIRST)}
    where = timeless["properties"] if tool == "mixpanel" else timeless
    for name in ("timestamp", "event_time", "time", "event_timestamp", "derived_tstamp"):
        if name in where:
            where[name] = "yesterday"
    nobody = make(tools.Happening(3, tools._START, "search", None, None))
    nobody.pop("amplitude_id", None)
    if tool == "mixpanel":
        nobody["properties"]["distinct_id"] = "null"
    rows = [make(FIRST), "{not json", timeless, "", nobody, '["list"]', make(SECOND)]
    warehouse = Warehouse()
    report = warehouse.load(write_lines(tmp_path / "a.jsonl", rows))
    assert (report.rows_read, report.loaded) == (6, 2)
    assert lines_of(report) == {2: "bad_json", 3: "bad_time", 5: "no_identity", 6: "bad_json"}
    assert warehouse.rows("SELECT line, raw FROM dead_letter WHERE line = 3")[0][1].find("yesterday") > 0
    again = warehouse.load(tmp_path / "a.jsonl")
    assert (again.loaded, again.duplicates, again.rejected) == (0, 2, 4), "with rejected rows it is read again"


@pytest.mark.parametrize("tool", MAKERS)
def test_every_hostile_row_is_accounted_for(tmp_path, tool):
    rng = random.Random(tool)
    values = [
        None, "", "null", 0, -1, 1e308, 10**30, True, [], {}, [[]], {"a": {"b": None}}, "x" * 70_000, "'; DROP TABLE x",
        "\u0000", "\ud83d", "{", '{"a": NaN}', '{"a": ' * 50 + "1" + "}" * 50, [{"key": None, "value": 3}], "NaN",
        [{"key": "a", "value": {"int_value": "007"}}, {"key": "a", "value": {"string_value": 'q"\\'}}], "1969-01-01",
        [1, "x", None, {"key": {"deep": 1}}], "9" * 400, 1e-320,
    ]  # fmt: skip
    rows = []
    for number in range(400):
        row = MAKERS[tool](tools.Happening(number, tools._START, "search", "u", "d", {"path": "/"}))
        for place in (row, row.get("properties") or row):
            if isinstance(place, dict) and rng.random() < 0.7:
                place[rng.choice(list(place))] = rng.choice(values)
        rows.append(row)
    warehouse = Warehouse()
    report = warehouse.load(write_lines(tmp_path / "a.jsonl", rows), format=tool)
    assert report.rows_read == 400
    assert 0 < report.loaded < 400
    assert all(isinstance(found, dict) for found in properties(warehouse))
    assert warehouse.load(tmp_path / "a.jsonl", format=tool).loaded == 0


@pytest.mark.parametrize("tool", MAKERS)
def test_an_overlapping_export_counts_once(tmp_path, tool):
    history = [row for row in tools.world(people=6) if row.type != "identify"]
    early = write_lines(tmp_path / "early.jsonl", map(MAKERS[tool], history[:60]))
    late = write_lines(tmp_path / "late.jsonl", map(MAKERS[tool], history[40:100]))
    warehouse = Warehouse()
    assert warehouse.load(early).loaded == 60
    report = warehouse.load(late)
    assert (report.loaded, report.duplicates, report.conflicts) == (len(history[60:100]), 20, 0)


def test_a_preview_says_what_becomes_what_and_changes_nothing(tmp_path):
    warehouse = Warehouse()
    preview = warehouse.preview(write_lines(tmp_path / "a.jsonl", [tools.mixpanel_event(FIRST)]))
    assert (preview.format, preview.kind, preview.loaded, preview.problem) == ("mixpanel", "events", 1, None)
    assert preview.columns["event_id"] == "properties.$insert_id"
    assert preview.columns["timestamp"] == "properties.time"
    assert preview.columns["country"] == "properties.mp_country_code or properties.$country_code"
    assert "city" not in preview.columns, "no row has one"
    assert warehouse.counts()["fact_user_actions"] == 0


def test_a_tool_that_is_named_refuses_the_file_of_another(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [event()])
    with pytest.raises(
        SourceError, match=r"no export of PostHog: its rows have uuid, event, .* this file has event_id"
    ):
        Warehouse().load(path, format="posthog")
    with pytest.raises(SourceError, match="whose rows are events, not users"):
        Warehouse().load(write_lines(tmp_path / "b.jsonl", [tools.posthog_event(FIRST)]), kind="users")


def test_a_damaged_file_is_refused_as_a_whole(tmp_path):
    whole = gzip.compress(b"".join(json.dumps(tools.ga4_event(r)).encode() + b"\n" for r in tools.world()))
    (tmp_path / "a.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError):
        Warehouse().load(tmp_path / "a.gz", format="ga4")
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + b"\0" * 100)
    with pytest.raises(SourceError):
        Warehouse().load(tmp_path / "a.parquet", format="ga4")


def test_a_role_can_be_read_from_another_key(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [tools.posthog_event(FIRST), tools.posthog_event(SECOND)])
    warehouse = Warehouse()
    warehouse.load(path, mapping={"user_id": "person_id", "feature": "properties.path"})
    assert warehouse.column("SELECT external_id FROM dim_identities WHERE kind = 'known' ORDER BY 1") == [
        "p-d2",
        "p-u1",
    ]
    assert warehouse.column("SELECT feature_name FROM dim_features") == ["/a"]
    with pytest.raises(SourceError, match="there is no key 'nobody'"):
        warehouse.load(path, mapping={"user_id": "nobody"})
    with pytest.raises(UnknownNameError):
        warehouse.load(path, mapping={"properties": "properties"})


def test_the_same_file_read_in_another_way_is_read_again(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [tools.posthog_event(FIRST)])
    warehouse = Warehouse()
    warehouse.load(path)
    assert warehouse.load(path).is_repeated
    assert warehouse.load(path, format="posthog").is_repeated
    other = warehouse.load(path, mapping={"event_id": "person_id"})
    assert (other.is_repeated, other.loaded) == (False, 1)


def test_a_file_whose_events_are_gone_is_read_again(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [tools.posthog_event(FIRST)])
    warehouse = Warehouse()
    warehouse.load(path)
    with warehouse.engine.transaction():
        warehouse.engine.execute("DELETE FROM fact_user_actions")
    assert warehouse.load(path).loaded == 1


@pytest.mark.parametrize("tool", [name for name in MAKERS if name != "segment"])
def test_properties_keep_their_types(tmp_path, tool):
    warehouse = Warehouse()
    warehouse.load(write_lines(tmp_path / "a.jsonl", [MAKERS[tool](FIRST)]))
    (found,) = properties(warehouse)
    assert found["amount"] == 2.5
    assert warehouse.column("SELECT client_session_id FROM fact_user_actions")[0] is not None or tool in (
        "posthog",
        "mixpanel",
    )


def test_params_of_ga4_are_flat_properties(tmp_path):
    row = tools.ga4_event(FIRST)
    row["event_params"] = [
        {"key": "text", "value": {"string_value": 'a "quote" \\ ü'}},
        {"key": "empty", "value": {"string_value": ""}},
        {"key": "whole", "value": {"int_value": "9007199254740993"}},
        {"key": "float", "value": {"float_value": 0.5}},
        {"key": "nothing", "value": {}},
        {"key": None, "value": {"string_value": "x"}},
    ]
    warehouse = Warehouse()
    warehouse.load(write_lines(tmp_path / "a.jsonl", [row]))
    (found,) = properties(warehouse)
    assert {name: found.get(name) for name in ("text", "empty", "whole", "float", "nothing")} == {
        "text": 'a "quote" \\ ü', "empty": "", "whole": 9007199254740993, "float": 0.5, "nothing": None,
    }  # fmt: skip
    assert warehouse.rows(ATTRIBUTES) == [("plan", "free")]
    row = {**row, "event_params": "none", "batch_page_id": 77}
    report = warehouse.load(write_lines(tmp_path / "b.jsonl", [row, tools.ga4_event(SECOND)]))
    assert lines_of(report) == {1: "bad_json"}


def test_a_list_whose_steps_are_named_is_the_same_list(tmp_path):
    row = tools.ga4_event(FIRST)
    row["event_params"] = {"list": [{"element": member} for member in row["event_params"]]}
    warehouse = Warehouse()
    warehouse.load(write_lines(tmp_path / "a.jsonl", [row]))
    assert properties(warehouse)[0]["amount"] == 2.5
    assert properties(warehouse)[0].keys() >= {"amount", "ga_session_id"}


def test_rows_of_ga4_that_were_restated_count_once(tmp_path):
    """The late export of a day has the same events with other attributes; rows before July 2024 have no batch."""
    for old in (False, True):
        first, second = (tools.ga4_event(FIRST) for _ in range(2))
        second |= {"user_properties": [], "traffic_source": {"medium": "email"}}
        other = {**tools.ga4_event(FIRST), "event_params": []}
        other["batch_event_index"] = 2
        if old:
            for row in (first, second, other):
                for key in ("batch_page_id", "batch_ordering_id", "batch_event_index"):
                    del row[key]
        warehouse = Warehouse()
        warehouse.load(write_lines(tmp_path / "early.jsonl", [first]))
        report = warehouse.load(write_lines(tmp_path / "late.jsonl", [second, other]))
        assert (report.loaded, report.duplicates) == (1, 1)


def test_an_object_may_be_written_as_text(tmp_path):
    rows = [tools.posthog_event(FIRST), tools.amplitude_event(FIRST)]
    rows[0]["properties"] = json.dumps(rows[0]["properties"])
    rows[1]["event_properties"] = json.dumps(rows[1]["event_properties"])
    for row in rows:
        warehouse = Warehouse()
        warehouse.load(write_lines(tmp_path / "a.jsonl", [row]))
        assert properties(warehouse)[0]["amount"] == 2.5
        broken = {**row, "uuid": "x", "$insert_id": "x"} | {
            name: '{"a": ' for name in ("properties", "event_properties") if name in row
        }
        assert lines_of(warehouse.load(write_lines(tmp_path / "b.jsonl", [broken]))) == {1: "bad_json"}


def test_columns_in_capitals_and_whole_numbers_that_became_fractions_are_understood(tmp_path):
    rows = [tools.posthog_event(FIRST), tools.posthog_event(SECOND)]
    for number, row in enumerate(rows, start=1):
        row |= {"properties": json.dumps(row["properties"]), "person_properties": None, "distinct_id": float(number)}
    frame = pl.DataFrame(rows).rename(str.upper)
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "b.csv")
    warehouse = Warehouse()
    assert warehouse.preview(tmp_path / "b.csv").format == "posthog"
    assert warehouse.load(tmp_path / "a.parquet").loaded == 2
    assert warehouse.column("SELECT external_id FROM dim_identities ORDER BY 1") == ["1", "2"]
    assert properties(warehouse)[0]["amount"] == 2.5


def test_snapshots_of_attributes_are_kept_where_they_change(tmp_path):
    rows = []
    for number in range(30):
        row = tools.amplitude_event(tools.Happening(number, tools._START, "search", "u1", "d1"))
        row["event_time"] = f"2026-01-05 10:00:{number:02}"
        row["user_properties"] = {"plan": "free" if number < 20 else "pro", "city": "Oslo"}
        rows.append(row)
    warehouse = Warehouse()
    warehouse.load(write_lines(tmp_path / "a.jsonl", rows))
    assert warehouse.rows(ATTRIBUTES) == [
        ("city", "Oslo"), ("city", "Oslo"), ("plan", "free"), ("plan", "pro"), ("plan", "pro"),
    ]  # fmt: skip


def test_times_without_a_zone_are_utc_where_the_tool_says_so(tmp_path):
    row = {**tools.amplitude_event(FIRST), "event_time": "2026-01-05 10:00:00.123456"}
    warehouse = Warehouse()
    warehouse.load(write_lines(tmp_path / "a.jsonl", [row]), timezone="America/New_York")
    assert str(warehouse.times()[0]) == "2026-01-05 10:00:00.123456"


def test_an_old_project_of_mixpanel_counts_in_its_own_zone(tmp_path):
    row = tools.mixpanel_event(FIRST)
    row["properties"]["time"] = 1767607200  # 10:00, said to be UTC
    path = write_lines(tmp_path / "a.jsonl", [row])
    for timezone, hour in ((None, 10), ("UTC", 10), ("America/New_York", 15)):
        warehouse = Warehouse()
        warehouse.load(path, timezone=timezone)
        assert str(warehouse.times()[0]) == f"2026-01-05 {hour}:00:00"


def test_profiles_of_mixpanel_are_people(tmp_path):
    rows = [
        {"$distinct_id": "u1", "$properties": {"plan": "pro", "$last_seen": "2026-01-05T10:00:00"}},
        {"$distinct_id": "$device:d1", "$properties": {"plan": "free"}},
    ]
    warehouse = Warehouse()
    report = warehouse.load(write_lines(tmp_path / "profiles.jsonl", rows))
    assert (report.kind, report.loaded, report.reasons) == ("users", 1, {"no_identity": 1})
    assert ("plan", "pro") in warehouse.rows(ATTRIBUTES)


def test_tables_of_segment_are_told_apart(tmp_path):
    common = {"received_at": T, "sent_at": T, "timestamp": T, "anonymous_id": "a1", "context_library_name": "js"}
    tables = {
        "identifies": {"id": "1", "user_id": "u1", "email": "a@b.c", "created_at": "2025-05-01", **common},
        "pages": {"id": "2", "user_id": "u1", "url": "https://x/y", "path": "/y", "name": "Home", **common},
        "screens": {"id": "3", "user_id": "u1", "name": "Start", **common},
        "aliases": {"id": "4", "user_id": "u1", "previous_id": "old", **common},
        "tracks": {"id": "5", "user_id": "u1", "event": "order_completed", "event_text": "Order", **common},
        "users": {"id": "u1", "received_at": T, "uuid_ts": T, "email": "a@b.c", "context_library_name": "js"},
    }
    warehouse = Warehouse()
    for table, row in tables.items():
        path = tmp_path / table / "part-0.csv"
        path.parent.mkdir()
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(row))
            writer.writeheader()
            writer.writerow(row)
        assert warehouse.load(path).loaded == 1, table
    named = """SELECT action_type, action_context FROM fact_user_actions JOIN dim_actions USING (action_key)
               ORDER BY event_id"""
    assert warehouse.rows(named) == [
        ("identify", None), ("page_view", "/y"), ("screen_view", None), ("alias", None), ("purchase", None),
    ]  # fmt: skip
    links = """SELECT external_id FROM fact_identity_links
               JOIN dim_identities ON identity_key = anonymous_key ORDER BY ALL"""
    assert set(warehouse.column(links)) == {"a1", "old"}
    assert {("registration_date", "2025-05-01"), ("email", "a@b.c")} <= set(warehouse.rows(ATTRIBUTES))


def test_calls_of_segment_that_say_who_somebody_is_are_no_actions(tmp_path):
    call = {**tools.segment_call(FIRST), "event": None}
    rows = [
        {**call, "type": "group", "messageId": "1", "groupId": "g1", "traits": {}},
        {**call, "type": "alias", "messageId": "2", "previousId": "old", "userId": "u2"},
        {**call, "type": "identify", "messageId": "3", "traits": {"plan": "pro", "createdAt": "2025-05-01T00:00:00Z"}},
        {**call, "type": "screen", "messageId": "4", "name": "Start"},
        {**call, "type": "identify", "messageId": "5", "traits": {"created_at": 1746057600}},
    ]
    warehouse = Warehouse()
    warehouse.load(write_lines(tmp_path / "a.jsonl", rows))
    assert warehouse.column("SELECT external_id FROM dim_identities WHERE kind = 'anonymous' ORDER BY 1") == [
        "d1",
        "old",
    ]
    named = """SELECT action_type, is_marker FROM fact_user_actions JOIN dim_actions USING (action_key)
               ORDER BY event_id"""
    assert warehouse.rows(named) == [
        ("identify", True), ("alias", True), ("identify", True), ("screen_view", False), ("identify", True),
    ]  # fmt: skip
    registered = {("registration_date", f"2025-05-01T00:00:00{rest}") for rest in ("Z", ".000000")}
    assert registered | {("plan", "pro")} <= set(warehouse.rows(ATTRIBUTES))


@pytest.mark.parametrize(
    ("about", "known", "anonymous"),
    [
        ({"distinct_id": "d1", "properties": {"$device_id": "d1"}}, None, "d1"),
        ({"distinct_id": "u1", "properties": {"$device_id": "d1"}}, "u1", None),
        ({"distinct_id": "d2", "properties": {"$device_id": "d1", "$is_identified": False}}, None, "d2"),
        ({"distinct_id": "d1", "properties": {"$device_id": "d1", "$is_identified": True}}, "d1", None),
        ({"distinct_id": "d1", "properties": {"$process_person_profile": False}}, None, "d1"),
        ({"distinct_id": "u1", "properties": {}}, "u1", None),
        ({"distinct_id": "u1", "event": "$identify", "properties": {"$anon_distinct_id": "d1"}}, "u1", "d1"),
        ({"distinct_id": "d9", "event": "$create_alias", "properties": {"alias": "u1"}}, "u1", "d9"),
        (
            {"distinct_id": "u1", "event": "$create_alias", "properties": {"alias": "d9", "$is_identified": True}},
            "u1",
            "d9",
        ),
        ({"distinct_id": "u1", "event": "$merge_dangerously", "properties": {"alias": "d9"}}, "u1", "d9"),
    ],
)
def test_who_an_event_of_posthog_belongs_to(tmp_path, about, known, anonymous):
    warehouse = Warehouse()
    warehouse.load(write_lines(tmp_path / "a.jsonl", [{**tools.posthog_event(FIRST), **about}]))
    found = dict(warehouse.rows("SELECT kind, external_id FROM dim_identities"))
    assert found == {kind: name for kind, name in (("known", known), ("anonymous", anonymous)) if name}
    assert len(warehouse.rows("FROM fact_identity_links")) == (known is not None and anonymous is not None)


@pytest.mark.parametrize(
    ("name", "about", "known", "anonymous"),
    [
        ("view", {"distinct_id": "$device:d1", "$device_id": "d1"}, None, "d1"),
        ("view", {"distinct_id": "$device:d1"}, None, "d1"),
        ("view", {"distinct_id": "u1", "$device_id": "d1", "$user_id": "u1"}, "u1", "d1"),
        ("view", {"distinct_id": "d1", "$device_id": "d1"}, None, "d1"),
        ("view", {"distinct_id": "u1"}, "u1", None),
        ("$identify", {"distinct_id": "u1", "$identified_id": "u1", "$anon_id": "d1"}, "u1", "d1"),
        ("$create_alias", {"distinct_id": "d1", "alias": "u1"}, "u1", "d1"),
        ("$merge", {"distinct_id": "u1", "$distinct_ids": ["u1", "d1"]}, "u1", "d1"),
    ],
)
def test_who_an_event_of_mixpanel_belongs_to(tmp_path, name, about, known, anonymous):
    warehouse = Warehouse()
    row = {"event": name, "properties": {"time": 1767607200, "$insert_id": "1", **about}}
    warehouse.load(write_lines(tmp_path / "a.jsonl", [row]))
    found = dict(warehouse.rows("SELECT kind, external_id FROM dim_identities"))
    assert found == {kind: who for kind, who in (("known", known), ("anonymous", anonymous)) if who}
    assert len(warehouse.rows("FROM fact_identity_links")) == (known is not None and anonymous is not None)


def test_enriched_events_of_snowplow_are_read_by_place(tmp_path):
    (header,) = [shape.header for shape in SNOWPLOW.shapes if shape.header]
    row = tools.snowplow_event(FIRST)
    row["page_title"] = 'a "quote, and a comma'
    texts = ["" if row.get(name) is None else str(row[name]) for name in header]
    broken = [*texts]
    broken[header.index("unstruct_event")] = '{"data": '
    path = tmp_path / "part-0"
    path.write_text("\n".join("\t".join(values) for values in (texts, texts[:-1], broken)) + "\n")
    warehouse = Warehouse()
    report = warehouse.load(path)
    assert (report.loaded, lines_of(report)) == (1, {2: "bad_row", 3: "bad_json"})
    (found,) = properties(warehouse)
    assert (found["amount"], found["page_title"]) == (2.5, 'a "quote, and a comma')
    assert found["contexts"]["data"][0]["data"] == {"a": 1}


def test_the_hash_of_a_file_is_part_of_what_its_load_is_known_by(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [tools.posthog_event(FIRST)])
    warehouse = Warehouse()
    warehouse.load(path)
    assert warehouse.column("SELECT fingerprint FROM loads") == [f"posthog:{inspect(path).fingerprint}"]
