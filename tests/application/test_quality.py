"""Each check passes on clean data, and fires on data that breaks it with the number that was broken."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regulars
from regulars.application.quality import check_import
from regulars.domain.quality.catalogue import CHECKS
from regulars.errors import UnknownNameError
from regulars.settings import Settings
from tests.application.test_agreement import workspace_of
from tests.strategies import worlds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from regulars.workspace import Workspace

FIRST = date(2026, 1, 1)
DAYS = 70
PEOPLE = 12
NOW = datetime(2026, 3, 12, 12, tzinfo=UTC)
LAST = FIRST + timedelta(days=DAYS - 1)
CONSERVATION = [name for name in CHECKS if name.endswith(("_add_up", "_adds_up", "_recomputed", "repeated_ids"))]


def moment(day: date, clock: str) -> str:
    return f"{day}T{clock}Z"


def event(user: str | None, kind: str, at: str, **more: Any) -> dict[str, Any]:
    """An event that was sent two seconds after it happened, and received at once."""
    sent = (datetime.fromisoformat(at) + timedelta(seconds=2)).isoformat()
    return {"user_id": user, "event_type": kind, "timestamp": at, "sent_at": sent, "received_at": sent} | more


def clean_events() -> Iterator[dict[str, Any]]:
    """Two pages and a purchase that both sides saw, of everybody on every day, in one session of the client."""
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        for person in range(PEOPLE):
            said: dict[str, Any] = {"session_id": f"s{person}-{day}", "country": "DE"}
            for clock in ("10:00:01", "10:05:00"):
                yield event(f"u{person}", "page_view", moment(day, clock), feature="editor", **said)
            for clock, source in (("10:06:00", "web"), ("10:06:30", "server")):
                yield event(f"u{person}", "purchase", moment(day, clock), amount=5, source=source, **said)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace without any fault; copying one is quicker than loading it."""
    folder = regulars.init(tmp_path_factory.mktemp("quality") / "shop")
    with regulars.open(folder, clock=lambda: NOW) as ws:
        ws.load([{"user_id": f"u{n}", "registration_date": "2026-01-01", "plan": "free"} for n in range(PEOPLE)])
        ws.load(list(clean_events()))
    return folder


@pytest.fixture
def make(base: Path, tmp_path: Path) -> Iterator[Callable[[str], Workspace]]:
    """Open a copy of the clean workspace under more settings."""
    opened: list[Workspace] = []

    def copy(more: str = "") -> Workspace:
        folder = shutil.copytree(base, tmp_path / "shop")
        with (folder / "regulars.toml").open("a") as file:
            file.write(f"\n{more}\n")
        opened.append(regulars.open(folder, clock=lambda: NOW))
        return opened[-1]

    yield copy
    for ws in opened:
        ws.close()


def change(*statements: str) -> Callable[[Workspace], None]:
    """Break stored rows behind the back of the program."""

    def run(ws: Workspace) -> None:
        with ws.engine.transaction():
            for statement in statements:
                ws.engine.execute(statement)

    return run


def load(*rows: dict[str, Any]) -> Callable[[Workspace], None]:
    return lambda ws: ws.load(list(rows)) and None


def days(number: int) -> list[date]:
    return [FIRST + timedelta(days=n) for n in range(number)]


def late(hours: int, clock: str = "20:00:00") -> list[dict[str, Any]]:
    """Forty events, each received some hours after it happened, by a client that knew it was late."""
    found = []
    for day in days(40):
        at = moment(day, clock)
        then = (datetime.fromisoformat(at) + timedelta(hours=hours)).isoformat()
        found.append(event("u1", "page_view", at, sent_at=then, received_at=then, feature="editor"))
    return found


