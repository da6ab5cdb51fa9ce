"""Raw events go after a time: numbers stay, what cannot be answered any more says so, and nothing is lost."""

from __future__ import annotations

import random
import shutil
import signal
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec
import pytest
from hypothesis import given, note
from hypothesis import settings as examples
from hypothesis import strategies as st

import regulars
from regulars.application.retention import is_rewrite_due
from regulars.domain.metrics import METRICS
from regulars.errors import QueryError, SettingsError, WorkspaceError
from regulars.infrastructure.archive.events import ParquetArchive
from regulars.interfaces.http.serving.draining import Drain
from regulars.settings import RetentionSettings, RollupSettings
from tests.application.test_agreement import comparable
from tests.application.test_bounded import OPTIONS
from tests.application.test_killed import run
from tests.application.test_refresh import derived
from tests.domain.examples import did
from tests.histories import _STEPS, MICROSECOND, Clock, Ledger, histories
from tests.oracle import RefusedError, answer
from tests.oracle.clock import local_day
from tests.session_strategies import session_worlds
from tests.strategies import queries, worlds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from regulars.workspace import Workspace
    from tests.oracle.world import World

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FLOOR = date(2026, 2, 21)
LIMIT = "[retention]\nevents_days = 8\n"
KINDS = ("view", "like", "purchase", "nps_response")
DAYS = [date(2026, 2, 4) + timedelta(days=n) for n in range(26)]
FROZEN_ANSWERS = {
    "active_users", "new_vs_returning", "stickiness", "stickiness_by_cohort", "active_days", "lifecycle", "retention",
    "tiers", "tier_transitions", "sessions", "actions", "cohort_size", "churn_risk", "usage_interval",
    "survival",
}  # fmt: skip


def some_events(seed: int = 1, people: int = 7) -> list[dict[str, Any]]:
    """Four weeks of a small product, with details, features, devices, and visits around midnight."""
    chance = random.Random(seed)
    clocks = ("00:05:00", "00:20:00", "09:00:00", "09:10:00", "23:50:00", "23:58:00")
    return [
        did(f"u{user}", f"{day}T{clock}", chance.choice(KINDS), event_id=f"{day}-{user}-{clock}", amount=user,
            score=user, feature=chance.choice("abc"), device_type=chance.choice(("phone", "desk")),
            details=[{"type": "note", "payload": {"n": user}}])
        for day in DAYS for user in range(people) for clock in clocks if chance.random() < 0.2
    ]  # fmt: skip


EVENTS = some_events()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed workspace of four weeks, whose settings keep eight days of raw events from now on."""
    folder = regulars.init(tmp_path_factory.mktemp("limits") / "shop")
    with regulars.open(folder, clock=lambda: NOW) as ws:
        ws.load(EVENTS)
    limit(folder)
    return folder


@pytest.fixture(scope="module")
def limited(loaded: Path) -> Path:
    """The same after the limit was applied."""
    folder = shutil.copytree(loaded, loaded.with_name("limited"))
    with opened(folder) as ws:
        ws.retain()
    return folder


@pytest.fixture
def shop(loaded: Path, tmp_path: Path) -> Path:
    """A workspace of one's own before the limit was applied."""
    return shutil.copytree(loaded, tmp_path / "shop")


@pytest.fixture
def dropped(limited: Path, tmp_path: Path) -> Path:
    """A workspace of one's own after it was applied."""
    return shutil.copytree(limited, tmp_path / "shop")


def limit(folder: Path, text: str = "") -> None:
    """Let the settings of a workspace be the limit, and perhaps something else."""
    (folder / "regulars.toml").write_text(f"{text}\n{LIMIT}", encoding="utf-8")


def opened(folder: Path, now: datetime = NOW) -> Workspace:
    """The workspace at a moment."""
    return regulars.open(folder, clock=lambda: now)


def whole(*more: dict[str, Any]) -> Workspace:
    """A workspace that has kept everything."""
    ws = regulars.open(clock=lambda: NOW)
    ws.load([*EVENTS, *more])
    return ws


