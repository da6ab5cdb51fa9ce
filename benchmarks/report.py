"""The file of a run, and the table in the documentation that is made from all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from benchmarks.records import measurement_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.records import Measurement, Sample

BEGIN: Final = "<!-- benchmark results: begin -->"
END: Final = "<!-- benchmark results: end -->"
_NOTHING: Final = "\N{EN DASH}"
_VERSIONS: Final = {
    "python": "Python", "duckdb": "DuckDB", "clickhouse": "ClickHouse", "regulars": "Regulars",
}  # fmt: skip
_ORDER: Final = ("XS", "S", "M", "L")


def write_result(path: Path, head: dict[str, Any], measurements: Sequence[dict[str, Any]]) -> None:
    """Write the file of a run in the place of the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**head, "measurements": list(measurements)}, indent=2) + "\n", encoding="utf-8")


def write_table(page: Path, results: Path) -> None:
    """Put the table of all result files between the two markers of a page."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} needs the lines {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{tables(results)}{END}{after}", encoding="utf-8")


def tables(results: Path) -> str:
    """One Markdown section per result file, in the order of size."""
    files = [results / f"{size}.json" for size in _ORDER if (results / f"{size}.json").exists()]
    sections = [_section(json.loads(file.read_text(encoding="utf-8"))) for file in files]
    return "\n".join(sections) if sections else "No results yet.\n"


def _section(run: dict[str, Any]) -> str:
    machine = run["machine"]
    versions = ", ".join(f"{title} {machine[name]}" for name, title in _VERSIONS.items())
    lines = [
        f"### Size {run['size']}: {run['events']:,} events",
        "",
        f"{run['date']}: {machine['cores']} cores, {machine['memory_gb']} GB of memory; {versions}.",
        "",
        "| | Work | Regulars | Peer | Ratio | Target |",
        "|---|---|---|---|---|---|",
        *(_line(measurement_of(stored)) for stored in run["measurements"]),
        "",
    ]
    return "\n".join(lines)


def _line(one: Measurement) -> str:
    peer = f"{one.peer.name}: {_shown(one.peer, one.unit)}" if one.peer else _NOTHING
    means = "x faster" if one.sense == "at least" else "x its time"
    ratio = f"{one.ratio:,.1f} {means}" if one.ratio is not None else _NOTHING
    return f"| {one.id} | {one.what} | {_shown(one.regulars, one.unit)} | {peer} | {ratio} | {_target(one)} |"


def _target(one: Measurement) -> str:
    if one.target is None:
        return _NOTHING
    unit = f" {one.unit}" if one.peer is None else " x"
    return f"{one.target.sense} {one.target.limit:g}{unit}: {'met' if one.met else '**not met**'}"


def _shown(sample: Sample, unit: str) -> str:
    return f"{_number(sample.median)} {unit} ({_number(sample.min)} to {_number(sample.max)}, {sample.runs} runs)"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
