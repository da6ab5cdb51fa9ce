"""The service as a program meets it: its names, its signatures, and what happens under load and when it dies."""

import inspect
import json
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

import regulars
from regulars import UserAnalyticsMetricsService
from regulars.errors import QueryError, UnknownNameError

METHODS = (
    "track_event", "start_session", "end_session", "get_engagement_metrics", "get_conversion_metrics",
    "get_retention_metrics", "analyze_cohort", "record_nps_response", "calculate_nps", "create_ab_test",
    "assign_ab_variant", "record_ab_conversion", "get_ab_test_results", "segment_user", "get_segments",
    "generate_report",
)  # fmt: skip


def test_the_signatures_are_those_that_programs_rely_on():
    """Names, order and defaults."""
    assert all(callable(getattr(UserAnalyticsMetricsService, name)) for name in METHODS)

    def parameters(method):
        found = inspect.signature(method).parameters.values()
        return [(p.name, p.default) for p in found if p.name != "self"]

    none = None
    assert parameters(UserAnalyticsMetricsService) == [("workspace", none)]
    assert parameters(UserAnalyticsMetricsService.track_event) == [
        ("user_id", inspect.Parameter.empty), ("event_type", inspect.Parameter.empty), ("event_name", none),
        ("properties", none), ("session_id", none), ("timestamp", none),
    ]  # fmt: skip
    assert parameters(UserAnalyticsMetricsService.get_engagement_metrics) == [("date", none), ("activity", "core")]


def test_without_a_workspace_there_is_one_in_memory():
    """Which ends with the service."""
    with UserAnalyticsMetricsService() as service:
        assert isinstance(service.track_event(7, "like"), str)
        found = service.get_engagement_metrics()
        assert (found["dau"], found["dau_mau_ratio"], found["new_users"]) == (1, 1.0, 1)
        assert service.workspace.folder is None


def test_a_workspace_that_was_given_stays_open():
    """Whoever opened it closes it."""
    with regulars.open() as ws:
        with UserAnalyticsMetricsService(ws) as service:
            service.track_event("ada", "like")
        assert ws.active_users().rows[-1]["active_users"] == 1


def test_everything_returned_is_ready_for_json(house):
    """Dictionaries of plain values."""
    house.did("ada", "03-01", "03-02")
    service = house.service
    service.record_nps_response("ada", 9)
    service.create_ab_test("checkout")
    service.assign_ab_variant("checkout", "ada")
    answers = [
        service.get_engagement_metrics(), service.get_conversion_metrics(), service.get_retention_metrics(),
        service.get_conversion_metrics("like -> like"), service.analyze_cohort("2026-03-01"), service.calculate_nps(),
        service.get_ab_test_results("checkout"), service.get_segments(),
    ]  # fmt: skip
    for answer in answers:
        assert json.loads(json.dumps(answer)) == answer


@pytest.mark.parametrize("name", ["summary", "engagement", "conversion"])
def test_reports_are_those_of_the_command_line(house, name):
    """The same bytes as the report generator gives."""
    from regulars.interfaces.reports import generate  # noqa: PLC0415 -- heavy

    house.did("ada", "02-10", "03-01")
    report = house.reopen().generate_report(name, "md", title="Shop")
    assert report == generate(house.ws, name, "md", title="Shop")
    assert report == getattr(house.service.reports, f"generate_{name}_report")("md", title="Shop")
    assert report.startswith(b"# ")


def test_a_report_that_does_not_exist_is_refused(memory):
    """By name or by form."""
    for given, code in ((("sumry",), "unknown_report"), (("summary", "doc"), "unknown_format")):
        with pytest.raises(UnknownNameError) as found:
            memory.service.generate_report(*given)
        assert found.value.code == code


