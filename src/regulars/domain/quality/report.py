"""What a run of the checks found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from regulars.domain.quality.record import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from regulars.domain.quality.record import Judge, Severity

Status = Literal["passed", "failed", "skipped"]
Occasion = Literal["check", "import", "report"]


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One check and what it found.

    ``count`` of ``whole`` ``noun`` are at fault (``whole`` is None where a check of one's own does not say of how
    many). The check fails when the count, or the share, is above ``threshold``. ``reason`` says why a check was
    skipped, or could not be run. ``sample`` holds a few rows of ``columns`` for people to look at; it is never stored.
    """

    check: str
    title: str
    severity: Severity
    status: Status
    reason: str | None = None
    count: int | None = None
    whole: int | None = None
    noun: str = ""
    judge: Judge = "count"
    threshold: float = 0.0
    columns: tuple[str, ...] = ()
    sample: tuple[tuple[Any, ...], ...] = ()
    words: str = ""
    fix: str = ""

    @property
    def share(self) -> float | None:
        """The count over the whole; None where there is no whole.

        >>> CheckResult(check="x", title="X", severity="info", status="passed", count=1, whole=4).share
        0.25
        """
        return None if self.count is None or not self.whole else self.count / self.whole


@dataclass(frozen=True)
class QualityReport:
    """The results of one run, in the order of the catalogue. ``run_id`` names it in ``check_results``, if it is kept.

    >>> QualityReport(checked_at=None, occasion="check", results=()).ok()
    True
    """

    checked_at: datetime
    occasion: Occasion
    results: tuple[CheckResult, ...]
    run_id: int | None = None

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """What failed, errors first."""
        found = (result for result in self.results if result.status == "failed")
        return tuple(sorted(found, key=lambda result: SEVERITIES.index(result.severity)))

    @property
    def skipped(self) -> tuple[CheckResult, ...]:
        """What could not be judged, and why, in ``reason``."""
        return tuple(result for result in self.results if result.status == "skipped")

    @property
    def passed(self) -> tuple[CheckResult, ...]:
        """What is fine."""
        return tuple(result for result in self.results if result.status == "passed")

    def ok(self, fail_on: Severity = "error") -> bool:
        """Whether no check of this severity, or a graver one, failed."""
        grave: Collection[str] = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
        return not any(result.severity in grave for result in self.failed)

    def __getitem__(self, name: str) -> CheckResult:
        """The result of one check by its name."""
        return {result.check: result for result in self.results}[name]

    def summary(self) -> str:
        """The run in one line.

        >>> QualityReport(checked_at=None, occasion="check", results=()).summary()
        '0 passed'
        """
        counts = Counter(result.severity for result in self.failed)
        parts = [
            f"{counts[severity]} {severity if counts[severity] == 1 or severity == 'info' else severity + 's'}"
            for severity in SEVERITIES
            if counts[severity]
        ]
        parts += [f"{len(self.passed)} passed"] + ([f"{len(self.skipped)} skipped"] if self.skipped else [])
        return ", ".join(parts)
