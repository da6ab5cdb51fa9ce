from datetime import UTC, datetime

import polars as pl
import pytest

from regulars.infrastructure.loading import duplicates
from tests.infrastructure.load_support import T, Warehouse, event


def test_the_same_source_twice_counts_once():
    warehouse = Warehouse()
    first = warehouse.load([event(), event(event_id="e2")])
    second = warehouse.load([event(), event(event_id="e2")])
    assert (first.loaded, first.duplicates) == (2, 0)
    assert (second.loaded, second.duplicates, second.conflicts) == (0, 2, 0)
    assert warehouse.counts()["fact_user_actions"] == 2


def test_the_first_row_of_an_id_wins():
    warehouse = Warehouse()
    report = warehouse.load([event(event_type="first"), event(event_type="second"), event(event_type="first")])
    assert (report.loaded, report.duplicates, report.conflicts, report.rejected) == (1, 2, 1, 0)
    assert warehouse.column("SELECT action_type FROM dim_actions") == ["first"]
    assert warehouse.rows("SELECT line, reason FROM dead_letter") == [(2, "id_conflict")]


@pytest.mark.parametrize("change", [{"user_id": "u2"}, {"event_type": "view"}, {"timestamp": "2026-01-06T00:00:00Z"}])
def test_another_payload_under_a_known_id_is_a_conflict(change):
    warehouse = Warehouse()
    warehouse.load([event()])
    report = warehouse.load([event(**change)])
    assert (report.loaded, report.duplicates, report.conflicts) == (0, 1, 1)
    assert warehouse.column("SELECT raw FROM dead_letter") != [None]


def test_another_property_under_a_known_id_is_no_conflict():
    warehouse = Warehouse()
    warehouse.load([event()])
    assert warehouse.load([event(colour="red")]).conflicts == 0


def test_a_rejected_row_does_not_take_its_id():
    warehouse = Warehouse()
    report = warehouse.load([event(timestamp="never"), event()])
    assert (report.loaded, report.duplicates, report.rejected) == (1, 0, 1)


def test_duplicates_bring_no_identities_and_no_actions():
    warehouse = Warehouse()
    warehouse.load([event(), event(user_id="u2", event_type="ghost", country="DE", feature="f")])
    assert warehouse.column("SELECT external_id FROM dim_identities") == ["u1"]
    assert warehouse.column("SELECT action_type FROM dim_actions") == ["login"]
    assert warehouse.rows("FROM dim_geographies") == warehouse.rows("FROM dim_features") == []


def no_id(**values):
    record = event(**values)
    del record["event_id"]
    return record


def test_equal_rows_without_ids_both_count_and_count_once_when_exported_again():
    warehouse = Warehouse()
    rows = [no_id(), no_id(), no_id(event_type="view")]
    assert warehouse.load(rows).loaded == 3
    assert warehouse.load(rows).duplicates == 3
    assert warehouse.load([*rows, no_id()]).loaded == 1


def test_overlapping_exports_without_ids_count_once(tmp_path):
    warehouse = Warehouse()
    rows = [f"u{n % 3},login,2026-01-05T10:00:0{n}Z" for n in range(9)]
    for name, part in (("a.csv", rows[:6]), ("b.csv", rows[3:])):
        (tmp_path / name).write_text("\n".join(["user_id,event,time", *part]) + "\n")
    assert warehouse.load(tmp_path / "a.csv").loaded == 6
    second = warehouse.load(tmp_path / "b.csv")
    assert (second.loaded, second.duplicates) == (3, 3)


def test_rows_with_and_without_ids_may_be_mixed():
    warehouse = Warehouse()
    rows = [event(), no_id(), event(event_id=""), event(event_id=" e1 ")]
    report = warehouse.load(rows)
    assert (report.loaded, report.duplicates) == (3, 1)
    assert warehouse.load(rows).loaded == 0
    assert all(warehouse.column("SELECT event_hash = md5_number(event_id) FROM fact_user_actions"))


def test_numbers_and_texts_are_the_same_id(tmp_path):
    warehouse = Warehouse()
    warehouse.load([event(event_id=1, user_id=7)])
    path = tmp_path / "a.parquet"
    frame = {"event_id": [1, 2], "user_id": [7, None], "anonymous_id": [None, 7.0], "event": ["login"] * 2}
    pl.DataFrame(frame).with_columns(time=pl.lit(datetime(2026, 1, 5, 10, tzinfo=UTC))).write_parquet(path)
    report = warehouse.load(path)
    assert (report.loaded, report.duplicates, report.conflicts) == (1, 1, 0)
    assert warehouse.rows("SELECT kind, external_id FROM dim_identities ORDER BY 1") == [
        ("anonymous", "7"),
        ("known", "7"),
    ]


def test_duplicates_are_found_in_parquet_and_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(duplicates, "_SORTED_AT_ONCE", 10)
    path = tmp_path / "a.parquet"
    ids = [*range(60), 5, 59]
    pl.DataFrame({"event_id": ids, "user_id": ["u"] * 62, "event": ["x"] * 62, "time": [T] * 62}).write_parquet(path)
    warehouse = Warehouse()
    report = warehouse.load(path)
    assert (report.loaded, report.duplicates, report.conflicts) == (60, 2, 0)
    assert warehouse.load(path).duplicates == 62


def test_a_failing_load_changes_nothing():
    warehouse = Warehouse()
    warehouse.load([event()])
    before = warehouse.counts()

    def explode(stage, done, total):
        if stage == "store" and done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warehouse.load([event(event_id="e2", user_id="u2")], progress=explode)
    assert warehouse.counts() == before
    assert warehouse.load([event(event_id="e2", user_id="u2")]).load_id == 2