def raw_days(ws: Workspace) -> list[date]:
    """The days that have raw events."""
    return [day for (day,) in ws.sql("SELECT DISTINCT day FROM fact_user_actions ORDER BY day").rows]


def different(one: Workspace, other: Workspace) -> set[str]:
    """The derived tables in which two workspaces differ."""
    left, right = derived(one), derived(other)
    return {name for name in left if left[name] != right[name]}


def code_of(call: Callable[[], object]) -> str:
    """The code of the error that a call ends with."""
    with pytest.raises(regulars.RegularsError) as raised:
        call()
    return raised.value.code


def test_days_past_the_limit_are_archived_and_dropped_and_everything_derived_stays(shop: Path) -> None:
    """A dry run only counts them; a second run finds nothing."""
    with opened(shop) as ws, whole() as kept:
        before = sum(date.fromisoformat(str(event["timestamp"])[:10]) < FLOOR for event in EVENTS)
        foreseen = ws.retain(dry_run=True)
        assert raw_days(ws)[0] == DAYS[0]
        done = ws.retain()
        assert (foreseen.events, foreseen.days, foreseen.floor) == (before, done.days, FLOOR)
        assert (done.events, done.floor, done.first_day) == (before, FLOOR, DAYS[0])
        assert raw_days(ws)[0] == FLOOR
        assert ws.sql("SELECT count(*) FROM fact_activity_details").rows == [(len(EVENTS) - before,)]
        assert different(ws, kept) == set()
        assert ws.check().ok()
        assert [c.check for c in ws.check().failed] == [c.check for c in kept.check().failed]
        again = ws.retain()
        assert (again.events, again.floor) == (0, FLOOR)


def test_every_metric_gives_the_same_rows_as_before_or_says_why_not(dropped: Path) -> None:
    """Below the floor, above it, and by default; what is refused or flagged names the floor."""
    with opened(dropped) as ws, whole() as kept:
        for name, start in product(METRICS, (DAYS[3], None, date(2026, 2, 25))):
            asked = {"start": start, **OPTIONS.get(name, {})}
            if start == DAYS[3] and name not in FROZEN_ANSWERS:
                with pytest.raises(QueryError, match=str(FLOOR)) as raised:
                    ws.metric(name, **asked)
                assert raised.value.code == "beyond_retention"
            elif (name in FROZEN_ANSWERS) == (start in (DAYS[3], None)):
                compare(name, ws.metric(name, **asked), kept.metric(name, **asked))


def compare(name: str, found: regulars.Result, expected: regulars.Result) -> None:
    """Rows without a flag are those of a workspace that kept everything; people are those who are counted."""
    warned = {warning.partition(":")[0] for warning in found.warnings}
    if name in FROZEN_ANSWERS:
        assert found.rows == expected.rows, name
        assert found.population == expected.population, name
        assert not warned & {"truncated", "beyond_retention"}, name
        return
    flagged = [row for row in found.rows if "truncated" in row["flags"]]
    assert ("truncated" in warned) is bool(flagged)
    if len(flagged) < len(found.rows):
        for row, other in zip(found.rows, expected.rows, strict=True):
            plain = {**other, "flags": [flag for flag in other["flags"] if flag != "warming_up"]}
            assert "truncated" in row["flags"] or row == plain, name


def test_people_behind_frozen_numbers_are_known_and_their_events_are_said_to_be_gone(dropped: Path) -> None:
    """A cell can be opened as before; the evidence below the floor cannot."""
    with opened(dropped) as ws, whole() as kept:
        found, expected = (each.active_users(start=DAYS[3], end=DAYS[9]) for each in (ws, kept))
        assert found.users(2) == expected.users(2) != []
        assert code_of(lambda: found.events(2)) == "beyond_retention"
        assert "showing these events needs raw events from" in found.explain(2)
        recent = ws.active_users(start=FLOOR, end=FLOOR)
        assert recent.events(0) == kept.active_users(start=FLOOR, end=FLOOR).events(0) != []


