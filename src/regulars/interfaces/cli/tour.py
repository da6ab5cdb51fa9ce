"""The tour of the demo: a product made up, loaded, and asked the first questions."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from regulars.domain.report import ImportReport
    from regulars.domain.result import Result
    from regulars.synthetic.generate import GeneratedData, GeneratorOptions
    from regulars.workspace import Workspace

_DAYS, _WEEKS, _WITHIN, _LISTED = 30, 8, 14, 5
_FUNNEL = ("login", "course_enroll", "quiz_attempt", "payment_success")


@dataclass(frozen=True)
class Tour:
    """Everything the demo made, loaded and asked, with the seconds that each part took."""

    folder: Path
    options: GeneratorOptions
    data: GeneratedData
    imports: tuple[ImportReport, ...]
    answers: dict[str, Result]
    seconds: dict[str, float]


def take_tour(folder: Path, options: GeneratorOptions) -> Tour:
    """Make a workspace and data, load them, and ask the questions."""
    import regulars  # noqa: PLC0415 -- its heavy parts load on first use
    from regulars.synthetic.generate import generate  # noqa: PLC0415

    clock = [time.perf_counter()]
    regulars.init(folder)
    data = generate(options, folder / "data" / "raw", "parquet")
    clock.append(time.perf_counter())
    with regulars.open(folder) as ws:
        imports = (ws.load(str(data.users)), ws.load(str(data.events)))
        clock.append(time.perf_counter())
        answers = ask(ws)
    clock.append(time.perf_counter())
    parts = ("generate", "load", "ask")
    seconds = {name: round(clock[i + 1] - clock[i], 3) for i, name in enumerate(parts)}
    return Tour(folder, options, data, imports, answers, seconds)


def ask(ws: Workspace) -> dict[str, Result]:
    """The questions of the tour, all about the last complete days."""
    last = ws.metric("dau").complete_through
    if last is None:
        return {}
    recent: dict[str, Any] = {"start": _before(last, _DAYS - 1), "end": last}
    begun: dict[str, Any] = {"start": _before(last, _DAYS + _WITHIN - 1), "end": _before(last, _WITHIN)}
    weeks: dict[str, Any] = {"start": _before(last, 7 * _WEEKS), "end": last, "grain": "week"}
    return {
        "dau": ws.metric("dau", **recent),
        "wau": ws.metric("wau", **recent),
        "mau": ws.metric("mau", **recent),
        "stickiness": ws.metric("stickiness", **recent),
        "lifecycle": ws.metric("lifecycle", **weeks),
        "retention": ws.metric("retention", horizon=_WEEKS, **weeks),
        "mau_by_country": ws.metric("mau", by="country", **recent),
        "mau_by_plan": ws.metric("mau", by="plan", **recent),
        "mau_by_tenure": ws.metric("mau", by="tenure_band", **recent),
        "tiers": ws.metric("tiers", with_risk=True, start=last, end=last),
        "funnel": ws.metric("funnel", steps=list(_FUNNEL), within=f"{_WITHIN} days", **begun),
        "churn_risk": ws.metric("churn_risk", start=last, end=last),
        "likely_to_leave": ws.metric("churn_risk", show="people", top=_LISTED, start=last, end=last),
    }


def _before(day: date, days: int) -> date:
    return day - timedelta(days=days)
