# ruff: noqa: INP001 -- a script, not a package
"""The reference pages that are made from the code: ``python docs/_generate.py`` writes them."""

from __future__ import annotations

import json
import re
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec
from _conventions import convention_page
from _exports import exports_page
from _meanings import EXAMPLE, MEANINGS
from _notebook import NOTEBOOK, notebook
from _tables import table
from _worked import MOST_ROWS, WORKED, answer, log_rows, workspace

from regulars import errors
from regulars.domain.metrics import ALIASES, METRICS
from regulars.domain.quality.catalogue import FAMILIES
from regulars.domain.query import MAX_WINDOW
from regulars.domain.schema import TABLES, Table
from regulars.domain.views import VIEWS
from regulars.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.domain.metrics.options import Option
    from regulars.domain.metrics.record import Metric
    from regulars.domain.quality.record import Check
    from regulars.domain.result import Result

HERE = Path(__file__).parent
SCHEMA = "regulars.schema.json"
SOURCE = HERE.parent / "src" / "regulars"

SCHEMA_HEAD = (
    "Every table and view of a workspace, for `regulars sql` and `Workspace.sql`. Times are UTC; a *day* is a "
    "calendar day in the workspace's time zone. Keys are dense numbers that join tables; ids are what the product "
    "sent. One row of a table is what its *grain* names."
)
METRICS_HEAD = (
    "What each metric counts, its columns, and what it can be asked. [](definitions.md) holds the ideas behind "
    "them. Every result also has the columns of its breakdown, and `flags`: `incomplete`, `warming_up`, `truncated`, "
    "`other`."
)
SETTINGS_HEAD = (
    "`regulars.toml` in the folder of a workspace. Every key is optional, an unknown one is an error that names "
    "the nearest. A changed definition is followed at once: until the next `regulars refresh`, answers come from "
    "raw events, carry the warning `stale_rollups`, and are slower but exact. `NAME` is the action, activity, "
    "cohort, segment, check or property that a section is about. A cohort or segment has one rule: a group (`all`, "
    "`any`, `not`) or one condition, with further rules inside a group; [](definitions.md) says how they are judged."
)
QUALITY_HEAD = """\
A number is as good as the rows it is made of. `regulars check` looks at them: rows that were refused or repeated,
people, times, values, unusual days, sessions, and whether everything stored adds up.

```console
$ regulars check -w shop
$ regulars check data/raw --fail-on warning
```

```python
report = ws.check()
report.ok()  # no check of severity error failed
report["late_events"].count
```

What failed comes first, with the count, a few rows and the next step. The exit code is 1 when a check of severity
`error` failed (`--fail-on` moves the bar), so that it can stand as a gate in any pipeline. A check that cannot judge
is *skipped* and says why: too little history, no such column, stored rows older than the settings. A check of your own
that cannot be run has failed.

- **In the workspace**, counts are kept in the table `check_results`, run by run, for anybody who wants to see how they
  developed. Samples name people, so they are shown and never stored.
- **After every import** the cheap checks, marked below, look at what the import brought, in one statement: some ten
  milliseconds of processor time, 1 % of an import of a hundred thousand events, 4 % of one that adds a single event.
  `check = false` under `[import]` switches them off, `after_import` of a check adds or removes one.
- **In files**: with a path, a file or a folder that `regulars generate` or `regulars prepare` wrote, or any events and
  users, everything is loaded into memory, checked, and forgotten; `-w` gives the settings. A table `user_daily` is
  compared with the events beside it.
- **Before a report**: `ws.check(occasion="report")` runs the same and keeps the results as those of a report.

## Settings

Every check can be changed in `regulars.toml`: `severity`, `threshold`, `limit` (see below), `since` (older events, days
and imports are known and not looked at again), or `enabled = false`. `[ranges.NAME]` declares what values a property
of events may have, for the check `out_of_range`.

A check of your own is a SELECT of bad rows, which may read what `regulars sql` may, or a number of events that is
expected on every complete day:

```toml
[checks.late_events]
threshold = 0.05                # 5 % are fine here
limit = 48                      # hours

[checks.orders_without_amount]
description = "Orders must have an amount"
fix = "ask the shop team"
sql = '''
SELECT event_id, day FROM fact_user_actions JOIN dim_actions USING (action_key)
WHERE action_type = 'purchase' AND json_extract_string(action_metadata, '$.amount') IS NULL
'''

[checks.web_orders_arrive]
events = ["purchase"]
where = [{ property = "event.source", op = "=", value = "web" }]
at_least_per_day = 1
severity = "warning"

[ranges.rating]
at_least = 1
at_most = 5
```
"""
ERRORS_HEAD = (
    "Every error is a `RegularsError` and also what Python calls it. The message says what is wrong, which value, "
    "what is allowed and what to do; `code` is stable and meant for programs, `fields` holds the values in the "
    "message, `exit_code` is what the command line returns."
)
ANSWERS_HEAD = (
    "What is refused over HTTP before it reaches the workspace has a status and a code of its own; every other error "
    "keeps the code that it has in Python, with status 400, or 503 where the database or the journal fails."
)