ONLY_EVENTS: tuple[dict[str, Any], ...] = (
    {"where": "event.amount > 3"}, {"by": "feature"}, {"activity": "conversion"}, {"grain": "hour"},
    {"actor": "event.amount"}, {"by": "cohort.buyers"},
)  # fmt: skip


def test_what_only_single_events_know_is_refused_below_the_floor(dropped: Path) -> None:
    """Asked from the floor on, it is answered; without a start, the range begins there and the answer says so."""
    limit(dropped, '[cohorts.buyers]\ndid = "purchase"\nlast_days = 5')
    with opened(dropped) as ws, whole() as kept:
        for asked in ONLY_EVENTS:
            with pytest.raises(QueryError, match=str(FLOOR)) as raised:
                ws.active_users(start=FLOOR - timedelta(days=1), end=DAYS[-1], **asked)
            assert raised.value.code == "beyond_retention"
            found = ws.active_users(**asked)
            assert [w.partition(":")[0] for w in found.warnings].count("beyond_retention") == 1
            assert str(min(row["date"] for row in found.rows))[:10] == str(FLOOR)
            if "cohort" in str(asked):
                assert all("truncated" in row["flags"] for row in found.rows)
            else:
                assert found.rows == kept.active_users(start=FLOOR, **asked).rows


def test_a_stored_slice_of_an_event_property_is_answered_for_all_time(tmp_path: Path) -> None:
    """It is counted ahead of time, so that raw events are not needed."""
    folder = regulars.init(tmp_path / "shop")
    limit(folder, '[rollups]\nevent_dimensions = ["feature"]')
    with opened(folder) as ws:
        ws.load(EVENTS)
        before = ws.active_users(by="feature", start=DAYS[0]).rows
        ws.retain()
        found = ws.active_users(by="feature", start=DAYS[0])
        assert (found.rows, found.source) == (before, "aggregates")


def test_frozen_slices_of_people_who_turn_out_to_be_one_are_united(tmp_path: Path) -> None:
    """As many people in each slice and day as where nothing was dropped."""
    folder = regulars.init(tmp_path / "shop")
    limit(folder, '[rollups]\nevent_dimensions = ["feature"]')
    seen = [{"anonymous_id": "anon", "event_type": "like", "timestamp": f"{day}T15:10:00Z", "event_id": f"x{day}",
             "feature": "search"} for day in (DAYS[0], DAYS[2])]  # fmt: skip
    settings = regulars.Settings(rollups=RollupSettings(event_dimensions=("feature",)))
    with opened(folder) as ws, regulars.open(settings=settings, clock=lambda: NOW) as kept:
        for each in (ws, kept):
            each.load([*EVENTS, *seen])
        ws.retain()
        for each in (ws, kept):
            each.link("anon", "u4")
        asked = {"by": "feature", "start": DAYS[0], "end": DAYS[2]}
        assert ws.active_users(**asked).rows == kept.active_users(**asked).rows


def test_late_events_below_the_floor_are_counted_and_kept_apart(dropped: Path) -> None:
    """The day of the floor itself still takes them, and nothing frozen moves."""
    late = [did("u1", f"{FLOOR - timedelta(days=1)}T23:59:59", event_id="out"),
            did("u2", f"{DAYS[0]}T10:00:00", event_id="old"),
            did("new", f"{FLOOR}T00:00:00", event_id="in")]  # fmt: skip
    with opened(dropped) as ws, whole(late[2]) as kept:
        report = ws.load(late)
        assert (report.loaded, report.reasons) == (1, {"beyond_retention": 2})
        assert ws.sql("SELECT DISTINCT detail FROM dead_letter").rows == [
            ("the days up to 2026-02-20 were archived and dropped",)
        ]
        assert different(ws, kept) == set()
        ws.track("u2", "like", timestamp=f"{DAYS[1]}T10:00:00Z")
        ws.flush()
        assert ws.journal_audit().dead_letter == 1
        assert ws.journal_audit().adds_up


