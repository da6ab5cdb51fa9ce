"""The tables in the documentation, made from the files of all sizes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from benchmarks.growth import HIGHEST_EXPONENT, growth_of
from benchmarks.records import measurement_of
from benchmarks.store import read_results

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.growth import Growth
    from benchmarks.records import Measurement, Sample

BEGIN: Final = "<!-- benchmark results: begin -->"
END: Final = "<!-- benchmark results: end -->"
_NOTHING: Final = "\N{EN DASH}"
_VERSIONS: Final = {
    "python": "Python", "duckdb": "DuckDB", "clickhouse": "ClickHouse", "regulars": "Regulars",
}  # fmt: skip


def write_table(page: Path, results: Path) -> None:
    """Put the tables of all result files between the two markers of a page."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} needs the lines {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{tables(results)}{END}{after}", encoding="utf-8")


def tables(folder: Path) -> str:
    """One Markdown section per result file, in the order of size, and one about growth where there are several."""
    results = read_results(folder)
    sections = [_section(result) for result in results]
    if grown := list(growth_of(results)):
        sections.append(_growth_section([result["size"] for result in results], grown))
    return "\n".join(sections) if sections else "No results yet.\n"


def _section(result: dict[str, Any]) -> str:
    lines = [
        f"### Size {result['size']}: {result['events']:,} events",
        "",
        *(_run(run, alone=len(result["runs"]) == 1) for run in result["runs"]),
        "",
        "| | Work | Regulars | Peer | Ratio | Target |",
        "|---|---|---|---|---|---|",
        *(_line(measurement_of(stored)) for stored in result["measurements"]),
        "",
    ]
    return "\n".join(lines)


def _run(run: dict[str, Any], *, alone: bool) -> str:
    machine = run["machine"]
    versions = ", ".join(f"{title} {machine[name]}" for name, title in _VERSIONS.items())
    told = f"{run['date']}: {machine['cores']} cores, {machine['memory_gb']} GB of memory; {versions}."
    return told if alone else f"- {', '.join(run['workloads'])}: {told}"


def _growth_section(sizes: Sequence[str], grown: Sequence[Growth]) -> str:
    steps = list(pairwise(sizes))
    head = ["", "Work", *(f"{one} to {two}" for one, two in steps), "Overall", "Target"]
    lines = [
        "### Growth",
        "",
        "Time grows with this power of the events in the log; 1 is in proportion to them.",
        "",
        f"| {' | '.join(head)} |".replace("|  |", "| |"),
        "|---" * len(head) + "|",
        *(_growth_line(one, steps) for one in grown),
        "",
    ]
    return "\n".join(lines)


def _growth_line(one: Growth, steps: Sequence[tuple[str, str]]) -> str:
    found = (f"{one.steps[step]:.2f}" if step in one.steps else _NOTHING for step in steps)
    target = f"at most {HIGHEST_EXPONENT:g}: {_verdict(met=one.met)}"
    return f"| {' | '.join((one.id, one.what, *found, f'{one.overall:.2f}', target))} |"


def _line(one: Measurement) -> str:
    peer = f"{one.peer.name}: {_shown(one.peer, one.unit)}" if one.peer else _NOTHING
    means = "x faster" if one.sense == "at least" else "x its time"
    ratio = f"{_quotient(one.ratio)} {means}" if one.ratio is not None else _NOTHING
    return f"| {one.id} | {one.what} | {_shown(one.regulars, one.unit)} | {peer} | {ratio} | {_target(one)} |"


def _target(one: Measurement) -> str:
    if one.target is None:
        return _NOTHING
    target, unit = one.target, f" {one.unit}" if one.peer is None else " x"
    figure = "p95 " if target.figure == "p95" else ""
    other = "" if target.or_at_most is None else f" or {target.or_at_most:g} {one.unit}"
    return f"{figure}{target.sense} {target.limit:g}{unit}{other}: {_verdict(met=one.met)}"


def _verdict(*, met: bool | None) -> str:
    return "met" if met else "**not met**"


def _shown(sample: Sample, unit: str) -> str:
    p95 = "" if sample.p95 is None else f"p95 {_number(sample.p95)}, "
    return f"{_number(sample.median)} {unit} ({p95}{_number(sample.min)} to {_number(sample.max)}, {sample.runs} runs)"


def _quotient(value: float) -> str:
    return f"{value:,.1f}" if value >= 1 else f"{value:.2g}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
