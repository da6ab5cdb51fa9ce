"""An experiment as people read it: its variants against the control, then what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.interfaces.cli.answer import footing, heading
from regulars.interfaces.cli.cells import NONE, marks
from regulars.interfaces.cli.words import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.result import Result
    from regulars.interfaces.cli.screen import Screen, Side

Row = dict[str, Any]
_SHARES = ("proportion", "retention")
_SMALLEST = 0.001


def show_variants(result: Result, guardrails: Sequence[Result], screen: Screen, *, quiet: bool = False) -> None:
    """Print each slice's variants with lift, interval and p-value, and the verdicts below; then the guardrails."""
    if not quiet:
        for line in heading(result):
            screen.line(line)
        screen.line()
    if not result.rows:
        screen.line("no rows: " + ("; ".join(result.warnings) or "nobody saw a variant in this time"))
        return
    _show_arms(result, screen)
    for total in result.averages:
        screen.line(f"{_place(total, result)}{_whole(total)}")
    _say_verdicts(result, guardrails, screen)
    if not quiet:
        for line in footing(result):
            screen.line(line, style="dim")


def _say_verdicts(result: Result, guardrails: Sequence[Result], screen: Screen) -> None:
    for row in result.rows:
        if row["verdict"]:
            screen.line(f"{_place(row, result)}{row['variant']}: {row['verdict']}", style="bold")
    for rail in guardrails:
        measure = str(rail.query.options.get("measure", "proportion"))
        for row in rail.rows:
            if row["verdict"]:
                screen.line(f"guardrail {measure}, {row['variant']}: {row['verdict']}")


def _place(row: Row, result: Result) -> str:
    if not result.query.breakdown:
        return ""
    if "other" in row["flags"]:
        return "other: "
    return " / ".join(str(row[name]) for name in result.query.breakdown) + ": "


def _whole(total: Row) -> str:
    p_value = f" (p {_chance(total['srm_p_value'])})" if total["srm_p_value"] is not None else ""
    young = f"; the window of {count(total['immature'], 'user')} is not over" if total["immature"] else ""
    shown = "" if total["interval"] == "none" else f"; intervals: {total['interval']}"
    return f"{count(total['users'], 'user')}, split {total['split']}{p_value}{shown}{young}"


def _show_arms(result: Result, screen: Screen) -> None:
    is_share = result.query.options.get("measure", "proportion") in _SHARES
    by = list(result.query.breakdown)
    heads: list[tuple[str, Side]] = [*((name, "left") for name in by), ("variant", "left"), ("users", "right")]
    heads += [("converted", "right"), ("share" if is_share else "mean", "right"), ("", "left"), ("lift", "right")]
    heads += [("95 % interval", "left"), ("p", "right"), ("chance to win", "right")]
    screen.grid(heads, (_cells(row, by, is_share=is_share) for row in result.rows))


def _cells(row: Row, by: list[str], *, is_share: bool) -> list[str]:
    places = ["other" if "other" in row["flags"] else str(row[name]) for name in by]
    mean = NONE if row["mean"] is None else f"{row['mean']:.2%}" if is_share else f"{row['mean']:,.4g}"
    lift, reach = _lift(row, is_share=is_share)
    win = "" if row["chance_to_win"] is None else f"{row['chance_to_win']:.1%}"
    p_value = "" if row["p_value"] is None else _chance(row["p_value"])
    return [*places, row["variant"], f"{row['users']:,}", f"{row['converted']:,}", mean, marks(row), lift, reach,
            p_value, win]  # fmt: skip


def _lift(row: Row, *, is_share: bool) -> tuple[str, str]:
    """The lift with its interval; the difference where there is no lift."""
    if row["lift"] is not None and row["lift_low"] is not None and row["lift_high"] is not None:
        return f"{row['lift']:+.1%}", f"{row['lift_low']:+.1%} to {row['lift_high']:+.1%}"
    if row["difference"] is None:
        return "", ""
    form = "+.2%" if is_share else "+,.4g"
    if row["low"] is None or row["high"] is None:
        return f"{row['difference']:{form}}", NONE
    return f"{row['difference']:{form}}", f"{row['low']:{form}} to {row['high']:{form}}"


def _chance(value: float) -> str:
    return f"< {_SMALLEST:g}" if value < _SMALLEST else f"{value:.3f}"