def test_a_session_of_a_frozen_day_stays_as_it_was(tmp_path: Path) -> None:
    """What follows it after midnight, within the gap, is a session of its own: the days before are not looked at."""
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder, clock=lambda: NOW) as ws:
        ws.load([did("ada", f"{FLOOR - timedelta(days=1)}T23:50:00"), did("ben", f"{NOW.date()}T10:00:00")])
    limit(folder)
    with opened(folder) as ws:
        assert ws.retain().floor == FLOOR
        ws.load([did("ada", f"{FLOOR}T00:10:00")])
        ws.load([did("ada", f"{FLOOR}T00:20:00")])
        found = ws.sql("SELECT day, actions_count FROM fact_user_sessions WHERE user_id = 'ada' ORDER BY 1").rows
    assert found == [(FLOOR - timedelta(days=1), 1), (FLOOR, 2)]


def test_the_floor_moves_with_the_days_and_waits_for_events_to_drop(shop: Path) -> None:
    """Each day's run adds to the archive; a day without events to drop moves nothing."""
    with opened(shop, NOW + timedelta(days=3)) as ws, whole() as kept:
        assert ws.retain().floor == FLOOR + timedelta(days=3)
    with opened(shop, NOW + timedelta(days=200)) as ws, whole() as kept:
        assert ws.retain().floor == (NOW + timedelta(days=192)).date()
        assert raw_days(ws) == []
        assert different(ws, kept) == set()
        fresh = did("u1", "2026-09-17T10:00:00", event_id="fresh")
        assert ws.load([fresh]).loaded == 1
        kept.load([fresh])
        assert different(ws, kept) == set()
        assert ws.retain().events == 0
        ws.rebuild()
        assert different(ws, kept) == set()


def test_corrections_leave_frozen_days_to_the_people_they_belong_to(shop: Path) -> None:
    """Attributes, populations and merges change all of history, also where raw events are gone."""
    stranger = [{"anonymous_id": "anon", "event_type": "view", "timestamp": f"{day}T11:00:00Z", "event_id": f"x{day}"}
                for day in (DAYS[2], DAYS[8], DAYS[-2])]  # fmt: skip
    with opened(shop) as ws, whole(*stranger) as kept:
        ws.load(stranger)
        ws.retain()
        for each in (ws, kept):
            each.set_population("u2", "test")
            each.set_attributes("u3", {"country": "DE"})
            each.link("anon", "u4")
        assert different(ws, kept) == set()
        ws.rebuild()
        assert different(ws, kept) == set()


def test_sessions_of_united_people_stay_apart_until_a_rebuild(shop: Path) -> None:
    """Within half an hour of each other they would be one session; the active day and its actions are exact."""
    visit = [did("u4", f"{DAYS[2]}T15:00:00", event_id="k"), did("u4", f"{DAYS[2]}T15:20:00", event_id="l")]
    stranger = [{"anonymous_id": "anon", "event_type": "view", "timestamp": f"{DAYS[2]}T15:10:00Z", "event_id": "x"}]
    with opened(shop) as ws, whole(*visit, *stranger) as kept:
        ws.load([*visit, *stranger])
        ws.retain()
        for each in (ws, kept):
            each.link("anon", "u4")
        assert different(ws, kept) == {"sessions", "days"}
        exact = f"SELECT total_actions, core_actions, engagement_score FROM daily_activity WHERE day = DATE '{DAYS[2]}'"
        assert sorted(ws.sql(exact).rows) == sorted(kept.sql(exact).rows)
        ws.rebuild()
        assert different(ws, kept) == set()


