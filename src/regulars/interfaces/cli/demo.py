"""``regulars demo``: a made-up product through the real import path, and what Regulars says about it."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regulars.interfaces.cli.options import FOLDER

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.report import ImportReport
    from regulars.domain.result import Result
    from regulars.synthetic.generate import GeneratedData, GeneratorOptions
    from regulars.workspace import Workspace

_DAYS, _WEEKS = 30, 8


@dataclass(frozen=True)
class Tour:
    """Everything the demo made, loaded and asked, with the seconds that each part took."""

    folder: Path
    options: GeneratorOptions
    data: GeneratedData
    imports: tuple[ImportReport, ...]
    answers: dict[str, Result]
    seconds: dict[str, float]


@click.command()
@click.argument("folder", type=FOLDER, metavar="[DIR]", required=False)
@click.option("--users", type=int, default=2000, show_default=True, help="How many users.")
@click.option("--days", type=int, default=120, show_default=True, help="How many days of events.")
@click.option("--seed", type=int, default=42, show_default=True, help="Same seed, same product.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="Text for people, JSON for programs.",
)  # fmt: skip
def demo(folder: Path | None, users: int, days: int, seed: int, form: str) -> None:
    """Make up a product, load it like your own data, and show what Regulars finds.

    The data is synthetic: an online school whose users sign up, learn, pay and leave. The workspace is made in
    DIR, or in a new temporary folder, and stays there for you to try questions on.

    \b
    Example:
      regulars demo
      regulars demo shop --users 20000 --days 365
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    from regulars.synthetic.generate import GeneratorOptions  # noqa: PLC0415 -- it loads the database library

    options = GeneratorOptions(n_users=users, days=days, seed=seed, signups="growing")
    tour = take_tour(folder or Path(tempfile.mkdtemp(prefix="regulars-demo-")), options)
    if form == "json":
        from regulars.interfaces.cli.demo_story import as_json  # noqa: PLC0415 -- one of two forms

        click.echo(as_json(tour))
    else:
        from regulars.interfaces.cli.demo_story import tell  # noqa: PLC0415 -- rich is for people only
        from regulars.interfaces.cli.screen import Screen  # noqa: PLC0415

        with Screen() as screen:
            tell(tour, screen)


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
    weeks: dict[str, Any] = {"start": _before(last, 7 * _WEEKS), "end": last, "grain": "week"}
    return {
        "dau": ws.metric("dau", **recent),
        "wau": ws.metric("wau", **recent),
        "mau": ws.metric("mau", **recent),
        "stickiness": ws.metric("stickiness", **recent),
        "new_vs_returning": ws.metric("new_vs_returning", **weeks),
        "mau_by_country": ws.metric("mau", by="country", **recent),
        "mau_by_plan": ws.metric("mau", by="plan", **recent),
        "mau_by_tenure": ws.metric("mau", by="tenure_band", **recent),
    }


def _before(day: date, days: int) -> date:
    return day - timedelta(days=days)