def daily_table(*broken: str) -> Callable[[Workspace], None]:
    """The prepared table of the clean events, and what is changed in it."""
    return change(
        f"""CREATE TABLE user_daily AS
SELECT 'u' || p AS user_id, d AS as_of_date, DATE '2026-01-01' AS signup_date,
  date_diff('day', DATE '2026-01-01', d) AS days_since_signup, TRUE AS is_active_day, 4 AS total_events,
  0.0 AS watch_minutes_sum, CAST(NULL AS DOUBLE) AS quiz_avg_score, 0 AS logins_count, 0 AS enroll_count,
  0 AS quiz_attempts_count, 0 AS payment_success_count, 0 AS payment_failed_count, 0 AS support_ticket_count
FROM range({PEOPLE}) t(p), (SELECT CAST(x AS DATE) AS d FROM range(DATE '{FIRST}', DATE '{LAST}' + 1,
  INTERVAL 1 DAY) r(x)) y""",
        *broken,
    )


ONE_DAY = moment(date(2026, 3, 10), "11:00:00")
Case = tuple[str, "Callable[[Workspace], None]", int]
BROKEN: dict[str, Case] = {
    "rejected_rows": ("", load(*({"user_id": "u1", "timestamp": ONE_DAY, "event_type": ""},) * 60), 60),
    "id_conflicts": (
        "",
        load(*(event("u1", kind, ONE_DAY, event_id="one") for kind in ("page_view", "login", "search"))),
        2,
    ),
    "duplicate_rows": ("", lambda ws: ws.load([*clean_events()][:100]) and None, 100),
    "repeated_ids": (
        "",
        change("INSERT INTO fact_user_actions SELECT * FROM fact_user_actions ORDER BY action_timestamp LIMIT 3"),
        3,
    ),
    "orphan_users": ("", load(event("zoe", "login", ONE_DAY)), 1),
    "silent_users": ("", load(*({"user_id": f"new{n}", "plan": "free"} for n in range(20))), 20),
    "before_signup": ("", load(*(event("u1", "login", f"2025-12-30T10:00:0{n}Z") for n in range(5))), 5),
    "test_accounts": ("", lambda ws: ws.set_population("u1", "test"), 1),
    "anonymous_events": (
        "",
        load(*(event(None, "login", f"2026-03-10T11:00:0{n}Z", anonymous_id="x") for n in range(3))),
        3,
    ),
    "conflicting_links": (
        "",
        load(*(event(f"u{n}", "identify", f"2026-03-10T11:00:0{n}Z", anonymous_id="x") for n in range(3))),
        2,
    ),
    "unknown_types": ("", load(*(event("u1", "dance", f"2026-03-10T11:00:0{n}Z") for n in range(4))), 4),
    "future_times": ("", load(*(event("u1", "login", f"2026-03-12T12:05:0{n}Z") for n in range(3))), 2),
    "late_events": ("", load(*late(25)), 40),
    "clock_skew": (
        "",
        load(*(event("u1", "login", f"2026-03-10T11:00:0{n}Z", sent_at="2026-03-10T12:00:00Z") for n in range(10))),
        10,
    ),
    "out_of_order": ("", load(*late(1, "10:00:00")), 40),
    "out_of_range": (
        '[ranges.rating]\nat_most = 5\n[ranges."event.duration_seconds"]\nat_most = 60',
        load(
            *(event("u1", "quiz_attempt", f"2026-03-10T11:00:0{n}Z", quiz_score=s) for n, s in enumerate((0, 100))),
            *(event("u1", "quiz_attempt", f"2026-03-10T11:01:0{n}Z", quiz_score=s)
              for n, s in enumerate((101, -1, "good"))),
            event("u1", "purchase", ONE_DAY, amount=-0.5),
            event("u1", "login", ONE_DAY, rating=6),
            event("u1", "video_watch", ONE_DAY, watch_minutes=-1),
            event("u1", "video_watch", ONE_DAY, watch_minutes=2),
        ),
        # The last event but one breaks the shipped range of a duration, the last one only the declared one.
        7,
    ),
    "missing_values": (
        "",
        load(*(event("u1", "login", f"2026-03-{d:02}T11:00:0{n}Z", feature="x" if n < 7 else None)
               for n in range(10) for d in range(1, 11))),
        1,
    ),
    "key_drift": (
        "",
        load(*(event("u1", "page_view", f"2026-03-10T11:00:{n:02}Z", color="red") for n in range(20)),
             *(event("u1", "login", f"2026-03-10T11:00:{n:02}Z", color="red") for n in range(30))),
        1,
    ),
    "volume_anomalies": (
        "",
        load(*(event("u1", "page_view", f"2026-03-10T11:{n // 60:02}:{n % 60:02}Z") for n in range(100))),
        2,
    ),
    "few_events": ("[checks.few_events]\nlimit = 10000", lambda ws: None, 1),
    "churn_extremes": ("", load(*(event(f"v{n}", "login", moment(LAST, "11:00:00")) for n in range(10))), 1),
    "session_length": (
        "",
        change("UPDATE user_sessions SET duration_seconds = -5 WHERE day = DATE '2026-01-01' AND actions_count = 4"),
        PEOPLE,
    ),
    "overlapping_sessions": (
        "[checks.overlapping_sessions]\nthreshold = 0",
        change(
            """UPDATE user_sessions SET session_end = session_end + INTERVAL 10 DAY
WHERE day = DATE '2026-01-01' AND user_key = (SELECT min(user_key) FROM user_sessions)"""
        ),
        10,
    ),
    "single_event_sessions": (
        "[checks.single_event_sessions]\nthreshold = 0.05\nlimit = 1",
        load(*(event("u1", "login", moment(day, "20:00:00")) for day in days(60))),
        60,
    ),
    "client_sessions": (
        "[checks.client_sessions]\nthreshold = 0",
        load(
            *(event("u1", "login", f"2026-03-10T{h}:00:00Z", session_id="long") for h in (20, 21, 22)),
            event("u1", "login", "2026-03-10T22:10:00Z", session_id="short"),
        ),
        3,
    ),
    "one_sided_tracking": (
        "",
        load(*(event("u1", "purchase", moment(day, "11:00:00"), source="Backend", amount=1) for day in days(60))),
        60,
    ),
    "user_daily_rows": (
        "",
        daily_table(
            "UPDATE user_daily SET is_active_day = FALSE WHERE as_of_date = DATE '2026-01-05'",
            "UPDATE user_daily SET logins_count = -1 WHERE as_of_date = DATE '2026-01-06' AND user_id = 'u1'",
            "INSERT INTO user_daily SELECT * FROM user_daily WHERE as_of_date = DATE '2026-01-07' AND user_id = 'u1'",
        ),
        PEOPLE + 2,
    ),
    "user_daily_adds_up": (
        "",
        daily_table("UPDATE user_daily SET total_events = 5 WHERE as_of_date = DATE '2026-01-05'"),
        PEOPLE,
    ),
    "loads_add_up": ("", change("UPDATE loads SET rows_read = rows_read + 1 WHERE load_id = 2"), 1),
    "days_add_up": (
        "",
        change(
            "UPDATE event_days SET events = events + 1 WHERE day = DATE '2026-01-02'",
            "DELETE FROM event_days WHERE day = DATE '2026-01-03'",
        ),
        2,
    ),
    "daily_activity_adds_up": (
        "",
        change(
            "DELETE FROM daily_activity WHERE day = DATE '2026-01-02'",
            "UPDATE daily_activity SET core_actions = 1 WHERE day = DATE '2026-01-03'",
        ),
        2 * PEOPLE,
    ),
    "arrivals_add_up": (
        "",
        change(
            "UPDATE arrivals SET actions = actions + 1 WHERE activity = 'any' AND day = DATE '2026-01-02'",
            "DELETE FROM arrivals WHERE activity = 'core' AND day = DATE '2026-01-03'",
        ),
        2 * PEOPLE,
    ),
    "gaps_add_up": (
        "",
        change("UPDATE arrivals SET days_since_prior = 2 WHERE activity = 'core' AND day = DATE '2026-01-03'"),
        PEOPLE,
    ),
    "lifecycle_adds_up": (
        "",
        # Who was retained is said to be resurrected: the day adds up, and the day before does not.
        change("UPDATE arrivals SET days_since_prior = 2 WHERE activity = 'core' AND day = DATE '2026-01-03'"),
        1,
    ),
    "slices_add_up": (
        "",
        change(
            "UPDATE agg_arrivals SET users = users + 1 WHERE dimension = 'plan' AND day = DATE '2026-01-03'",
            "DELETE FROM agg_arrivals WHERE dimension = 'country' AND day = DATE '2026-01-04' AND activity = 'core'",
        ),
        3,
    ),
    "agg_arrivals_recomputed": (
        "",
        change("UPDATE agg_arrivals SET users = users + 1 WHERE dimension = 'plan' AND day = DATE '2026-01-03'"),
        2,
    ),
    "agg_retention_recomputed": ("", change("DELETE FROM agg_retention WHERE days_later = 3"), 2),
    "agg_tier_changes_recomputed": (
        "",
        change("UPDATE agg_tier_changes SET users = users + 1 WHERE activity = 'core' AND tier = 'power'"),
        2,  # the day on which everybody enters it, and the one on which they leave it
    ),
}  # fmt: skip