def test_an_erased_person_is_gone_from_frozen_days_and_from_the_archive(dropped: Path) -> None:
    """The certificate counts archived events too; files without the person stay as they are."""
    with opened(dropped) as ws, whole() as kept:
        mine = [event for event in EVENTS if event["user_id"] == "u5"]
        days = {str(event["timestamp"])[:10] for event in mine}
        files = {path.name: path.read_bytes() for path in archive_of(dropped).glob("*.parquet")}
        certificate, expected = ws.erase("u5"), kept.erase("u5")
        assert certificate.removed == expected.removed | {"archive": 0}  # of the journal, which had nothing of theirs
        assert different(ws, kept) == set()
        assert in_archive(dropped, "user_id = 'u5'") == 0
        assert in_archive(dropped) == sum(
            event["user_id"] != "u5" and date.fromisoformat(str(event["timestamp"])[:10]) < FLOOR for event in EVENTS
        )
        for path in archive_of(dropped).glob("*.parquet"):
            assert (files.get(path.name) == path.read_bytes()) is (path.name[:10] not in days)
        ws.rebuild()
        assert different(ws, kept) == set()
        assert ws.check().ok()


def archive_of(folder: Path) -> Path:
    """Where the archive is."""
    return folder / "archive" / "events"


def in_archive(folder: Path, condition: str = "TRUE") -> int:
    """How many archived events meet a condition, as any other program finds them."""
    found = duckdb.sql(f"SELECT count(*) FROM '{archive_of(folder)}/*.parquet' WHERE {condition}").fetchall()
    return int(found[0][0])


def test_the_archive_is_plain_parquet_with_checksums(dropped: Path) -> None:
    """One file per day; ids, types, places and details are written out."""
    manifest = msgspec.json.decode((archive_of(dropped) / "manifest.json").read_bytes())
    assert sum(day["events"] for day in manifest["days"].values()) == in_archive(dropped)
    assert {day["file"] for day in manifest["days"].values()} == {p.name for p in archive_of(dropped).glob("*.parquet")}
    first = duckdb.sql(f"""SELECT user_id, event_type, device.device_type, feature, details[1].payload
        FROM '{archive_of(dropped)}/*.parquet' ORDER BY action_timestamp, event_id LIMIT 1""").fetchall()[0]
    event = min(EVENTS, key=lambda event: (event["timestamp"], event["event_id"]))
    assert first[:4] == (event["user_id"], event["event_type"], event["device_type"], event["feature"])
    assert msgspec.json.decode(first[4]) == event["details"][0]["payload"]


@pytest.mark.parametrize(
    "text", ['timezone = "Asia/Tokyo"', "[sessions]\ngap_minutes = 5\n[actions.view]\ncore = false"]
)
def test_a_changed_definition_is_computed_from_the_archive(dropped: Path, text: str) -> None:
    """Everything follows, frozen days too; a new time zone has the archive made anew."""
    limit(dropped, text)
    settings = regulars.Settings.from_toml(text)
    with opened(dropped) as ws, regulars.open(settings=settings, clock=lambda: NOW) as kept:
        kept.load(EVENTS)
        ws.refresh()
        assert different(ws, kept) == set()
        ws.retain()
        assert raw_days(ws)[0] == FLOOR
        assert different(ws, kept) == set()
        ws.rebuild()
        assert different(ws, kept) == set()
        assert in_archive(dropped) == len(EVENTS) - ws.sql("SELECT count(*) FROM fact_user_actions").rows[0][0]


@pytest.mark.parametrize("damage", ["gone", "changed", "manifest"])
def test_without_the_whole_archive_a_definition_cannot_change_and_a_rebuild_keeps_frozen_days(
    dropped: Path, damage: str
) -> None:
    """Nothing is changed by what is refused, and the way back is open."""
    file, path = archive_of(dropped) / f"{DAYS[4]}.parquet", archive_of(dropped) / "manifest.json"
    if damage == "manifest":
        path.write_text("{", encoding="utf-8")
    elif damage == "gone":
        file.unlink()
    else:
        changed = bytearray(file.read_bytes())
        changed[40] ^= 1
        file.write_bytes(changed)
    limit(dropped, "[sessions]\ngap_minutes = 5")
    with opened(dropped) as ws:
        with pytest.raises(SettingsError) as raised:
            ws.refresh()
        assert (raised.value.code, str(FLOOR) in raised.value.message) == ("needs_archive", True)
        with pytest.raises(SettingsError):
            ws.load([did("u1", "2026-02-28T10:00:00")])
    limit(dropped)
    with opened(dropped) as ws, whole() as kept:
        ws.rebuild()
        assert different(ws, kept) == set()