# --- star-schema.md ---------------------------------------------------------------------------------------

ROLES = {
    "dimension": "Dimensions",
    "fact": "Facts: appended to, never changed",
    "derived": "Derived: follows from the facts, `regulars rebuild` makes it anew",
    "record": "Records of the workspace itself",
}


def star_schema() -> str:
    """Tables by role, then views."""
    parts = [
        "# Star schema",
        SCHEMA_HEAD,
    ]
    for role, title in ROLES.items():
        parts += [f"## {title}", *(_stored(one) for one in TABLES if one.role == role)]
    parts.append("## Views: the same facts, written out")
    for view in VIEWS:
        parts += [f"### {view.name}", f"{view.description}.", f"```sql\n{view.sql}\n```"]
    return "\n\n".join(parts)


def _stored(one: Table) -> str:
    rows = ((f"`{c.name}`", c.type, "" if c.nullable else "always", c.description) for c in one.columns)
    return f"### {one.name}\n\nGrain: {one.grain}.\n\n{table(('Column', 'Type', 'Set', 'Meaning'), rows)}"


# --- metrics.md -------------------------------------------------------------------------------------------

EXAMPLES = {
    "active_users": ('ws.active_users(window=28, by="country")', "active_users --window 28 --by country"),
    "new_vs_returning": ('ws.new_vs_returning(grain="week")', "new_vs_returning --grain week"),
    "stickiness": ('ws.stickiness(method="mean", grain="month")', "stickiness -o method=mean --grain month"),
    "stickiness_by_cohort": (
        'ws.stickiness_by_cohort(start="2026-03-02")',
        "stickiness_by_cohort --start 2026-03-02 -o cohort=active",
    ),
    "active_days": ('ws.active_days(window=28, by="plan")', "active_days --window 28 --by plan"),
    "lifecycle": ('ws.lifecycle(grain="week", by="plan")', "lifecycle --grain week --by plan"),
    "retention": (
        'ws.retention(grain="week", start_event="sign_up", return_event="core")',
        "retention --grain week -o kind=on_or_after -o horizon=8",
    ),
    "tiers": ('ws.tiers(with_risk=True, grain="month")', "tiers -o with_risk=true --grain month"),
    "tier_transitions": (
        'ws.tier_transitions(start="2026-03-01", end="2026-03-31")',
        "tier_transitions --start 2026-03-01 --end 2026-03-31",
    ),
    "sessions": ('ws.sessions(grain="week", by="session.type")', "sessions --grain week --by session.type"),
    "actions": ('ws.actions(weighted=True, by="action")', "actions -o weighted=true --by action"),
    "cohort_size": ('ws.cohort_size(by="segment", grain="week")', "cohort_size --by segment --grain week"),
    "paths": ('ws.paths(unit="user", gap="2 hours", steps=4)', "paths -o to_event=purchase -o steps=4"),
    "depth": ('ws.depth(grain="week", by="plan")', "depth --grain week --by plan"),
    "churn_risk": ('ws.churn_risk(show="people", top=20)', "churn_risk -o show=people -o top=20"),
    "usage_interval": ('ws.usage_interval(by="plan")', "usage_interval --by plan"),
    "feature_adoption": ('ws.feature_adoption(28, by="plan")', "feature_adoption --window 28 --by plan"),
    "onboarding": (
        'ws.onboarding("video_watch -> quiz_attempt", days=14)',
        "onboarding -o 'milestones=video_watch -> quiz_attempt' -o days=14",
    ),
    "revenue": ('ws.revenue(grain="month", by="plan")', "revenue -o cohort_age=month"),
    "survival": ('ws.survival(by="plan", start="2026-01-01")', "survival --by plan --start 2026-01-01"),
    "funnel": (
        'ws.funnel("login -> video_watch -> quiz_attempt", within="2 days")',
        "funnel -o 'steps=login -> video_watch -> quiz_attempt' -o 'within=2 days'",
    ),
    "funnel_trend": (
        'ws.funnel_trend("login -> quiz_attempt", within="1 day", grain="week")',
        "funnel_trend -o 'steps=login -> quiz_attempt' -o 'within=1 day' --grain week",
    ),
    "time_to_convert": (
        'ws.time_to_convert("login -> quiz_attempt", within="1 day", bins=[60, 3600])',
        "time_to_convert -o 'steps=login -> quiz_attempt' -o 'within=1 day' -o bins=60,3600",
    ),
    "nps": ('ws.nps(grain="month", by="plan")', "nps --grain month --by plan"),
    "experiment": (
        'ws.experiment("checkout", event="purchase", variants="CONTROL=1, VARIANT_A=1")',
        "experiment -o experiment=checkout -o event=purchase -o measure=count",
    ),
    "conversion_rate": ('ws.conversion_rate(window=28, by="plan")', "conversion_rate --window 28 --by plan"),
}