def test_markers_are_no_events_of_a_prepared_table(make: Callable[[str], Workspace]) -> None:
    """Who is identified on a day has not done more on it."""
    ws = make("")
    daily_table()(ws)
    load(event("u1", "identify", ONE_DAY, anonymous_id="x"))(ws)
    assert ws.check("user_daily_adds_up")["user_daily_adds_up"].status == "passed"
    load(event("u1", "login", ONE_DAY))(ws)
    assert ws.check("user_daily_adds_up")["user_daily_adds_up"].count == 1


def test_every_check_of_the_catalogue_is_broken_here() -> None:
    """A new check cannot be left untested."""
    assert set(BROKEN) == set(CHECKS)


def test_clean_data_passes_every_check(make: Callable[[str], Workspace]) -> None:
    """None fails; one is skipped for want of links, and needs none."""
    ws = make("")
    daily_table()(ws)
    report = ws.check()
    assert report.failed == ()
    assert [result.check for result in report.skipped] == ["conflicting_links"]
    assert [result.check for result in report.results] == list(CHECKS)
    assert report.ok("info")


@pytest.mark.parametrize("name", BROKEN)
def test_a_check_fires_with_the_number_that_was_broken(name: str, make: Callable[[str], Workspace]) -> None:
    """Before the fault it does not fail; after it, it fails, counts it, shows it and says what to do."""
    more, fault, number = BROKEN[name]
    ws = make(more)
    if name != "few_events":
        assert ws.check(name).results[0].status in ("passed", "skipped")
    fault(ws)
    result = ws.check(name)[name]
    assert (result.status, result.count) == ("failed", number), result
    assert result.severity == CHECKS[name].severity
    assert result.fix
    assert result.sample
    assert all(len(row) == len(result.columns) for row in result.sample)
    counted = dict(zip(result.columns, zip(*result.sample, strict=True), strict=True))["found"]
    assert len(counted) <= number
    assert name == "missing_values" or sum(counted) <= number