def test_a_population_can_change_without_the_archive(dropped: Path) -> None:
    """Only people and sums follow from it."""
    for path in archive_of(dropped).iterdir():
        path.unlink()
    text = '[population]\ntest_users = ["u1"]'
    limit(dropped, text)
    with opened(dropped) as ws, regulars.open(settings=regulars.Settings.from_toml(text), clock=lambda: NOW) as kept:
        kept.load(EVENTS)
        ws.refresh()
        assert different(ws, kept) == set()


def test_files_without_a_manifest_are_left_alone(shop: Path) -> None:
    """They may be all that is left of somebody's events."""
    archive_of(shop).mkdir(parents=True)
    (archive_of(shop) / "2026-01-01.parquet").write_bytes(b"precious")
    with opened(shop) as ws:
        assert code_of(ws.retain) == "archive_damaged"
        assert code_of(lambda: ws.erase("u1")) == "archive_damaged"
        assert raw_days(ws)[0] == DAYS[0]
        assert ws.active_users(start=DAYS[0]).users()
    assert (archive_of(shop) / "2026-01-01.parquet").read_bytes() == b"precious"


def test_an_archive_that_cannot_be_written_drops_nothing(shop: Path) -> None:
    """A file stands where the folder should be."""
    archive_of(shop).write_bytes(b"")
    with opened(shop) as ws:
        with pytest.raises(WorkspaceError) as raised:
            ws.retain()
        assert raised.value.code == "archive_failed"
        assert raw_days(ws)[0] == DAYS[0]


def test_an_export_of_a_person_has_archived_events_too(dropped: Path) -> None:
    """And says from when on events are known, where the archive is not whole."""
    with opened(dropped) as ws, whole() as kept:
        assert ws.export_user("u1")["events"] == kept.export_user("u1")["events"]
        assert raw_days(ws)[0] == FLOOR
        (archive_of(dropped) / f"{DAYS[4]}.parquet").unlink()
        assert ws.export_user("u1")["about"]["events_from"] == str(FLOOR)


def test_cohorts_of_raw_events_are_known_from_when_on_they_can_be(dropped: Path) -> None:
    """Those of stored days are known for all time; freezing one on a day that is gone is refused."""
    limit(dropped, '[cohorts.buyers]\ndid = "purchase"\nlast_days = 5\n[cohorts.ever]\ndid = "purchase"')
    with opened(dropped) as ws:
        stays = ws.membership("u1")
        assert min(stay.first_day for stay in stays if stay.is_segment) < FLOOR
        first = min((stay.first_day for stay in stays if stay.name == "buyers"), default=FLOOR + timedelta(days=4))
        assert first >= FLOOR + timedelta(days=4)
        assert {stay.name for stay in stays if stay.is_truncated} <= {"ever"}
        assert code_of(lambda: ws.freeze_cohort("buyers", as_="b", on=FLOOR)) == "beyond_retention"
        assert code_of(lambda: ws.freeze_cohort("ever", as_="e")) == "beyond_retention"
        assert ws.freeze_cohort("buyers", as_="b", on=FLOOR + timedelta(days=4)) >= 0