WORKED_HEAD = (
    "The examples below are about these five people, in UTC. A search is one of the feature `finder`; the number after "
    "a purchase is its amount."
)


def metrics() -> str:
    """The catalogue."""
    with workspace() as ws:
        worked = {name: _worked(*answer(ws, name)) for name in WORKED}
    parts = [
        "# Metrics",
        METRICS_HEAD,
        table(
            ("Short name", "Is"),
            ((f"`{n}`", f"`{m}` with a window of {w} day{'s' if w > 1 else ''}") for n, (m, w) in ALIASES.items()),
        ),
        WORKED_HEAD,
        table(("Who", "Plan", "Day", "What"), log_rows()),
        *(_metric(metric, worked[metric.name]) for metric in METRICS.values()),
    ]
    return "\n\n".join(parts)


def _worked(typed: str, result: Result, told: str) -> str:
    """One question about the small log: what was typed, the rows, and a cell of them taken apart."""
    names = [*(column.name for column in result.columns), "flags"]
    rows = [[_shown(row[name]) for name in names] for row in result.rows[:MOST_ROWS]]
    more = len(result.rows) - MOST_ROWS
    parts = [f"```python\n{typed}\n```", table((f"`{name}`" for name in names), rows)]
    parts += [f"... and {more} more rows."] if more > 0 else []
    parts += [f"```text\n{told.rstrip()}\n```"] if told else []
    return "\n\n".join(parts)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _metric(metric: Metric, worked: str) -> str:
    columns = ((f"`{c.name}`", c.type, c.unit, c.description) for c in metric.columns)
    python, command = EXAMPLES.get(metric.name, (f'ws.metric("{metric.name}")', metric.name))
    takes = [f"grains {', '.join(metric.grains)}"]
    takes += [f"a `window` of 1 to {MAX_WINDOW} days"] if metric.takes_window else []
    takes += ["a `calendar` period: week, month, quarter, year"] if metric.takes_calendar else []
    parts = [
        f"## {metric.name}",
        metric.definition,
        f"Takes {'; '.join(takes)}. Practice: {metric.source[0].lower()}{metric.source[1:]}.",
        table(("Column", "Type", "Unit", "Meaning"), columns),
    ]
    if metric.options:
        rows = ((f"`{o.name}`", _allowed(o), _word(o.default), o.description) for o in metric.options)
        parts.append(table(("Option", "Allowed", "Default", "Meaning"), rows))
    parts += [f"```python\n{python}\n```", f"```console\n$ regulars metric {command}\n```"]
    return "\n\n".join([*parts, f"### Worked example: {metric.name.replace('_', ' ')}", worked])


