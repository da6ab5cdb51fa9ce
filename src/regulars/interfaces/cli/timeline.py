"""``regulars timeline``: one person, newest events first."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

import click

from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import WORDS, quiet_option, report_option, workspace_option
from regulars.interfaces.cli.words import count

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.domain.timeline import Moment, Profile, Timeline
    from regulars.interfaces.cli.screen import Screen


@click.command()
@click.argument("user_id", type=WORDS)
@click.option("--limit", type=int, default=50, show_default=True, help="How many events, newest first.")
@report_option
@workspace_option
@quiet_option
def timeline(user_id: str, limit: int, form: str, workspace: Path | None, *, quiet: bool) -> None:
    """Show one person: ids, attributes, tier, and the newest events by session.

    Times are those of the workspace's time zone.

    \b
    Examples:
      regulars timeline user_4711 -w shop
      regulars timeline user_4711 --limit 500 --format json
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    with open_workspace(workspace, read_only=True) as ws:
        found = ws.timeline(user_id, limit=limit)
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode(found))
        return
    from regulars.interfaces.cli.screen import Screen  # noqa: PLC0415 -- rich is for people only

    with Screen() as screen:
        if not quiet:
            _show_profile(found.profile, screen)
        _show_events(found, screen)


def _show_profile(profile: Profile, screen: Screen) -> None:
    screen.line(profile.user_id, style="bold")
    others = ", ".join(profile.ids[1:])
    days = f"{profile.first_day} to {profile.last_day}" if profile.active_days else "never active"
    facts = {
        "also known as": others,
        "population": profile.population,
        "tier": profile.tier.replace("_", " "),
        "active": f"{days}, {count(profile.active_days, 'active day')}",
        "did": f"{count(profile.actions, 'action')} in {count(profile.sessions, 'session')}",
        "registered": str(profile.registration_date or ""),
        "born": str(profile.birth_date or ""),
        **profile.attributes,
    }
    shown = {name: text for name, text in facts.items() if text}
    width = max(map(len, shown))
    for name, text in shown.items():
        screen.line(f"  {name:<{width}}  {text}")


def _show_events(found: Timeline, screen: Screen) -> None:
    for start, events in groupby(found.events, key=lambda moment: moment.session_start):
        screen.line()
        screen.line(f"session of {start:%Y-%m-%d %H:%M}" if start else "outside sessions", style="dim")
        for moment in events:
            screen.line(f"  {moment.at:%Y-%m-%d %H:%M:%S}  {moment.action}{_about(moment)}")


def _about(moment: Moment) -> str:
    place = [moment.name, moment.feature, moment.context, moment.platform, moment.country]
    own = json.dumps(moment.properties, ensure_ascii=False) if moment.properties else None
    return "".join(f"  {part}" for part in (*place, own) if part)
