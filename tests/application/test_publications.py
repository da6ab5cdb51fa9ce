"""Published answers stay as they were told; what has changed since is named, with what can have changed it."""

from datetime import UTC, date, datetime

import pytest

import regulars
from regulars.errors import QueryError, UnknownNameError, UnsupportedError

LIKES = [
    {"user_id": user, "event_type": "like", "timestamp": f"2026-01-{day:02}T09:00:00Z", "country": country}
    for user, country, days in (("ada", "DE", (5, 6)), ("ben", "FR", (5,)), ("cem", "DE", (6,)))
    for day in days
]


@pytest.fixture
def ws():
    with regulars.open() as opened:
        opened.load(LIKES)
        yield opened


def like(ws, user, day, **more):
    return ws.track(user, "like", timestamp=f"2026-01-{day:02}T12:00:00Z", **more)


def told(changes):
    return [(str(row.get("date")), row["published"], row["now"], row["change"]) for row in changes.rows]


def causes(changes):
    return [(cause.code, cause.times) for cause in changes.causes]


def test_nothing_has_changed_while_nothing_happens(ws):
    kept = ws.publish("board", "dau", start="2026-01-05")
    changes = ws.changed("board")
    assert (kept.version, changes.rows, changes.unchanged, changes.causes) == (1, [], 2, ())
    assert kept.result.rows == ws.active_users(start="2026-01-05").rows
    assert kept.result.query.range.end == date(2026, 1, 6)


def test_later_days_are_none_of_its_business(ws):
    ws.publish("board", "dau", start="2026-01-05")
    like(ws, "dan", 8)
    assert ws.changed("board").rows == []


def test_a_late_event_is_named(ws):
    ws.publish("board", "dau", start="2026-01-05")
    like(ws, "dan", 5)
    changes = ws.changed("board")
    assert told(changes) == [("2026-01-05", 2, 3, 1)]
    assert causes(changes) == [("late_events", 1)]
    assert "from 2026-01-05 to 2026-01-05" in changes.causes[0].words


def test_a_merge_is_named(ws):
    like(ws, None, 6, anonymous_id="device")
    ws.publish("board", "dau", start="2026-01-05")
    ws.link("device", "ada")
    changes = ws.changed("board")
    assert told(changes) == [("2026-01-06", 3, 2, -1)]
    assert causes(changes) == [("merged", 1)]


def test_a_test_flag_and_an_attribute_that_is_asked_for_are_named(ws):
    ws.publish("board", "dau", start="2026-01-05", by="country")
    ws.set_population("ada", "test")
    ws.set_attributes("ben", {"country": "DE", "shoe_size": "43"})
    changes = ws.changed("board")
    assert causes(changes) == [("attributes", 1), ("attributes", 1)]
    assert {cause.words for cause in changes.causes} == {"people with country set", "people with population set"}
    assert changes.rows


def test_an_erasure_is_named_and_nobody_is_left_in_what_was_published(ws):
    ws.publish("board", "dau", start="2026-01-05")
    ws.publish("mentions", "dau", start="2026-01-05", where="country != 'cem'")
    ws.erase("cem")
    changes = ws.changed("board")
    assert told(changes) == [("2026-01-06", 2, 1, -1)]
    assert causes(changes) == [("erased", 1)]
    assert [kept.name for kept in ws.published()] == ["board"]


def test_changed_settings_are_named(tmp_path):
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder) as ws:
        ws.load(LIKES)
        ws.publish("board", "dau", start="2026-01-05")
    settings = folder / "regulars.toml"
    settings.write_text('timezone = "UTC"\n[population]\ntest_users = ["ada"]\n')
    with regulars.open(folder) as ws:
        changes = ws.changed("board")
    assert told(changes) == [("2026-01-05", 2, 1, -1), ("2026-01-06", 2, 1, -1)]
    assert [(cause.code, cause.words) for cause in changes.causes] == [("definitions", "settings changed (population)")]
    settings.write_text('timezone = "UTC"\nweek_start = "sunday"\n')
    with regulars.open(folder) as ws:
        (cause,) = ws.changed("board").causes
    assert cause.words == "settings changed (week_start or core_features)"


def test_what_was_not_over_is_told_to_be_over_now():
    moment = [datetime(2026, 1, 6, 12, tzinfo=UTC)]
    with regulars.open(clock=lambda: moment[0]) as ws:
        ws.load(LIKES)
        ws.publish("board", "dau", start="2026-01-05")
        moment[0] = datetime(2026, 1, 9, tzinfo=UTC)
        like(ws, "ada", 8)
        changes = ws.changed("board")
    assert (changes.rows, causes(changes)) == ([], [("completed", 1)])


def test_versions_are_kept_and_found(ws):
    ws.publish("board", "dau", start="2026-01-05")
    like(ws, "dan", 5)
    assert ws.publish("board", "dau", start="2026-01-05").version == 2
    assert [kept.version for kept in ws.published()] == [2, 1]
    assert [kept.result.rows[0]["active_users"] for kept in ws.published("board", 1)] == [2]
    assert told(ws.changed("board", 1)) == [("2026-01-05", 2, 3, 1)]
    assert ws.changed("board").rows == []


def test_a_number_that_was_undefined_has_no_change(ws):
    ws.publish("board", "lifecycle", start="2026-01-05")
    like(ws, "dan", 4)
    rows = [row for row in ws.changed("board").rows if None in (row["published"], row["now"])]
    assert rows
    assert all(row["change"] is None for row in rows)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_a_name_must_be_one(ws, name):
    with pytest.raises(QueryError) as caught:
        ws.publish(name, "dau")
    assert caught.value.code == "bad_name"


def test_rows_that_name_people_are_not_published(ws):
    with pytest.raises(QueryError) as caught:
        ws.publish("risk", "churn_risk", show="people")
    assert caught.value.code == "names_people"


def test_without_data_there_is_nothing_to_publish():
    with regulars.open() as ws, pytest.raises(QueryError) as caught:
        ws.publish("board", "dau")
    assert caught.value.code == "nothing_to_publish"


def test_what_was_not_published_is_not_found(ws):
    with pytest.raises(UnknownNameError) as unknown:
        ws.changed("bored")
    assert unknown.value.code == "unknown_publication"
    ws.publish("board", "dau", start="2026-01-05")
    with pytest.raises(QueryError, match="no version 2"):
        ws.changed("board", 2)


def test_a_reader_reads_and_does_not_publish(tmp_path):
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder) as ws:
        ws.load(LIKES)
        ws.publish("board", "dau", start="2026-01-05")
    with regulars.open(folder, read_only=True) as reader:
        assert reader.changed("board").unchanged == 2
        with pytest.raises(UnsupportedError):
            reader.publish("board", "dau")


def test_in_a_workspace_that_an_older_version_wrote_nothing_is_published_yet(tmp_path):
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder) as ws:
        ws.engine.execute("DROP TABLE publications")
    with regulars.open(folder, read_only=True) as reader:
        assert reader.published() == []
        with pytest.raises(UnknownNameError) as caught:
            reader.changed("board")
    assert caught.value.code == "unknown_publication"