def test_nothing_is_refused_by_an_empty_workspace() -> None:
    """Every check is skipped, with the reason."""
    with regulars.open() as ws:
        report = ws.check()
    assert {result.status for result in report.results} == {"skipped"}
    assert all(result.reason for result in report.results)
    assert report.ok("info")


def test_changed_settings_leave_stored_rows_unjudged_until_they_are_refreshed(
    make: Callable[[str], Workspace],
) -> None:
    """Rows that follow the old definition are no fault, and no proof either."""
    ws = make("[sessions]\ngap_minutes = 10")
    before = ws.check()
    assert before.ok("info")
    assert before["arrivals_add_up"].reason == "settings changed since the stored rows were made; run: regulars refresh"
    assert before["volume_anomalies"].status == "passed"
    ws.refresh()
    after = ws.check()
    assert after["arrivals_add_up"].status == after["session_length"].status == "passed"


def test_settings_switch_a_check_off_and_change_what_it_allows(make: Callable[[str], Workspace]) -> None:
    """Severity, threshold and words; a check that is off can still be asked for by its name."""
    ws = make(
        '[checks.unknown_types]\nseverity = "error"\nfix = "ask Ada"\nthreshold = 1\ndescription = "ours"\n'
        "[checks.key_drift]\nenabled = false\n"
        "[checks.future_times]\nsince = 2027-01-01\n"
        "[checks.one_sided_tracking]\nproperty = 'side'"
    )
    load(*(event("u1", "dance", f"2026-03-10T11:00:0{n}Z") for n in range(2)))(ws)
    load(event("u1", "login", "2026-03-13T11:00:00Z"))(ws)
    report = ws.check()
    found = report["unknown_types"]
    assert (found.severity, found.status, found.fix, found.words) == ("error", "failed", "ask Ada", "ours")
    assert not report.ok()
    assert "key_drift" not in [result.check for result in report.results]
    assert ws.check(["key_drift"])["key_drift"].status == "passed"
    assert report["future_times"].count == 0
    assert report["one_sided_tracking"].status == "skipped"


