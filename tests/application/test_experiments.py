"""The life of an experiment: written down, started, changed, stopped, archived; who gets what; what came of it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from regulars.domain.inference.assignment import Allocation, assign
from regulars.errors import EventError, QueryError, UnknownNameError, UnsupportedError
from regulars.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from regulars.workspace import Workspace


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, **time: float) -> None:
        """Let some time pass."""
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    """Noon on the first of January."""
    return Clock()


@pytest.fixture
def ws(clock: Clock) -> Iterator[Workspace]:
    """An empty workspace with that clock."""
    with regulars.open(clock=clock) as opened:
        yield opened


def test_an_experiment_lives_from_draft_to_archive(ws: Workspace, clock: Clock) -> None:
    """Each step once, and in this order."""
    experiments = ws.experiments
    made = experiments.create("checkout", hypothesis="fewer steps")
    assert (made.status, made.design.seed, made.design.hash_version, made.design.hypothesis) == (
        "draft", "checkout", 2, "fewer steps",
    )  # fmt: skip
    clock.later(hours=1)
    assert experiments.start("checkout").phase.started_at == clock.now.replace(tzinfo=None)
    clock.later(hours=1)
    stopped = experiments.stop("checkout")
    assert (stopped.status, stopped.phase.stopped_at) == ("stopped", clock.now.replace(tzinfo=None))
    assert experiments.archive("checkout").status == "archived"
    assert [one.name for one in experiments.all()] == ["checkout"]
    for step, word in ((experiments.start, "started"), (experiments.stop, "stopped"), (experiments.archive, "archived"),
                       (experiments.change, "changed")):  # fmt: skip
        with pytest.raises(QueryError, match=f"is archived; only one that is .* can be {word}") as found:
            step("checkout")
        assert found.value.code == "wrong_status"


def test_of_many_who_make_the_same_experiment_at_once_one_does(ws: Workspace) -> None:
    done: list[str] = []

    def make(number: int) -> None:
        try:
            ws.experiments.create("checkout", hypothesis=f"that of {number}")
        except QueryError as exc:
            done.append(exc.code)
        else:
            done.append("made")

    threads = [threading.Thread(target=make, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["experiment_exists"] * 5 + ["made"]


def test_people_get_variants_only_while_it_runs_and_always_the_same(ws: Workspace) -> None:
    """Those of the hash, which SDKs in other languages share."""
    experiments = ws.experiments
    experiments.create("checkout", {"CONTROL": 3, "VARIANT_A": 1}, coverage=0.5, forced={"me": "VARIANT_A"})
    assert experiments.assign("checkout", "u1") == (None, "not_running", None)
    experiments.start("checkout")
    allocation = Allocation("checkout", weights=(0.75, 0.25), coverage=0.5)
    for number in range(200):
        expected = assign(allocation, f"u{number}")
        found = experiments.assign("checkout", f"u{number}")
        assert (found.variant, found.reason, found.bucket) == (expected.variant, expected.decision, expected.bucket)
    assert experiments.assign("checkout", "me").reason == "forced"
    assert experiments.assign("checkout", "").reason == "no_id"
    experiments.stop("checkout")
    assert experiments.assign("checkout", "me").reason == "not_running"


def test_what_deals_people_anew_opens_a_phase_and_the_rest_does_not(ws: Workspace, clock: Clock) -> None:
    """A draft changes in place; more coverage moves nobody, less of it does."""
    experiments = ws.experiments
    experiments.create("e")
    assert len(experiments.change("e", variants={"A": 1, "B": 1}, coverage=0.2).phases) == 1
    experiments.start("e", planned_size=10)
    assert len(experiments.change("e", coverage=0.5, hypothesis="x", planned_size=20, forced={"u": "A"}).phases) == 1
    clock.later(hours=1)
    changes: list[dict[str, Any]] = [
        {"coverage": 0.4}, {"seed": "again"}, {"variants": {"A": 3, "B": 1}}, {"variants": {"B": 1, "A": 3}},
        {"namespace": ("home", 0.0, 0.5)},
    ]  # fmt: skip
    for number, change in enumerate(changes, 2):
        changed = experiments.change("e", **change)
        assert (len(changed.phases), changed.status, changed.phases[-2].status) == (number, "running", "stopped")
        assert changed.phase.started_at == changed.phases[-2].stopped_at
    with pytest.raises(QueryError, match="is 2 for ever") as found:
        experiments.change("e", hash_version=1)
    assert found.value.code == "hash_version_is_fixed"
    experiments.stop("e")
    again = experiments.start("e", seed="third")
    assert (len(again.phases), again.design.seed, again.design.planned_size) == (7, "third", 20)


def test_results_are_about_one_phase(ws: Workspace, clock: Clock) -> None:
    """Exposures count from its start to its stop; the design says what is measured."""
    experiments = ws.experiments
    experiments.create("e", ["A", "B"], metric={"event": "purchase", "within": "1 days"}, planned_size=3,
                       guardrails=({"measure": "retention", "day": 1},))  # fmt: skip
    with pytest.raises(QueryError, match="has not been started") as found:
        experiments.results("e")
    assert found.value.code == "not_started"
    experiments.start("e")
    assert experiments.results("e").rows == []
    for user, variant in (("a", "A"), ("b", "B"), ("c", "B")):
        experiments.record_exposure("e", user, variant)
    clock.later(hours=2)
    experiments.record_conversion("b", "purchase", properties={"amount": 20})
    experiments.change("e", seed="other")
    clock.later(minutes=1)
    experiments.record_exposure("e", "d", "A")
    clock.later(days=3)
    ws.load([{"user_id": "z", "event_type": "like", "timestamp": "2026-01-04T12:00:00Z"}])
    first, second = experiments.results("e", phase=1), experiments.results("e")
    assert [(row["variant"], row["users"], row["converted"]) for row in first.rows] == [("A", 1, 0), ("B", 2, 1)]
    assert [(row["variant"], row["users"]) for row in second.rows] == [("A", 1), ("B", 0)]
    assert first.averages[0]["interval"] == "fixed"
    spent = experiments.results("e", phase=1, measure="sum", property="amount")
    assert [row["mean"] for row in spent.rows] == [0.0, 10.0]
    (kept,) = experiments.guardrails("e", phase=1)
    assert kept.query.options["measure"] == "retention"
    assert "event" not in kept.query.options
    with pytest.raises(QueryError, match="phases 1 to 2, not 3") as found:
        experiments.results("e", phase=3)
    assert found.value.code == "no_such_phase"


def test_an_exposure_is_logged_when_asked_for(ws: Workspace) -> None:
    """Of those who have a variant; another variant is refused."""
    experiments = ws.experiments
    experiments.create("e", coverage=0.5)
    experiments.start("e")
    shown = {n: experiments.assign("e", n, log=True).variant for n in range(20)}
    rows = dict(ws.sql("SELECT user_id, variant FROM fact_exposures").rows)
    assert rows == {str(n): variant for n, variant in shown.items() if variant}
    assert 0 < len(rows) < 20
    with pytest.raises(UnknownNameError, match="unknown variant 'B'"):
        experiments.record_exposure("e", "u", "B")
    with pytest.raises(EventError):
        experiments.record_exposure("e", "", "CONTROL")
    experiments.record_exposure("e", "u", "CONTROL", timestamp="2026-01-01T00:00:00+01:00")
    (at,) = ws.sql("SELECT exposed_at FROM fact_exposures WHERE user_id = 'u'").rows
    assert at == (datetime(2025, 12, 31, 23),)


def test_an_experiment_that_was_begun_elsewhere_keeps_its_times(ws: Workspace) -> None:
    """Not ahead of now, and in their order."""
    experiments = ws.experiments
    experiments.create("e")
    experiments.start("e", at="2025-12-01T00:00:00+00:00")
    stopped = experiments.stop("e", at=datetime(2025, 12, 15, tzinfo=UTC))
    assert (stopped.phase.started_at, stopped.phase.stopped_at) == (
        datetime(2025, 12, 1), datetime(2025, 12, 15),
    )  # fmt: skip
    for at in ("2026-01-02T00:00:00Z", "2025-12-14T00:00:00Z"):
        with pytest.raises(QueryError, match="must be from") as found:
            experiments.start("e", at=at)
        assert found.value.code == "bad_time"
    experiments.create("f")
    with pytest.raises(QueryError, match="no later than"):
        experiments.start("f", at="2026-01-02T00:00:00Z")


@pytest.mark.parametrize(
    ("name", "design", "code"),
    [
        ("bad name", {}, "bad_name"),
        ("e", {}, "experiment_exists"),
        ("x", {"variants": ["A"]}, "bad_option"),
        ("x", {"coverage": 2}, "bad_allocation"),
        ("x", {"coverage": "much"}, "bad_design"),
        ("x", {"colour": 1}, "bad_design"),
        ("x", {"metric": {"measure": "sum"}}, "bad_option"),
        ("x", {"metric": {"since": "2026-01-01T00:00:00Z"}}, "bad_option"),
        ("x", {"guardrails": ({"colour": 1},)}, "unknown_option"),
        ("x", {"forced": {"u": "C"}}, "unknown_name"),
    ],
)
def test_a_design_that_cannot_be_is_refused(ws: Workspace, name: str, design: dict[str, Any], code: str) -> None:
    """And nothing is written down."""
    ws.experiments.create("e")
    with pytest.raises(QueryError) as found:
        ws.experiments.create(name, **design)
    assert found.value.code == code
    assert [one.name for one in ws.experiments.all()] == ["e"]


def test_experiments_outlive_the_workspace_and_a_reader_cannot_change_them(tmp_path: Path) -> None:
    """They stand in a table of their own."""
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder) as ws:
        with pytest.raises(UnknownNameError, match="there are none yet"):
            ws.experiments.get("e")
        ws.experiments.create("e", {"A": 9, "B": 1})
        ws.experiments.start("e")
        expected = ws.experiments.get("e")
        ws.rebuild()
    with regulars.open(folder, read_only=True) as ws:
        assert ws.experiments.get("e") == expected
        assert ws.experiments.assign("e", "u1").variant in ("A", "B")
        with pytest.raises(UnknownNameError, match="did you mean 'e'"):
            ws.experiments.get("E")
        for verb in ("create", "change", "start", "stop", "archive"):
            with pytest.raises(UnsupportedError, match=f"to {verb}"):
                getattr(ws.experiments, verb)("e")


def test_days_of_a_phase_are_those_of_the_workspace(clock: Clock) -> None:
    """Noon in London is the next day in Auckland."""
    with regulars.open(settings=Settings(timezone="Pacific/Auckland"), clock=clock) as ws:
        ws.experiments.create("e")
        ws.experiments.start("e")
        assert str(ws.experiments.results("e").query.range.start) == "2026-01-02"


def test_a_person_who_is_erased_is_no_longer_forced_into_a_variant(ws: Workspace) -> None:
    """Their exposures go with their events; other people stay where they are."""
    ws.experiments.create("e", forced={"me": "VARIANT_A", "you": "CONTROL"})
    ws.experiments.create("f")
    ws.experiments.start("e")
    ws.experiments.assign("e", "me", log=True)
    ws.experiments.assign("e", "you", log=True)
    ws.erase("me")
    assert ws.experiments.get("e").design.forced == {"you": "CONTROL"}
    assert ws.experiments.get("f").design.forced == {}
    assert ws.sql("SELECT user_id FROM fact_exposures").rows == [("you",)]


def test_exposures_are_audited_against_the_hash(ws: Workspace, clock: Clock) -> None:
    """Of one phase, by the id that was sent, even if it belongs to somebody else by now."""
    experiments = ws.experiments
    experiments.create("e")
    with pytest.raises(QueryError, match="has not been started"):
        experiments.audit("e")
    experiments.start("e")
    for number in range(30):
        experiments.assign("e", f"u{number}", log=True)
    assert experiments.audit("e") == (30, ())
    other = {"CONTROL": "VARIANT_A", "VARIANT_A": "CONTROL"}[experiments.assign("e", "u1").variant or ""]
    experiments.record_exposure("e", "u1", other)
    assert experiments.audit("e") == (30, ("u1",))
    clock.later(hours=1)
    experiments.change("e", seed="again")
    assert experiments.audit("e") == (0, ())
    assert experiments.audit("e", phase=1).mismatches == ("u1",)
