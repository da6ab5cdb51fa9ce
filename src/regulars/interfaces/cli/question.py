"""A question on the command line: the options that every metric takes, and what they mean together."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, get_args

import click

from regulars.domain.metrics import ALIASES, find_metric
from regulars.domain.query import CONVENTION_NAMES, Calendar, Grain, Population, query_from_json
from regulars.errors import UnknownNameError
from regulars.interfaces.cli.options import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from regulars.domain.metrics.record import Metric
    from regulars.domain.query import Query
    from regulars.workspace import Workspace

_QUESTION: dict[str, Callable[[Any], Any]] = {
    "by": click.option(
        "--by",
        multiple=True,
        type=WORDS,
        metavar="PROPERTY",
        help="Break down by a property, e.g. country; repeat it or separate by commas.",
    ),
    "where": click.option(
        "--where",
        multiple=True,
        type=WORDS,
        metavar="CONDITION",
        help="Only where this holds, e.g. \"plan = 'paid'\"; several must all hold.",
    ),
    "start": click.option("--start", type=WORDS, metavar="DAY", help="First day, as 2026-01-31.  [default: 90 days]"),
    "end": click.option("--end", type=WORDS, metavar="DAY", help="Last day.  [default: last day with data]"),
    "grain": click.option(
        "--grain",
        type=click.Choice(get_args(Grain)),
        default="day",
        show_default=True,
        help="One row per hour, day, week or month.",
    ),
    "every": click.option("--every", type=int, default=1, show_default=True, help="Units of the grain per row."),
    "anchor": click.option(
        "--anchor", type=WORDS, metavar="DAY", help="A day on which such a bucket begins.  [default: --start]"
    ),
    "window": click.option("--window", type=int, metavar="DAYS", help="Rolling window: active within so many days."),
    "calendar": click.option(
        "--calendar", type=click.Choice(get_args(Calendar)), help="Calendar period instead of a window."
    ),
    "activity": click.option(
        "--activity",
        type=WORDS,
        default="core",
        show_default=True,
        help="What counts as active: core, any, conversion, core_feature, or your own.",
    ),
    "population": click.option(
        "--population",
        type=click.Choice(get_args(Population)),
        default="production",
        show_default=True,
        help="Who is counted.",
    ),
    "limit": click.option(
        "--limit", type=int, default=12, show_default=True, help="Slices of a breakdown; the rest is 'other'."
    ),
    "as_of": click.option("--as-of", type=WORDS, metavar="DAY", help="Answer as if this were the last day with data."),
    "actor": click.option(
        "--actor",
        type=WORDS,
        default="user",
        show_default=True,
        metavar="PROPERTY",
        help="Who is counted: user, session, or a property such as account.",
    ),
    "convention": click.option(
        "--convention",
        type=click.Choice(CONVENTION_NAMES),
        default="regulars",
        show_default=True,
        help="Count as another tool does.",
    ),
    "options": click.option(
        "-o",
        "--option",
        "options",
        multiple=True,
        type=WORDS,
        metavar="KEY=VALUE",
        help="Option of the metric; 'regulars metrics NAME' lists them.",
    ),
}


def question_options(command: Any, names: Collection[str] = _QUESTION) -> Any:
    """The options of a question, or those of some names, for a command that asks one."""
    for name in reversed(_QUESTION):
        command = _QUESTION[name](command) if name in names else command
    return command


def asked(ws: Workspace, given: dict[str, Any]) -> Query:
    """The question that the options ask."""
    if given.get("query_file") is not None:
        return query_from_json(given["query_file"].read())
    name = given["name"]
    record = find_metric(ALIASES[name][0] if name in ALIASES else name)
    options: dict[str, Any] = metric_options(record, given["options"])
    return ws.question(
        name,
        by=[one for text in given["by"] for one in split_names(text)],
        where=given["where"],
        start=given["start"],
        end=given["end"],
        grain=given["grain"],
        every=given["every"],
        anchor=given["anchor"],
        window=given["window"],
        calendar=given["calendar"],
        activity=given["activity"],
        population=given["population"],
        limit=given["limit"],
        as_of=given["as_of"],
        convention=given["convention"],
        actor=given["actor"],
        **options,
    )


def split_names(text: str) -> list[str]:
    """Names separated by commas, which inside double quotes are part of a name.

    >>> split_names('country, "a,b"')
    ['country', '"a,b"']
    """
    return [part.strip() for part in re.findall(r'(?:"[^"]*"|[^,])+', text)] or [text]


def metric_options(record: Metric, texts: Sequence[str]) -> dict[str, object]:
    """``key=value`` texts as the values that the metric's record declares; it checks them itself."""
    found: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} must look like key=value", param_hint="'--option'")
        found[key] = _option_value(record, key, value)
    return found


def _option_value(record: Metric, key: str, value: str) -> object:
    option = next((option for option in record.options if option.name == key), None)
    if option is None:
        allowed = [option.name for option in record.options]
        raise UnknownNameError(f"option of {record.name}", key, allowed, code="unknown_option")
    if option.read is not None:
        return _json_or_text(key, value)
    if option.largest and re.fullmatch(r"[+-]?[0-9]{1,9}", value):
        return int(value)
    return next((choice for choice in option.choices if str(choice).lower() == value.lower()), value)


def _json_or_text(key: str, value: str) -> object:
    if not value.startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except ValueError as exc:
        raise click.BadParameter(f"{key}={value!r} is not valid JSON: {exc}", param_hint="'--option'") from None