def test_an_unknown_check_is_answered_with_the_nearest() -> None:
    """Names are those of the catalogue and of the settings."""
    with regulars.open() as ws, pytest.raises(UnknownNameError, match="did you mean 'late_events'"):
        ws.check("late_event")


OWN = """
[checks.big_orders]
description = "Orders over 1000"
severity = "warning"
fix = "call the customer"
sql = "SELECT event_id FROM fact_user_actions WHERE CAST(action_metadata->>'amount' AS DOUBLE) > 1000;"

[checks.orders]
events = ["purchase"]
where = [{ property = "event.source", op = "=", value = "web" }]
at_least_per_day = 12
at_most_per_day = 12

[checks.no_refunds]
events = ["refund"]
where = [{ property = "reason", op = "is_set" }]
at_most_per_day = 0
since = 2026-02-01
"""


def test_checks_of_ones_own_select_bad_rows_or_expect_a_number_of_events(make: Callable[[str], Workspace]) -> None:
    """Bad rows are counted and shown; days are complete ones, silent ones included."""
    ws = make(OWN)
    names = ["big_orders", "orders", "no_refunds"]
    assert {result.status for result in ws.check(names).results} == {"passed"}
    load(
        event("u1", "purchase", ONE_DAY, amount=2000, source="web", event_id="big"),
        event("u1", "refund", moment(FIRST, "11:00:00"), reason="x"),
        event("u1", "refund", moment(LAST, "11:00:00"), reason="x"),
        event("u1", "login", "2025-12-30T09:00:00Z"),
    )(ws)
    report = ws.check(names)
    assert [(r.check, r.status, r.count, r.whole, r.severity) for r in report.results] == [
        ("big_orders", "failed", 1, None, "warning"),
        ("orders", "failed", 3, DAYS + 2, "error"),  # the day of the large order, one without, and a silent one
        ("no_refunds", "failed", 1, DAYS - 31, "error"),
    ]
    assert report["big_orders"].sample == (("big",),)
    silent = [(FIRST - timedelta(days=before), 0, "12-12") for before in (2, 1)]
    assert report["orders"].sample == (*silent, (date(2026, 3, 10), 13, "12-12"))
    assert report["orders"].title == "Days without the expected events (at least 12 and at most 12)"


def test_an_own_check_that_cannot_be_run_fails_with_the_reason(make: Callable[[str], Workspace]) -> None:
    """It is no pass, and takes none of the others with it."""
    ws = make(
        '[checks.broken]\nsql = "SELECT nothing FROM loads"\n'
        '[checks.lost]\nevents = ["login"]\nat_least_per_day = 1\n'
        'where = [{ property = "user.nobody", op = "is_set" }]'
    )
    report = ws.check()
    assert [result.check for result in report.failed] == ["broken", "lost"]
    assert "it could not be run" in (report["broken"].reason or "")
    assert "nobody" in (report["lost"].reason or "")
    assert report["broken"].count is None
    assert report["lost"].share is None
    assert report["gaps_add_up"].status == "passed"
    kept = ws.sql("SELECT reason FROM check_results WHERE check_name = 'broken'").rows
    assert kept == [("it could not be run",)]  # what the database says may quote a person's value


def test_an_own_statement_is_run_as_it_is_written() -> None:
    """With a comment at its end, and functions whose names look like ours."""
    sql = "SELECT arg_min(source, load_id) AS first FROM loads HAVING count(*) > 0 -- all of them"
    own = Settings.from_toml(f'[checks.own]\nsql = "{sql}"')
    with regulars.open(settings=own) as ws:
        assert ws.check("own")["own"].status == "passed"
        ws.load([event("u1", "login", ONE_DAY)])
        assert ws.check("own")["own"].count == 1


