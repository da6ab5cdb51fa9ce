"""What the demo tells: the numbers of the tour, for people and as JSON."""

from __future__ import annotations

import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Any

from regulars.interfaces.cli.cells import complete, last_row, main_column, marks, number, trend
from regulars.interfaces.cli.slices import slices
from regulars.interfaces.cli.triangle import show_triangle
from regulars.interfaces.cli.words import bar, count, seconds

if TYPE_CHECKING:
    from regulars.domain.result import Result
    from regulars.interfaces.cli.screen import Screen
    from regulars.interfaces.cli.tour import Tour

_BAR = 28


def tell(tour: Tour, screen: Screen) -> None:
    """Print the tour; it fits a tall terminal."""
    _made(tour, screen)
    if not tour.answers:
        screen.line("There is no complete day yet, so there is nothing to tell.")
        return
    _activity(tour.answers, screen)
    _growth(tour.answers["lifecycle"], screen)
    _cohorts(tour.answers["retention"], screen)
    for name in ("mau_by_country", "mau_by_plan", "mau_by_tenure"):
        _slices(tour.answers[name], screen)
    _tiers(tour.answers["tiers"], screen)
    _funnel(tour.answers["funnel"], screen)
    _risk(tour.answers["churn_risk"], tour.answers["likely_to_leave"], screen)
    _next_steps(tour, screen)


def as_json(tour: Tour) -> bytes:
    """The same numbers for programs."""
    import msgspec  # noqa: PLC0415 -- only this form needs it

    found: dict[str, Any] = {
        "workspace": str(tour.folder),
        "options": tour.options.as_json(),
        "generated": {"users": tour.data.user_count, "events": tour.data.event_count},
        "imports": [
            {
                name: getattr(report, name)
                for name in ("source", "kind", "rows_read", "loaded", "duplicates", "rejected")
            }
            for report in tour.imports
        ],
        "seconds": tour.seconds,
        "answers": {name: result.to_mapping() for name, result in tour.answers.items()},
    }
    return msgspec.json.encode(found)


def _made(tour: Tour, screen: Screen) -> None:
    people, days = count(tour.options.n_users, "user"), count(tour.options.days, "day")
    screen.line("A product that does not exist", style="bold")
    seed, first = tour.options.seed, tour.options.start_date
    screen.line(f"An online school, made up with seed {seed}: {people}, {days} from {first}.")
    screen.line()
    for report in tour.imports:
        screen.line(
            f"  {report.source:<15}{report.rows_read:>10,} rows read = {report.loaded:,} loaded"
            f" + {report.duplicates:,} known already + {report.rejected:,} rejected"
        )
    took = tour.seconds
    screen.line(
        f"  made in {seconds(took['generate'])}, checked and loaded in {seconds(took['load'])},"
        f" all questions below answered in {seconds(took['ask'])}"
    )


def _activity(answers: dict[str, Result], screen: Screen) -> None:
    rows = answers["dau"].rows
    _title(f"How many are active?  {rows[0]['date']} to {rows[-1]['date']}, days in {answers['dau'].timezone}", screen)
    words = {
        "dau": "active on the day", "wau": "active within 7 days", "mau": "active within 30 days",
        "stickiness": "DAU/MAU: of the month's users, the share active on a day",
    }  # fmt: skip
    for name, meaning in words.items():
        result = answers[name]
        column, last = main_column(result), last_row(result.rows)
        head = "DAU/MAU" if name == "stickiness" else name.upper()
        value = number(last[column.name], column) + marks(last)
        screen.line(f"  {head:<8}{value:>7}  {trend(result.rows, column, 30):<31} {meaning}")


def _growth(result: Result, screen: Screen) -> None:
    rows = complete(result.rows)
    _title("Is it growing?  Active users per week: █ stayed, ▒ came back, ░ new; and who fell silent", screen)
    top = max((row["active_users"] for row in rows), default=0)
    for row in rows:
        drawn = bar(row["retained"], top, _BAR)
        for name, shade in (("resurrected", "▒"), ("new", "░")):
            drawn += shade * max(round(row[name] / (top or 1) * _BAR), int(row[name] > 0))
        screen.line(
            f"  {row['date']}  {row['active_users']:>6,} = {row['retained']:>6,} stayed + {row['resurrected']:>4,} back"
            f" + {row['new']:>4,} new{marks(row):<2} {-row['churned']:>6,} gone  {drawn}"
        )