def test_space_is_given_back_while_readers_go_on(tmp_path: Path) -> None:
    """The file shrinks; every answer meanwhile is one that was right before and is right after."""
    folder = regulars.init(tmp_path / "shop")
    rows = [{**event, "text": random.Random(event["event_id"]).randbytes(8000).hex()} for event in EVENTS]
    limit(folder)
    problems: list[Any] = []
    done = threading.Event()
    with opened(folder) as ws:
        ws.load(rows)
        expected = ws.active_users(start=DAYS[0]).rows
        ws.engine.query("CHECKPOINT")
        size = (folder / "regulars.duckdb").stat().st_size

        def read() -> None:
            while not done.is_set():
                try:
                    if ws.active_users(start=DAYS[0]).rows != expected:
                        problems.append("other rows")
                except regulars.RegularsError as exc:
                    problems.append(exc)

        reader = threading.Thread(target=read)
        reader.start()
        report = ws.retain()
        done.set()
        reader.join()
        assert report.is_rewritten
        assert not is_rewrite_due(ws.engine)
    assert problems == []
    assert (folder / "regulars.duckdb").stat().st_size < size


@pytest.mark.parametrize("days", [0, -1, 40_000])
def test_a_limit_without_meaning_is_refused(days: int) -> None:
    """The message says what is allowed."""
    with pytest.raises(SettingsError, match="between 1 and"):
        regulars.Settings.from_toml(f"[retention]\nevents_days = {days}")


def test_a_workspace_in_memory_has_no_archive() -> None:
    """Without a limit there is nothing to do; with one it says what to use instead."""
    with regulars.open(clock=lambda: NOW) as ws:
        assert ws.retain().events_days is None
    limited = regulars.Settings(retention=RetentionSettings(events_days=20))
    with regulars.open(settings=limited, clock=lambda: NOW) as ws:
        assert code_of(ws.retain) == "memory_only"