def test_an_own_check_without_complete_days_is_skipped() -> None:
    """Before the first day is over there is nothing to expect."""
    own = Settings.from_toml('[checks.logins]\nevents = ["login"]\nat_least_per_day = 1')
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with regulars.open(settings=own, clock=lambda: now) as ws:
        ws.load([{"user_id": "a", "event_type": "login", "timestamp": "2026-03-04T09:00:00Z"}])
        assert ws.check("logins")["logins"].reason == "there is no complete day yet"
        assert ws.check("volume_anomalies")["volume_anomalies"].status == "skipped"


def test_results_are_kept_without_samples_and_a_reader_keeps_none(make: Callable[[str], Workspace]) -> None:
    """Each run has a number; samples name people, so they are shown and never stored."""
    ws = make("")
    load(event("u1", "dance", ONE_DAY))(ws)
    first, second = ws.check("unknown_types"), ws.check("unknown_types", occasion="report")
    assert second.run_id == (first.run_id or 0) + 1
    kept = ws.sql(f"SELECT * EXCLUDE (run_id) FROM check_results WHERE run_id >= {first.run_id} ORDER BY run_id").rows
    now = NOW.replace(tzinfo=None)
    result = ("unknown_types", "warning", "failed", None, 1, PEOPLE * DAYS * 4 + 1, "count", 0.0)
    assert kept == [(now, "check", None, *result), (now, "report", None, *result)]
    assert ws.check("unknown_types", store=False).run_id is None
    folder = ws.folder
    ws.close()
    with regulars.open(folder, read_only=True, clock=lambda: NOW) as reader:
        assert reader.check("unknown_types").run_id is None


def test_with_every_check_switched_off_there_is_nothing_to_keep() -> None:
    """A run without checks is no error."""
    own = Settings.from_toml("\n".join(f"[checks.{name}]\nenabled = false" for name in CHECKS))
    with regulars.open(settings=own) as ws:
        assert ws.check().results == ()
        assert ws.sql("SELECT count(*) FROM check_results").rows == [(0,)]


def test_an_import_is_checked_by_what_it_brought(make: Callable[[str], Workspace]) -> None:
    """Rows of earlier imports are not looked at again, and the results are kept under the import."""
    ws = make("")
    rows = [event("u1", "dance", f"2026-03-10T11:00:0{n}Z") for n in range(2)]
    report = ws.load([*rows, {"user_id": "u1", "timestamp": ONE_DAY, "event_type": ""}])
    found = {result.check: (result.status, result.count, result.whole) for result in report.checks}
    assert found == {
        "rejected_rows": ("failed", 1, 3),
        "id_conflicts": ("passed", 0, 3),
        "duplicate_rows": ("passed", 0, 3),
        "unknown_types": ("failed", 2, 2),
        "future_times": ("passed", 0, 2),
        "loads_add_up": ("passed", 0, 1),
    }
    again = ws.load([event("u2", "login", ONE_DAY)])
    assert {result.status for result in again.checks} == {"passed"}
    people = ws.load([{"user_id": "x", "plan": "free"}])
    assert [(r.check, r.reason) for r in people.checks if r.status == "skipped"] == [
        ("unknown_types", "there are no events yet"),
        ("future_times", "there are no events yet"),
    ]
    kept = ws.sql("SELECT load_id, count(*) FROM check_results WHERE occasion = 'import' GROUP BY 1 ORDER BY 1").rows
    assert kept == [(1, 6), (2, 6), (3, 6), (4, 6), (5, 6)]


def test_settings_choose_what_is_checked_after_an_import(make: Callable[[str], Workspace]) -> None:
    """More than the cheap checks, fewer, or none."""
    ws = make(
        "[checks.unknown_types]\nafter_import = false\n[checks.rejected_rows]\nenabled = false\n"
        "[checks.out_of_range]\nafter_import = true\n[checks.id_conflicts]\nthreshold = 0"
    )
    report = ws.load([event("u1", "purchase", ONE_DAY, amount=-1)])
    found = {result.check: (result.status, result.count) for result in report.checks}
    assert found["out_of_range"] == ("failed", 1)
    assert list(found) == ["id_conflicts", "duplicate_rows", "future_times", "loads_add_up", "out_of_range"]