def _cohorts(result: Result, screen: Screen) -> None:
    _title("Who comes back?  Of those who came first in a week, active in each week after it", screen)
    show_triangle(result, screen, every_row=True)


def _slices(result: Result, screen: Screen) -> None:
    found, column = slices(result), main_column(result)
    if not found:
        return
    top = max(one.last[column.name] for one in found)
    by = result.query.breakdown[0].replace("_", " ")
    _title(f"Active within {result.query.window} days, by {by}  on {found[0].last['date']}", screen)
    for one in found:
        value = number(one.last[column.name], column) + marks(one.last)
        drawn = bar(one.last[column.name], top, _BAR)
        screen.line(f"  {one.name:<21}{value:>7}  {drawn:<{_BAR}}  {trend(one.rows, column, 30)}")


def _tiers(result: Result, screen: Screen) -> None:
    top = max(row["users"] for row in result.rows)
    _title(f"How engaged are they?  Tiers by active days of the last 30, on {result.rows[-1]['date']}", screen)
    for row in result.rows:
        screen.line(f"  {row['tier']:<21}{row['users']:>7,}  {bar(row['users'], top, _BAR)}")


def _funnel(result: Result, screen: Screen) -> None:
    if not result.rows:
        return
    asked = result.query.range
    _title(f"Do they get there?  Within 14 days of a login, {asked.start} to {asked.end}", screen)
    top = result.rows[0]["users"]
    for row in result.rows:
        share = "" if row["conversion_from_first"] is None else f"{row['conversion_from_first']:.0%}"
        screen.line(f"  {row['name']:<21}{row['users']:>7,}{marks(row):<2}{share:>5}  {bar(row['users'], top, _BAR)}")


def _risk(levels: Result, people: Result, screen: Screen) -> None:
    found = {row["level"]: row["users"] for row in levels.rows}
    told = ", ".join(f"{found.get(level, 0):,} {level}" for level in ("high", "medium", "low"))
    _title(f"Who may leave?  Churn risk of the last 90 days' users: {told}", screen)
    for row in people.rows:
        # The points of each reason are in the metric itself.
        reasons = "; ".join(reason.partition(" (")[0] for reason in row["reasons"].split("; "))
        screen.line(f"  {row['user_id']:<21}{row['risk']:>7.1f}  {reasons}")


def _next_steps(tour: Tour, screen: Screen) -> None:
    program, folder = program_name(), shlex.quote(str(tour.folder))
    _title(f"Your turn: it is all in {tour.folder}", screen)
    for step in (
        f"{program} metric active_users --window 28 --by country -w {folder}",
        f"{program} metric stickiness --where \"plan = 'paid'\" --grain week -w {folder}",
        f"{program} metric retention --grain week -o kind=on_or_after --by plan -w {folder}",
        f'{program} funnel login "quiz_attempt where feature is not null" --by country -w {folder}',
        f"{program} explain lifecycle --grain week --column churned -w {folder}",
        f"{program} metric mau --sql -w {folder}",
        f'{program} sql "SELECT action_type, count(*) AS n FROM fact_user_activity GROUP BY ALL" -w {folder}',
    ):
        screen.line(f"  {step}")
    screen.line("And with your own events:")
    screen.line(f"  {program} init shop --timezone Europe/Berlin && {program} import events.csv -w shop")


def _title(text: str, screen: Screen) -> None:
    screen.line()
    screen.line(text, style="bold")


def program_name() -> str:
    """How this program is called from the shell that called it."""
    called = sys.argv[0]
    if called.endswith("__main__.py"):
        return "python -m regulars"
    return "regulars" if shutil.which("regulars") or not called.endswith("/regulars") else shlex.quote(called)
