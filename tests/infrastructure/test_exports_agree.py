"""One history, told by six tools in twelve ways, gives the numbers that it gives told directly."""

from datetime import UTC, date, datetime
from functools import cache

import pytest

import regulars
from regulars.interfaces.cli.sources import find_sources
from tests.infrastructure.export_world import WRITERS, world, write_plain

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
RANGE = {"start": date(2026, 1, 1), "end": date(2026, 3, 10)}
HISTORY = world()


def load(folder, format="auto"):
    files, missing = find_sources([str(folder)], format)
    assert not missing
    ws = regulars.open(clock=lambda: NOW)
    reports = [ws.load(file, format=format) for file in files]
    return ws, reports


def answers(ws):
    """What the tools are asked most: every value that an analyst would compare."""
    return {
        "dau": ws.metric("dau", **RANGE).rows,
        "mau": ws.metric("mau", **RANGE).rows,
        "retention": ws.retention(grain="week", horizon=6, **RANGE).rows,
        "funnel": [
            # A mean of seconds depends on the order of adding in its last digit.
            {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}
            for row in ws.funnel("page_view -> sign_up -> purchase", **RANGE).rows
        ],
        "lifecycle": ws.metric("lifecycle", grain="week", **RANGE).rows,
        "revenue": ws.sql(
            "SELECT sum(CAST(json_extract_string(action_metadata, '/amount') AS DOUBLE)) FROM fact_user_actions"
        ).rows,
        "types": ws.sql(
            "SELECT action_type, count(*) FROM fact_user_actions JOIN dim_actions USING (action_key) "
            "WHERE NOT is_marker GROUP BY action_type ORDER BY ALL"
        ).rows,
        "first and last": ws.sql("SELECT min(action_timestamp), max(action_timestamp) FROM fact_user_actions").rows,
    }


@cache
def direct(folder):
    write_plain(folder, HISTORY)
    return answers(load(folder)[0])


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return direct(tmp_path_factory.mktemp("plain"))


def test_the_history_has_what_makes_histories_hard(expected):
    devices = {row.device for row in HISTORY if row.user is None}
    known = {row.device for row in HISTORY if row.user and row.device}
    assert devices - known, "some visitors stay strangers"
    assert devices & known, "some strangers become users"
    assert {row.user for row in HISTORY if row.device == "dev-000"} >= {"user-001"}, "two people share a device"
    assert any(row.device is None for row in HISTORY), "a server reports without a device"
    assert len(expected["dau"]) > 60
    assert all(row[-1] is not None for row in expected["types"])


@pytest.mark.parametrize("written", WRITERS)
def test_every_export_gives_the_numbers_of_the_direct_load(tmp_path, written, expected):
    write = WRITERS[written][1]
    write(tmp_path / "export", HISTORY)
    ws, reports = load(tmp_path / "export")
    assert sum(report.loaded for report in reports) == sum(report.rows_read for report in reports) > 0
    assert answers(ws) == expected
    before = ws.sql("SELECT count(*), sum(hash(COLUMNS(*))) FROM fact_user_actions").rows
    again = [ws.load(file) for file in find_sources([str(tmp_path / "export")])[0]]
    assert all(report.is_repeated and not report.loaded for report in again)
    assert ws.sql("SELECT count(*), sum(hash(COLUMNS(*))) FROM fact_user_actions").rows == before


@pytest.mark.parametrize("written", WRITERS)
def test_strangers_that_became_users_are_one_person(tmp_path, written):
    write = WRITERS[written][1]
    write(tmp_path / "export", HISTORY)
    ws, _ = load(tmp_path / "export")
    ids = "SELECT kind, external_id, user_key FROM dim_identities ORDER BY ALL"
    key = {(kind, name): user for kind, name, user in ws.sql(ids).rows}
    owner = {}
    for row in HISTORY:
        if row.user and row.device:
            owner.setdefault(row.device, row.user)
    strangers = {row.device for row in HISTORY if row.user is None}
    assert {device for kind, device in key if kind == "anonymous"} >= strangers
    for device in strangers & owner.keys():
        assert key["anonymous", device] == key["known", owner[device]]
    assert len({key["anonymous", device] for device in strangers - owner.keys()}) == len(strangers - owner.keys())


@pytest.mark.parametrize("written", ["posthog-parquet", "amplitude", "ga4", "segment"])
def test_who_was_erased_does_not_come_back_with_the_export(tmp_path, written):
    WRITERS[written][1](tmp_path / "export", HISTORY)
    ws, _ = load(tmp_path / "export")
    gone = next(row.user for row in HISTORY if row.user and row.device)
    kept = ws.sql("SELECT count(*) FROM fact_user_actions").rows[0][0]
    ws.erase(gone)
    left = ws.sql("SELECT count(*) FROM fact_user_actions").rows[0][0]
    again = [ws.load(file) for file in find_sources([str(tmp_path / "export")])[0]]
    assert sum(report.loaded for report in again) == 0
    assert sum(report.reasons.get("erased", 0) for report in again) == kept - left > 0
    assert ws.sql("SELECT count(*) FROM fact_user_actions").rows[0][0] == left
    assert ws.sql(f"SELECT count(*) FROM dim_identities WHERE external_id = '{gone}'").rows == [(0,)]