def test_eight_threads_lose_nothing_and_double_nothing(house):
    """While numbers are asked for."""
    service, errors = house.service, []

    def work(number):
        try:
            for turn in range(25):
                user = number * 5 + turn % 5 + 1
                service.track_event(user, "like", event_name=f"{number}-{turn}")
                if turn % 10 == number:
                    service.get_engagement_metrics()
        except Exception as exc:  # noqa: BLE001 -- told below
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    service = house.reopen()
    found = service.get_engagement_metrics()
    assert (found["dau"], found["new_users"]) == (40, 40)
    names = [event.event_name for user in range(1, 41) for event in service.events.get_user_events(user)]
    assert sorted(names) == sorted(f"{number}-{turn}" for number in range(8) for turn in range(25))


def test_sessions_of_many_threads_end_once(house):
    """Whoever is second is told so."""
    session_id, told = house.service.start_session("ada"), []

    def end():
        try:
            told.append(house.service.end_session(session_id).status)
        except QueryError as exc:
            told.append(exc.code)

    threads = [threading.Thread(target=end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["ended"] + ["session_ended"] * 7
    kinds = [event.event_type for event in house.reopen().events.get_session_events(session_id)]
    assert kinds == ["session_start", "session_end"]


CHILD = """
import sys, threading
import regulars
service = regulars.UserAnalyticsMetricsService(regulars.open(sys.argv[1]))
lock = threading.Lock()
def work(number):
    turn = 0
    while True:
        turn += 1
        name = f"{sys.argv[2]}-{number}-{turn}"
        service.track_event(number + 1, "like", event_name=name, timestamp="2026-03-02T09:00:00Z")
        with lock:
            sys.stdout.write(name + "\\n")
            sys.stdout.flush()
        if number == 0 and turn % 20 == 0:
            service.get_engagement_metrics("2026-03-02")
for number in range(8):
    threading.Thread(target=work, args=(number,)).start()
"""


def test_a_killed_process_has_lost_nothing_that_it_was_told_is_kept(tmp_path):
    """Three times in a row, at different moments; what was being written may be there, once."""
    folder, told = regulars.init(tmp_path / "shop"), set()
    for run, lines in enumerate((40, 150, 260)):
        command = [sys.executable, "-c", CHILD, str(folder), str(run)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603 -- our own
            told |= {child.stdout.readline().strip() for _ in range(lines)}
            child.send_signal(signal.SIGKILL)
            # What was told before the signal arrived is in the pipe still; a line may be cut off.
            rest = child.stdout.read().split("\n")[:-1]
            told |= set(rest)
    with regulars.open(folder, clock=lambda: datetime(2026, 3, 2, 12, tzinfo=UTC)) as ws:
        service = UserAnalyticsMetricsService(ws)
        names = [event.event_name for user in range(1, 9) for event in service.events.get_user_events(user)]
        assert len(names) == len(set(names))
        assert told <= set(names)
        assert len(set(names) - told) <= 3 * 8
        found = service.get_engagement_metrics()
        assert (found["dau"], found["new_users"]) == (8, 8)
        audit = ws.journal_audit()
        assert (audit.backlog, audit.loaded) == (0, len(names))


def test_a_session_outlives_the_process_that_began_it(tmp_path):
    """Also one that was killed."""
    folder = regulars.init(tmp_path / "shop")
    code = (
        "import sys, os, signal, regulars\n"
        "service = regulars.UserAnalyticsMetricsService(regulars.open(sys.argv[1]))\n"
        "print(service.start_session('ada'), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == -signal.SIGKILL
    with regulars.open(folder) as ws:
        service = UserAnalyticsMetricsService(ws)
        assert service.sessions.get_active_session("ada").session_id == done.stdout.strip()
        assert service.end_session(done.stdout.strip()).status == "ended"


def test_a_reader_may_ask_but_not_write(tmp_path):
    """A workspace opened read-only refuses with the way out."""
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder) as ws:
        UserAnalyticsMetricsService(ws).track_event("ada", "like")
    with regulars.open(folder, read_only=True) as ws:
        service = UserAnalyticsMetricsService(ws)
        assert service.get_engagement_metrics()["dau"] == 1
        for write in (lambda: service.track_event("ada", "like"), lambda: service.record_nps_response("ada", 9)):
            with pytest.raises(regulars.RegularsError, match="read-only"):
                write()