def _allowed(option: Option) -> str:
    if option.largest:
        return f"{option.smallest} to {option.largest}"
    return option.form or ", ".join(_word(choice) for choice in option.choices)


def _word(value: object) -> str:
    return "none" if value is None else f"`{str(value).lower()}`"


# --- settings.md ------------------------------------------------------------------------------------------


def settings() -> str:
    """Every key of regulars.toml."""
    rows = [(f"`{key}`", kind, default, MEANINGS[key]) for key, kind, default in settings_keys()]
    return "\n\n".join(
        (
            "# Settings",
            SETTINGS_HEAD,
            table(("Key", "Type", "Default", "Meaning"), rows),
            "## An example of everything",
            f"```toml\n{EXAMPLE.rstrip()}\n```",
        )
    )


def settings_keys() -> Iterator[tuple[str, str, str]]:
    """Every key with its type and default, single keys first, then the sections."""
    sections = {field.encode_name: _record(field.type) for field in msgspec.structs.fields(Settings)}
    yield from (field for field in _fields(Settings) if sections[field[0]] is None)
    for field in msgspec.structs.fields(Settings):
        record = sections[field.encode_name]
        if record is not None:
            prefix = f"{field.encode_name}.NAME" if field.type is not record else field.encode_name
            yield from ((f"{prefix}.{name}", kind, default) for name, kind, default in _fields(record))


def _record(kind: Any) -> type[msgspec.Struct] | None:
    """The record of a section: the type itself, or what a table of named ones holds."""
    records = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    return records[0] if records and get_origin(kind) is not tuple else None


def _fields(record: type[msgspec.Struct]) -> Iterator[tuple[str, str, str]]:
    for field in msgspec.structs.fields(record):
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        yield field.encode_name, _type(field.type), "" if default in (None, ()) else f"`{_toml(default)}`"


def _type(kind: Any) -> str:
    inner = get_args(kind)
    words = {str: "text", date: "date", int: "whole number", float: "number", bool: "true or false", type(None): ""}
    if kind in words:
        return words[kind]
    if inner and all(isinstance(each, str) for each in inner):
        return "one of " + ", ".join(inner)
    if get_origin(kind) is tuple:
        return "list of " + {str: "texts", tuple[str, str]: "pairs of texts"}.get(inner[0], "conditions")
    return next(filter(None, map(_type, inner)), "section")


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


# --- errors.md --------------------------------------------------------------------------------------------


def error_page() -> str:
    """The tree, its classes, and every code."""
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RegularsError)
    ]
    tree = (errors.__doc__ or "").partition("::\n\n")[2].partition("\n\nEach")[0]
    rows = ((f"`{k.__name__}`", f"`{k.default_code}`", k.exit_code, _first_line(k)) for k in classes)
    codes = sorted({*_codes_in_source(), *(kind.default_code for kind in classes)})
    return "\n\n".join(
        (
            "# Errors",
            ERRORS_HEAD,
            "```text\n" + "\n".join(line[4:] for line in tree.splitlines()) + "\n```",
            table(("Class", "Default code", "Exit code", "Meaning"), rows),
            "## Codes",
            "A case of its own has a code of its own; all others have the default code of their class.",
            ", ".join(f"`{code}`" for code in codes) + ".",
            "## Answers of a server",
            ANSWERS_HEAD,
            table(("Status", "Codes"), _codes_of_answers()),
        )
    )