@pytest.mark.parametrize(
    "text",
    [
        "[import]\ncheck = false",
        "\n".join(f"[checks.{name}]\nenabled = false" for name, check in CHECKS.items() if check.is_cheap),
    ],
)
def test_nothing_is_checked_after_an_import_if_settings_say_so(text: str) -> None:
    """By the one switch, or by switching each check off."""
    with regulars.open(settings=Settings.from_toml(text)) as ws:
        assert ws.load([event("u1", "dance", ONE_DAY)]).checks == ()
        assert ws.sql("SELECT count(*) FROM check_results").rows == [(0,)]


def test_only_a_dear_check_may_be_left_after_an_import() -> None:
    """Then there is no statement for the cheap ones."""
    off = [f"[checks.{name}]\nenabled = false" for name, check in CHECKS.items() if check.is_cheap]
    text = "\n".join([*off, "[checks.few_events]\nafter_import = true"])
    with regulars.open(settings=Settings.from_toml(text)) as ws:
        assert [r.check for r in ws.load([event("u1", "dance", ONE_DAY)]).checks] == ["few_events"]
        assert check_import(ws.engine, ws.settings, ws.now(), 1)[0].status == "failed"


def test_a_file_imported_again_is_no_duplicate(tmp_path: Path) -> None:
    """The same bytes bring nothing new, and nothing wrong."""
    file = tmp_path / "events.csv"
    file.write_text("event_id,user_id,event_type,timestamp\n1,a,login,2026-03-10T11:00:00Z\n")
    with regulars.open() as ws:
        ws.load(str(file))
        ws.load(str(file))
        result = ws.check("duplicate_rows")["duplicate_rows"]
        assert (result.status, result.count, result.whole) == ("passed", 0, 1)


def test_rows_of_erased_people_are_no_fault_of_the_data() -> None:
    """They are refused because somebody asked for it."""
    with regulars.open(clock=lambda: NOW) as ws:
        ws.load([event("ada", "login", ONE_DAY), event("bob", "login", ONE_DAY)])
        ws.erase("ada")
        assert ws.load([event("ada", "login", ONE_DAY)]).rejected == 1
        assert ws.check("rejected_rows")["rejected_rows"].count == 0


def oracle_of_volume(counts: Sequence[int], limit: float) -> list[int]:
    """Places of unusual days among the last 28, by the definition."""
    found = []
    for place in range(max(0, len(counts) - 28), len(counts)):
        earlier = [counts[place - 7 * weeks] for weeks in range(1, 9) if place >= 7 * weeks]
        if len(earlier) < 3:
            continue
        usual = median(earlier)
        spread = median(abs(value - usual) for value in earlier)
        scale = max(1.4826 * spread, 0.1 * usual, usual**0.5)
        if usual >= 20 and abs(counts[place] - usual) > limit * scale:
            found.append(place)
    return found


@given(
    counts=st.lists(st.sampled_from([0, 10, 20, 25, 30, 60, 100]), min_size=28, max_size=90).filter(
        lambda counts: counts[0] > 0 and counts[-1] > 0
    )
)
@settings(max_examples=15)
def test_unusual_days_are_those_of_the_definition(counts: list[int]) -> None:
    """Median and MAD of the same weekday; silent days count as 0, and every day judged has three weeks before it."""
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=len(counts), hours=1)
    rows = [
        {
            "user_id": "a",
            "event_type": "login",
            "timestamp": f"{FIRST + timedelta(days=place)}T10:{n // 60:02}:{n % 60:02}Z",
        }
        for place, number in enumerate(counts)
        for n in range(number)
    ]
    with regulars.open(settings=Settings.from_toml("[import]\ncheck = false"), clock=lambda: now) as ws:
        ws.load(rows)
        result = ws.check("volume_anomalies")["volume_anomalies"]
        wanted = oracle_of_volume(counts, 6.0)
        assert result.count == 2 * len(wanted)  # in all, and of the one type
        assert {row[1] for row in result.sample} <= {FIRST + timedelta(days=place) for place in wanted}


