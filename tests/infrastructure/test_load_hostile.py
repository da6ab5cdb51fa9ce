import csv
import datetime as dt
import gzip
import json
import random

import numpy as np
import pandas as pd
import pytest

from regulars.domain.events import wire_text
from tests.infrastructure.load_support import T, Warehouse, event, lines_of

HEADER = b"event_id,user_id,event_type,timestamp,note\n"
GOOD = b"%d,u1,login,2026-01-05T10:00:00Z,fine\n"


def csv_file(folder, *rows):
    path = folder / "a.csv"
    path.write_bytes(HEADER + b"".join(rows))
    return path


BROKEN_ROWS = [
    (b"2,u1,login\n", "bad_row"),
    (b"2,u1,login,2026-01-05T10:00:00Z,a,b\n", "bad_row"),
    (b"2,u\xff,login,2026-01-05T10:00:00Z,a\n", "bad_encoding"),
    (b'2,"u1,login,2026-01-05T10:00:00Z,a\n', "bad_row"),
    (b'2,u1,login,2026-01-05T10:00:00Z,"a"b\n', "bad_row"),
    (b'2,u1,login,2026-01-05T10:00:00Z,"a""\n', "bad_row"),
    (b"2,u1,login,never,a\n", "bad_time"),
    (b"2,,login,2026-01-05T10:00:00Z,a\n", "no_identity"),
    (b"2,u1,  ,2026-01-05T10:00:00Z,a\n", "no_event_type"),
    (b"2,u1," + b"x" * 201 + b",2026-01-05T10:00:00Z,a\n", "name_too_long"),
    (b"2,u1,login,2026-01-05T10:00:00Z," + b"x" * 65_537 + b"\n", "value_too_long"),
    (b"2,u1,login,2026-01-05T10:00:00Z," + b"x" * 9_000_000 + b"\n", "value_too_long"),
    (b"\x00\x01\x02\n", "bad_row"),
]


@pytest.mark.parametrize("index", range(len(BROKEN_ROWS)))
def test_one_broken_row_of_a_csv_file_costs_nothing_else(tmp_path, index):
    broken, reason = BROKEN_ROWS[index]
    for at in (0, 1, 2):
        rows = [GOOD % 1, GOOD % 3]
        rows.insert(at, broken)
        warehouse = Warehouse()
        report = warehouse.load(csv_file(tmp_path, *rows))
        assert warehouse.column("SELECT event_id FROM fact_user_actions ORDER BY 1") == ["1", "3"]
        assert lines_of(report) == {at + 2: reason}
        assert warehouse.rows("SELECT line, reason FROM dead_letter") == [(at + 2, reason)]


def test_values_of_csv_survive_quotes_line_breaks_and_commas(tmp_path):
    values = [
        "a,b",
        'say "hi"',
        "two\nlines",
        "two\r\nlines",
        "'; DROP TABLE loads; --",
        "ü - 漢字 🎉",
        "\ttab",
        "a\rb",
    ]
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["event_id", "user_id", "event_type", "timestamp", "note"])
        writer.writerows([str(n), "u1", "login", T, value] for n, value in enumerate(values))
    warehouse = Warehouse()
    assert warehouse.load(path).rejected == 0
    stored = warehouse.column(
        "SELECT json_extract_string(action_metadata, '/note') FROM fact_user_actions ORDER BY event_id"
    )
    assert stored == values


def test_lines_are_those_of_the_file_behind_line_breaks_in_values(tmp_path):
    path = csv_file(
        tmp_path, b'1,u1,login,2026-01-05T10:00:00Z,"a\nb\nc"\n', b"\n", b"2,u1,login,never,a\n", GOOD % 3, b"4,u1\n"
    )
    assert lines_of(Warehouse().load(path)) == {6: "bad_time", 8: "bad_row"}


def test_a_quote_that_never_closes_costs_one_line(tmp_path):
    rows = [GOOD % n for n in range(3000)]
    rows[100] = b'x,"u1,login,2026-01-05T10:00:00Z,a\n'
    rows[2000] = b'y,u1,login,2026-01-05T10:00:00Z,"a\n'
    report = Warehouse().load(csv_file(tmp_path, *rows))
    assert (report.loaded, lines_of(report)) == (2998, {102: "bad_row", 2002: "bad_row"})


def test_repeated_and_empty_names_in_a_header_get_names_of_their_own(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"user_id,event,time,Note,note,,note\nu1,login,{T},a,b,c,d\n")
    warehouse = Warehouse()
    warehouse.load(path)
    (metadata,) = warehouse.column("SELECT action_metadata FROM fact_user_actions")
    assert json.loads(metadata) == {"Note": "a", "note_1": "b", "column5": "c", "note_2": "d"}


@pytest.mark.parametrize(
    "name",
    ['a"b', "a'b", "a;b", "a.b", "drop table loads", "$.a", "*", "/a/b", "line", "rg_line", "select", "{0}", "ü"],
)
def test_a_hostile_column_name_is_a_property_like_any_other(tmp_path, name):
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(
            [["user_id", "event", "time", name], ["u1", "login", T, "x"], ["u1", "login", "never", "x"]]
        )
    sources = [path, [event(**{name: "x"}), event(event_id="e2", timestamp="never", **{name: "x"})]]
    for source in sources:
        warehouse = Warehouse()
        assert warehouse.load(source).loaded == 1
        (metadata,) = warehouse.column("SELECT action_metadata FROM fact_user_actions")
        assert json.loads(metadata) == {name: "x"}
        assert json.loads(warehouse.column("SELECT raw FROM dead_letter")[0])[name] == "x"