def _codes_of_answers() -> list[tuple[str, str]]:
    found = re.findall(r"RefusedError\(\s*(\d{3}),\s*\"([a-z_]+)\"", _source())
    return [
        (status, ", ".join(f"`{code}`" for code in sorted({code for each, code in found if each == status})))
        for status in sorted({status for status, _ in found})
    ]


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


def _codes_in_source() -> set[str]:
    # Only calls that raise have a keyword of this name.
    return set(re.findall(r"\bcode=\"([a-z_]+)\"", _source()))


def _source() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py")))


# --- data-quality.md --------------------------------------------------------------------------------------


def quality() -> str:
    """Every check: what it looks for, when it fails, what to do."""
    parts = ["# Data quality", QUALITY_HEAD.rstrip(), "## The checks"]
    for family, checks in FAMILIES.items():
        parts.append(f"### {family}")
        parts += [_check(check) for check in checks]
    return "\n\n".join(parts)


def _check(check: Check) -> str:
    above = f"{100 * check.threshold:g} % of the whole" if check.judge == "share" else f"{check.threshold:g}"
    facts = [f"Fails with more than {above}" if check.threshold else "Fails with any"]
    if check.limit is not None:
        facts.append(f"`limit` {check.limit:g}: {check.limit_words}")
    if check.property is not None:
        facts.append(f"`property` {check.property}")
    if check.is_cheap:
        facts.append("runs after every import")
    fix = check.fix[0].upper() + check.fix[1:]
    return (
        f"`{check.name}` ({check.severity}): **{check.title}.** {check.words}\n"
        f": {'; '.join(facts)}.\n: *What to do:* {fix}."
    )


# --- regulars.schema.json ---------------------------------------------------------------------------------


def schema() -> str:
    """The JSON Schema of regulars.toml, each key with its meaning."""
    found = msgspec.json.schema(Settings)
    records = found["$defs"]
    for record in records.values():
        record["description"] = record.get("description", "").partition("\n")[0]
    for key, meaning in MEANINGS.items():
        *section, name = key.split(".")
        _record_of(section, records)["properties"][name]["description"] = meaning.replace("`", "")
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **found}, indent=1) + "\n"


def _record_of(section: list[str], records: dict[str, Any]) -> dict[str, Any]:
    if not section:
        return records["Settings"]  # type: ignore[no-any-return] # a schema is plain JSON
    found = records["Settings"]["properties"][section[0]]
    found = found.get("additionalProperties", found)
    return records[found["$ref"].rpartition("/")[2]]  # type: ignore[no-any-return] # same


PAGES = {
    "conventions.md": convention_page,
    "data-quality.md": quality,
    "star-schema.md": star_schema,
    "metrics.md": metrics,
    "settings.md": settings,
    "errors.md": error_page,
    "import-keys.md": exports_page,
}


def page(name: str) -> str:
    """The text of one page."""
    return f"<!-- Made by docs/_generate.py; change the code instead. -->\n\n{PAGES[name]()}\n"


if __name__ == "__main__":
    for each in PAGES:
        (HERE / each).write_text(page(each), encoding="utf-8")
        sys.stdout.write(f"{each}\n")
    (HERE / SCHEMA).write_text(schema(), encoding="utf-8")
    sys.stdout.write(f"{SCHEMA}\n")
    (HERE / NOTEBOOK).write_text(notebook(HERE), encoding="utf-8")
    sys.stdout.write(f"{NOTEBOOK}\n")