@given(world=worlds())
@settings(max_examples=15)
def test_stored_rows_add_up_whatever_was_loaded(world: Any) -> None:
    """The identities hold for any log of events, and no check fails to run on it."""
    with workspace_of(world) as ws:
        report = ws.check(store=False)
        unwell = [(r.check, r.count, r.sample) for r in report.failed if r.check in CONSERVATION]
        assert unwell == []
        assert Counter(result.status for result in report.results).total() == len(CHECKS)


@given(copies=st.lists(st.integers(0, 3), min_size=1, max_size=20))
@settings(max_examples=10)
def test_duplicates_are_counted_as_they_were_made(copies: list[int]) -> None:
    """Each copy of a row with an id, and no more."""
    rows = [
        event("u1", "login", f"2026-03-10T11:00:{n:02}Z", event_id=str(n))
        for n, times in enumerate(copies) for _ in range(times + 1)
    ]  # fmt: skip
    with regulars.open() as ws:
        ws.load(rows)
        assert ws.check("duplicate_rows")["duplicate_rows"].count == sum(copies)


Sent = tuple[int, int, int, int, str, str]


def oracle_of_times(log: Sequence[Sent]) -> dict[str, int]:
    """What the checks of times and sessions must count, event by event, in minutes."""
    by_person: dict[int, list[Sent]] = {}
    for sent in log:
        by_person.setdefault(sent[0], []).append(sent)
    found = Counter(dict.fromkeys(("late_events", "clock_skew", "out_of_order", "client_sessions"), 0))
    for own in by_person.values():
        for _, at, wait, ahead, _, _ in own:
            found["late_events"] += wait > 60
            found["clock_skew"] += abs(ahead) > 2
            found["out_of_order"] += any(other[1] + other[2] < at + wait and other[1] > at for other in own)
        ordered = sorted(own, key=lambda sent: sent[1])
        for before, after in pairwise(ordered):
            is_apart = after[1] - before[1] > 30
            found["client_sessions"] += (before[4] == after[4]) == is_apart
    return found


def oracle_of_sides(log: Sequence[Sent]) -> int:
    """Events of the one type, on the one day, that one side lacks; none if only one side sends it."""
    seen = {side: Counter(person for person, *_, of in log if of == side) for side in ("web", "server")}
    people = {person for person, *_ in log}
    return sum(abs(seen["web"][p] - seen["server"][p]) for p in people) if all(seen.values()) else 0


@given(
    log=st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 600), st.sampled_from([0, 1, 30, 60, 61, 200]),
            st.sampled_from([0, 1, 3, -3]), st.sampled_from(["s1", "s2"]), st.sampled_from(["web", "server"]),
        ),
        min_size=2, max_size=25, unique_by=lambda sent: sent[:2],
    )
)  # fmt: skip
@settings(max_examples=40)
def test_times_sessions_and_sides_are_judged_event_by_event(log: list[Sent]) -> None:
    """Late, skewed, out of order, at odds with the client's sessions, seen by one side: as counted in plain Python."""
    start = datetime(2026, 3, 10, 8, tzinfo=UTC)

    def after(minutes: int) -> str:
        return (start + timedelta(minutes=minutes)).isoformat()

    rows = [
        {
            "user_id": f"u{person}", "event_type": "login", "timestamp": after(at), "received_at": after(at + wait),
            "sent_at": after(at + wait + ahead), "session_id": session, "source": side,
        }
        for person, at, wait, ahead, session, side in log
    ]  # fmt: skip
    own = Settings.from_toml("[checks.late_events]\nlimit = 1\n[import]\ncheck = false")
    with regulars.open(settings=own, clock=lambda: NOW) as ws:
        ws.load(rows)
        report = ws.check(store=False)
        wanted = oracle_of_times(log)
        assert {name: report[name].count for name in wanted} == wanted
        assert report["late_events"].whole == report["clock_skew"].whole == len(log)
        assert (report["one_sided_tracking"].count or 0) == oracle_of_sides(log)
