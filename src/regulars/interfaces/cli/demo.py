"""``regulars demo``: a made-up product through the real import path, and what Regulars says about it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from regulars.interfaces.cli.options import FOLDER
from regulars.interfaces.cli.tour import take_tour


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
