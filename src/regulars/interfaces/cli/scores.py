"""Net promoter scores as people read them: the score of the range, its three groups, then period by period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.surveys import score_change
from regulars.interfaces.cli.answer import footing, heading, show_series
from regulars.interfaces.cli.cells import BAR
from regulars.interfaces.cli.slices import show_slices
from regulars.interfaces.cli.words import bar, count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.domain.inference.nps import NpsChange
    from regulars.domain.result import Result
    from regulars.interfaces.cli.screen import Screen

_GROUPS = {"promoters": "9-10", "passives": "7-8", "detractors": "0-6"}
_CLEAR = 0.05


def show_scores(
    result: Result, screen: Screen, *, before: Result | None = None, every_row: bool = False, quiet: bool = False
) -> None:
    """Print the scores; ``before`` is the range to compare with, ``quiet`` leaves out what is around the numbers."""
    if not quiet:
        for line in heading(result):
            screen.line(line)
        screen.line()
    if not result.rows:
        screen.line("no rows: " + ("; ".join(result.warnings) or "nobody answered in this range"))
        return
    for total in result.averages:
        _show_total(total, result, screen)
    if before is not None:
        for place, _, _, moved in changes(before, result):
            screen.line(f"{_named(place)}{_change_in_words(moved)}", style="bold")
        screen.line()
    if result.query.breakdown:
        show_slices(result, screen)
    else:
        show_series(result, screen, every_row=every_row)
    if not quiet:
        for line in footing(result):
            screen.line(line, style="dim")


def changes(before: Result, after: Result) -> Iterator[tuple[str, dict[str, Any], dict[str, Any], NpsChange]]:
    """The change of each slice that stands in both, by its name."""
    known = {_place(total, before): total for total in before.averages}
    for total in after.averages:
        place = _place(total, after)
        if place in known and "other" not in total["flags"]:
            yield place, known[place], total, score_change(known[place], total)


def _place(total: dict[str, Any], result: Result) -> str:
    if "other" in total["flags"]:
        return "other"
    return " / ".join(str(total[name]) for name in result.query.breakdown)


def _named(place: str) -> str:
    return f"{place}: " if place else ""


def _show_total(total: dict[str, Any], result: Result, screen: Screen) -> None:
    """The score with its interval, and a bar for each group."""
    place, answers = _named(_place(total, result)), count(total["responses"], "answer")
    if total["nps"] is None:
        screen.line(f"{place}no score: nobody answered", style="bold")
        screen.line()
        return
    reach = "" if total["low"] is None else f" (95 % from {total['low']:+.1f} to {total['high']:+.1f})"
    screen.line(f"{place}NPS {total['nps']:+.1f}{reach}, {answers}", style="bold")
    screen.grid(
        [("", "left"), ("score", "left"), ("answers", "right"), ("share", "right"), ("", "left")],
        (
            [
                name, scores, f"{total[name]:,}", f"{total[name] / total['responses']:.1%}",
                bar(total[name], total["responses"], BAR),
            ]
            for name, scores in _GROUPS.items()
        ),
    )  # fmt: skip
    screen.line()


def _change_in_words(moved: NpsChange) -> str:
    if moved.difference is None:
        return "no change to tell: nobody answered in one of the ranges"
    if moved.p_value is None or moved.low is None or moved.high is None:
        return f"{moved.difference:+.1f} points; everybody answered alike, so chance cannot be judged"
    verdict = "more than chance explains" if moved.p_value < _CLEAR else "no more than chance explains"
    reach = f"95 % from {moved.low:+.1f} to {moved.high:+.1f}, p {moved.p_value:.3f}"
    return f"{moved.difference:+.1f} points since then ({reach}): {verdict}"
