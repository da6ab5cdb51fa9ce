"""What settings may say about checks, and how a report is read."""

from __future__ import annotations

from datetime import datetime

import pytest

from regulars.domain.quality.catalogue import CHECKS, FAMILIES, checks_after_import
from regulars.domain.quality.record import SEVERITIES, Look
from regulars.domain.quality.report import CheckResult, QualityReport
from regulars.errors import SettingsError
from regulars.settings import Settings

NOW = datetime(2026, 3, 12, 12)


def result(name: str, severity: str = "error", status: str = "failed", **more: object) -> CheckResult:
    return CheckResult(check=name, title=name, severity=severity, status=status, **more)  # type: ignore[arg-type]


def test_every_check_says_what_it_is_and_what_to_do() -> None:
    """Names are unique, words end as sentences do, a limit says what it limits, a share has its whole."""
    assert len(CHECKS) == sum(map(len, FAMILIES.values()))
    for name, check in CHECKS.items():
        assert check.name == name
        assert check.words.endswith(".")
        assert not check.fix.endswith(".")
        assert check.severity in SEVERITIES
        assert check.needs
        assert (check.limit is None) == (check.limit_words == "")
        assert check.judge == "count" or 0 <= check.threshold < 1


def test_the_cheap_checks_run_after_an_import() -> None:
    """As settings leave them."""
    assert [check.name for check in checks_after_import({})] == [n for n, check in CHECKS.items() if check.is_cheap]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[checks.late_event]", "checks.late_event: no check has this name, did you mean 'late_events'?"),
        ("[checks.Late]\nsql = 'SELECT 1'", "must be lower-case letters, digits and _"),
        ("[checks.late_events]\nsql = 'SELECT 1'", "a shipped check has its own SQL"),
        ("[checks.late_events]\nevents = ['login']", "a shipped check has its own SQL"),
        ("[checks.late_events]\nthreshold = -1", "threshold must be a number from 0 on, not -1"),
        ("[checks.late_events]\nthreshold = nan", "threshold must be a number from 0 on, not nan"),
        ("[checks.late_events]\nlimit = inf", "limit must be a finite number, not inf"),
        ("[checks.late_events]\nseverity = 'fatal'", "Invalid enum value 'fatal'"),
        ("[checks.late_events]\ntreshold = 1", "did you mean 'checks[...].threshold'?"),
        ("[checks.own]\nsql = 'DELETE FROM loads'", "checks.own: only one SELECT is allowed here"),
        ("[checks.own]\nsql = 'SELECT * FROM nowhere'", "checks.own: unknown table 'nowhere'"),
        ("[checks.own]\nsql = 'SELECT 1'\nevents = ['login']", "give sql, or a number of events per day, not both"),
        ("[checks.own]\nsql = 'SELECT 1'\nlimit = 1", "limit, property and after_import belong to shipped checks"),
        ("[checks.own]\nat_least_per_day = 3\nat_most_per_day = 2", "at_least_per_day 3 is above at_most_per_day 2"),
        ("[checks.own]\nevents = ['login']", "a check of your own has sql, or at_least_per_day"),
        ("[ranges.rating]", "a range has at_least, at_most, or both, as finite numbers"),
        ("[ranges.rating]\nat_most = inf", "a range has at_least, at_most, or both, as finite numbers"),
        ("[ranges.rating]\nat_least = 2\nat_most = 1", "at_least 2 is above at_most 1"),
        ('[ranges."user.age"]\nat_most = 99', "ranges.user.age: ranges are about event properties"),
        ("[ranges.rating]\nleast = 2", "did you mean 'ranges[...].at_least'?"),
    ],
)
def test_a_mistake_in_settings_is_answered_in_one_line(text: str, reason: str) -> None:
    """With the section and what is allowed."""
    with pytest.raises(SettingsError) as error:
        Settings.from_toml(text)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["[checks.late_events]\nenabled = false", "[checks.own]\nat_most_per_day = 9"])
def test_changes_and_own_checks_are_taken(text: str) -> None:
    """A shipped check by its name, an own one by what it looks for; neither makes stored rows doubtful."""
    assert Settings.from_toml(text).definitions() == Settings().definitions()


def test_a_report_names_what_is_gravest_first() -> None:
    """And is fine up to a severity."""
    report = QualityReport(
        NOW,
        "check",
        (
            result("b", "info"),
            result("c", "warning"),
            result("a", "warning"),
            result("d", status="passed", count=0, whole=0),
            result("e", status="skipped", reason="why"),
        ),
    )
    assert [each.check for each in report.failed] == ["c", "a", "b"]
    assert [each.check for each in report.passed] == ["d"]
    assert [each.check for each in report.skipped] == ["e"]
    assert (report.ok(), report.ok("warning"), report.ok("info")) == (True, False, False)
    assert report.summary() == "2 warnings, 1 info, 1 passed, 1 skipped"
    assert report["e"].reason == "why"
    assert report["d"].share is None
    with pytest.raises(KeyError):
        report["f"]


def test_a_look_without_days_has_no_history() -> None:
    """There are no complete days before the first one is over."""
    assert Look(now=NOW).complete_days() == 0
    assert Look(now=NOW, first_day=NOW.date()).complete_days() == 0
    assert Look(now=NOW, first_day=NOW.date(), through=NOW.date()).complete_days() == 1
