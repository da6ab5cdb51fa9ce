"""Each check passes on clean data, and fires on data that breaks it with the number that was broken."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from regulars.domain.quality.catalogue import CHECKS
from regulars.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from regulars.workspace import Workspace

FIRST = date(2026, 1, 1)
DAYS = 70
PEOPLE = 12
NOW = datetime(2026, 3, 12, 12, tzinfo=UTC)
LAST = FIRST + timedelta(days=DAYS - 1)


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


def test_a_check_of_ones_own_is_judged_by_the_engine_that_runs_it(make: Callable[[str], Workspace]) -> None:
    """What the first look at the settings takes for a comment is not run."""
    hidden = "SELECT MAP {#1: (SELECT content FROM read_text('x'))} FROM dim_users -- #} (['a'], [1]) FROM dim_users"
    found = make(f'[checks.sly]\nsql = "{hidden}"').check("sly")["sly"]
    assert found.status == "failed"
    assert "read_text is not allowed" in (found.reason or "")


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