HOSTILE_LINES = [
    (b"{bad", "bad_json"),
    (b'{"user_id":"u1",}', "bad_json"),
    (b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"x":NaN}', "bad_json"),
    (b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"x":Infinity}', "bad_json"),
    (b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"x":1e400}', "bad_json"),
    (b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"x":"\\ud800"}', "bad_json"),
    (b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"x":"\xff"}', "bad_encoding"),
    (b"{'user_id':'u1'}", "bad_json"),
    (b"[1,2]", "bad_json"),
    (b'"text"', "bad_json"),
    (b"null", "bad_json"),
    (b"7", "bad_json"),
    (b'{"a":1}{"a":2}', "bad_json"),
    (b'{"a":' * 33 + b"1" + b"}" * 33, "bad_json"),
    (b"[" * 200_000, "bad_json"),
    (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "bad_json"),
    (b"{}", "no_event_type"),
    (b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"properties":[1]}', "bad_json"),
    (b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"device":"phone","user":{}}', None),
    (b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"x":"' + b"y" * 65_537 + b'"}', "value_too_long"),
    (b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"x":"' + b"y" * 10_000_000 + b'"}', "value_too_long"),
    (
        b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"x":{"y":["' + b"y" * 70_000 + b'"]}}',
        "value_too_long",
    ),
    (b'{"user_id":"u1","event_type":"' + b"y" * 201 + b'","timestamp":1767225600}', "name_too_long"),
    (b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"duration_seconds":"soon"}', "bad_number"),
    (b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"sequence":1.5}', "bad_number"),
    (b'{"user_id":{"$ne":1},"event_type":"a","timestamp":1767225600}', None),
    (
        b'{"user_id":"u1","event_type":"a","timestamp":1767225600,"x":18446744073709551617,"x":2,"__proto__":{},"":1}',
        None,
    ),
    (b'{"user_id":"\\u0000","event_type":"\\u202e","timestamp":1767225600}', None),
]


@pytest.mark.parametrize("index", range(len(HOSTILE_LINES)))
def test_one_hostile_line_costs_nothing_else(tmp_path, index):
    line, reason = HOSTILE_LINES[index]
    good = json.dumps(event(properties={}, user={})).encode()
    path = tmp_path / "a.jsonl"
    path.write_bytes(good + b"\n" + line + b"\n" + good.replace(b"e1", b"e3") + b"\n")
    warehouse = Warehouse()
    report = warehouse.load(path)
    assert set(warehouse.column("SELECT event_id FROM fact_user_actions")) >= {"e1", "e3"}
    assert lines_of(report) == ({2: reason} if reason else {})


def test_the_whole_hostile_corpus_in_one_file_adds_up(tmp_path):
    good = [json.dumps(event(event_id=f"g{n}", properties={})).encode() for n in range(len(HOSTILE_LINES))]
    lines = [line for pair in zip(good, (line for line, _ in HOSTILE_LINES), strict=True) for line in pair]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    warehouse = Warehouse()
    report = warehouse.load(path)
    assert report.rows_read == len(lines)
    assert len([i for i in warehouse.column("SELECT event_id FROM fact_user_actions") if i.startswith("g")]) == len(
        good
    )
    assert warehouse.rows("SELECT reason, count(*) FROM dead_letter GROUP BY reason ORDER BY reason") == sorted(
        report.reasons.items()
    )
    assert warehouse.load(path).loaded == 0


def test_one_row_in_a_hundred_may_be_broken(tmp_path):
    chance = random.Random(7)
    rows, broken = [], 0
    for n in range(20_000):
        if chance.random() < 0.01:
            broken += 1
            rows.append(
                chance.choice([b"x\n", b'"\n', b"\xfe,\xff\n", b"1,2,3,4,5,6\n", b"%d,u1,login,x,y\n" % n, b'a"b\n'])
            )
        else:
            rows.append(GOOD % n)
    report = Warehouse().load(csv_file(tmp_path, *rows))
    assert (report.rows_read, report.loaded, report.rejected) == (20_000, 20_000 - broken, broken)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"duration_seconds": float("inf")}, "bad_number"),
        ({"x": "\ud800"}, "bad_encoding"),
        ({"x": 2**70}, None),
        ({"x": float("nan")}, None),
        ({"x": {1, 2}}, None),
        ({"x": object()}, None),
        ({"x": b"bytes"}, None),
        ({"x": b"\xff"}, "bad_encoding"),
        ({"duration_seconds": "1e400"}, "bad_number"),
        ({"latitude": "north"}, "bad_number"),
    ],
)
def test_one_odd_record_of_a_list_costs_nothing_else(change, reason):
    report = Warehouse().load([event(), event(event_id="e2", **change), event(event_id="e3")])
    assert lines_of(report) == ({2: reason} if reason else {})


def test_what_is_no_record_in_a_list_is_rejected():
    deep = {}
    for _ in range(100_000):
        deep = {"a": deep}
    report = Warehouse().load([event(), 7, None, "text", event(event_id="e2", x=deep)])
    assert lines_of(report) == {2: "bad_record", 3: "bad_record", 4: "bad_record", 5: "bad_json"}


def test_a_record_becomes_the_same_text_whatever_its_types():
    record = {
        "a": np.int64(1),
        "b": np.float64("nan"),
        "c": pd.NaT,
        "d": pd.Timestamp("2026-01-01", tz="UTC"),
        "e": dt.date(2026, 1, 1),
    }
    assert json.loads(wire_text(record)) == {
        "a": 1,
        "b": None,
        "c": None,
        "d": "2026-01-01T00:00:00+00:00",
        "e": "2026-01-01",
    }