@given(data=st.data())
@examples(max_examples=5)
def test_any_history_with_limits_in_it_leaves_the_rows_of_one_without(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """At once where that was promised, after a rebuild everywhere; answers are the oracle's, or say why not."""
    drawn = data.draw(worlds(conflicts=False) | session_worlds())
    kept = RetentionSettings(events_days=data.draw(st.integers(1, 60)))
    world = replace(drawn, settings=msgspec.structs.replace(drawn.settings, retention=kept))
    steps = data.draw(histories(world))
    for _ in range(data.draw(st.integers(1, 2))):
        steps.insert(data.draw(st.integers(0, len(steps))), ("retain",))
    clock = Clock(world.now)
    with (
        regulars.open(settings=world.settings, clock=clock) as ws,
        regulars.open(settings=world.settings, clock=clock) as twin,
    ):
        ws.engine.archive = ParquetArchive(ws.engine, tmp_path_factory.mktemp("archive"))
        outcome = live_twice(ws, twin, clock, world, steps)
        assert promised(ws) == promised(twin)
        ws.rebuild()
        assert derived(ws) == derived(twin)
        if outcome.events:
            agree(ws, outcome, data)


def live_twice(ws: Workspace, twin: Workspace, clock: Clock, world: World, steps: list[Any]) -> World:
    """A history in a workspace with limits, and in one without that gets no event which the first must turn away."""
    ledger, floor = Ledger(world), date.min
    for kind, *said in steps:
        clock.now += MICROSECOND
        if kind == "retain":
            wanted = local_day(clock.now, world.settings.timezone) - timedelta(
                days=world.settings.retention.events_days
            )
            days = {local_day(event.at, world.settings.timezone) for event in ledger.events.values()}
            floor = wanted if any(floor <= day < wanted for day in days) else floor
            assert (ws.retain().floor or date.min) == floor
            continue
        _STEPS[kind](ws, world, *said)
        arguments = said
        if kind == "load":
            arguments = [[e for e in said[0] if local_day(e.at, world.settings.timezone) >= floor]]
        if arguments != [[]]:
            getattr(ledger, kind)(*arguments, at=clock.now)
            _STEPS[kind](twin, world, *arguments)
    clock.now = world.now
    return ledger.outcome()


def promised(ws: Workspace) -> dict[str, Any]:
    """The derived rows that are exact whatever becomes of frozen people."""
    rows: dict[str, Any] = derived(ws)
    exact = "activity IN ('core', 'any')"
    for name in ("agg_arrivals", "agg_retention", "agg_tier_changes"):
        where = f"{exact} AND dimension NOT LIKE 'event.%'" if name == "agg_arrivals" else exact
        rows[name] = sorted(ws.sql(f"SELECT * FROM {name} WHERE {where}").rows, key=repr)
    rows["arrivals"] = [row for row in rows["arrivals"] if row[0] in ("core", "any")]
    rows["days"] = sorted(
        ws.sql("""SELECT u.user_id, d.day, d.total_actions, d.core_actions, round(d.engagement_score, 9) AS score
            FROM daily_activity d JOIN dim_users u USING (user_key)""").rows, key=repr,
    )  # fmt: skip
    return {name: found for name, found in rows.items() if name not in ("sessions", "sliced_arrivals")}


def agree(ws: Workspace, outcome: World, data: st.DataObject) -> None:
    """Drawn questions, unless the product says that it needs events which are gone."""
    for _ in range(2):
        query = data.draw(queries(outcome))
        note(msgspec.json.encode(query).decode())
        try:
            expected, found = answer(outcome, query), ws.query(query)
        except (RefusedError, QueryError):
            continue
        if any(warning.startswith("beyond_retention") for warning in found.warnings):
            continue
        rows = comparable(found.rows)
        for row, other in zip(rows, comparable(expected), strict=True):
            assert "truncated" in row["flags"] or row == other


def test_a_run_that_is_killed_leaves_all_days_in_or_all_out_and_the_next_one_goes_on(tmp_path: Path) -> None:
    """Between two files, before the commit, and while the file is written anew."""
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder) as ws:
        ws.load([event for event in EVENTS if str(event["timestamp"]) < "2026-02-08"])
        old = derived(ws)
    (folder / "regulars.toml").write_text("[retention]\nevents_days = 1\n", encoding="utf-8")
    events = sum(events for _, events, *_ in old["event_days"])
    whole_run = tmp_path / "whole"
    shutil.copytree(folder, whole_run)
    code, said = run(whole_run, "ws.retain()", 10**6)
    assert code == 0, said
    statements = int(said)
    for number, last in enumerate((3, statements - 6, statements - 4)):
        killed = tmp_path / f"killed-{number}"
        shutil.copytree(folder, killed)
        assert run(killed, "ws.retain()", last)[0] == -signal.SIGKILL
        with regulars.open(killed) as ws:
            assert derived(ws) == old
            assert ws.sql("SELECT count(*) FROM fact_user_actions").rows[0][0] in (0, events)
            ws.retain()
            assert ws.sql("SELECT count(*) FROM fact_user_actions").rows == [(0,)]
            assert not is_rewrite_due(ws.engine)
            ws.rebuild()
            assert derived(ws) == old
        assert in_archive(killed) == events
        days = [sorted(path.name[:10] for path in archive_of(each).iterdir()) for each in (killed, whole_run)]
        assert days[0] == days[1]


def test_a_server_applies_the_limit_when_it_starts_and_when_a_day_begins(shop: Path) -> None:
    """In the thread that loads what was collected; a failure is said and stops nothing."""
    clock = Clock(NOW.replace(tzinfo=None))
    with regulars.open(shop, clock=clock) as ws:
        drain = Drain(ws, give_up=lambda: None)
        drain.start()
        try:
            wait_for(lambda: raw_days(ws)[0] == FLOOR)
            (archive_of(shop) / "manifest.json").write_text("{", encoding="utf-8")
            clock.now += timedelta(days=1)
            ws.track("u1", "like", timestamp="2026-03-01T10:00:00Z")
            wait_for(lambda: ws.sql("SELECT 1 FROM fact_user_actions WHERE day = DATE '2026-03-01'").rows != [])
            assert raw_days(ws)[0] == FLOOR
            assert drain.failures == 0
        finally:
            drain.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a thread has done something."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
