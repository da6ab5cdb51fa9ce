"""Ask the questions of a report, and put its words, numbers and charts together; nothing here knows a layout."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from regulars.application.reports.conversion import kinds_question, likely_steps
from regulars.application.reports.parts import MARKS, Answered, Exhibit, KeyNumber, Report, Term
from regulars.application.reports.words import DASH, counted, day, days, listed
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from regulars.application.reports.parts import Declaration, Figure, Quote, Section
    from regulars.application.reports.scope import Scope
    from regulars.domain.query import Filter, Query
    from regulars.domain.result import Result

    Ask = Callable[[Query], Result]

_FIGURES = "figures"
_COMPARED = (
    "A window of days is compared with the window before it, a single day with the same weekday a week before, and a "
    "period with the one of equal length before it. Counts change by percent, shares by percentage points. Days that "
    "are not over, and windows that begin before the data, are never compared."
)


def compose(declared: Declaration, scope: Scope, ask: Ask, *, product: str) -> Report:
    """A report about a scope; ``ask`` answers one question, and every number comes from there.

    A section that has nothing to show keeps its heading, and says why.

    Raises:
        QueryError: A condition or breakdown that was chosen has no meaning here; the message says why.
    """
    if not scope.has_data:
        return _without(declared, scope, product)
    # Conditions and breakdowns that cannot be asked at all are refused before anything else is asked.
    first = ask(scope.periods("active_users", 1))
    for name in scope.chosen.by:
        ask(scope.periods("active_users", 1, breakdown=(name,)))
    scope = _with_steps(declared, scope, ask)
    once = _asked_once(ask)
    figures = [each for i, one in enumerate(declared.figures) if (each := _figure(f"{_FIGURES}.{i}", one, scope, once))]
    sections = [_section(section, scope, once) for section in declared.sections(scope)]
    asked = {name: result for name, _, result in figures}
    asked |= {f"{one.key}.{name}": result for one in sections for name, result in one.answers.items()}
    return Report(
        declared.name,
        declared.title,
        product,
        scope.label,
        _lede(scope, first),
        tuple(number for _, number, _ in figures),
        tuple(sections),
        _terms(scope, first, asked.values()),
        {name: result.query for name, result in asked.items()},
    )


def empty(declared: Declaration, product: str) -> Report:
    """The report of a workspace without data."""
    return Report(declared.name, declared.title, product, "", "", (), (), (), {}, "The workspace has no data yet.")


def _without(declared: Declaration, scope: Scope, product: str) -> Report:
    covered = scope.coverage
    known = f"they reach from {day(covered.first_day, year=True)} to {day(covered.watermark, year=True)}"
    period = days(scope.first, scope.last, year=True)
    return Report(
        declared.name, declared.title, product, period, "", (), (), (), {}, f"There are no data in these days: {known}."
    )  # fmt: skip


def _with_steps(declared: Declaration, scope: Scope, ask: Ask) -> Scope:
    """For a report about conversion without given steps, the likely ones."""
    if declared.name != "conversion" or scope.chosen.steps:
        return scope
    people = {
        row["event.action"]: row["users"] for row in ask(kinds_question(scope)).rows if "other" not in row["flags"]
    }
    return replace(scope, chosen=replace(scope.chosen, steps=likely_steps(people, scope.actions)))


def _figure(name: str, figure: Figure, scope: Scope, ask: Ask) -> tuple[str, KeyNumber, Result] | None:
    """A key number; none where the data have nothing that it could be taken from."""
    try:
        result = ask(figure.ask(scope))
    except QueryError:
        return None  # the section about it says why
    if not result.rows:
        return None
    quote = figure.quote(scope, result)
    return name, KeyNumber(figure.label, _named(quote, name)), result


def _named(quote: Quote, name: str) -> Quote:
    origin = quote.cell.origin
    return replace(quote, cell=replace(quote.cell, origin=replace(origin, answer=name) if origin else None))


def _section(section: Section, scope: Scope, ask: Ask) -> Answered:
    reason = section.refuse(scope)
    if reason:
        return Answered(section.key, section.heading, reason=reason)
    try:
        answers = {name: ask(query) for name, query in section.ask(scope).items()}
    except QueryError as exc:
        # What was chosen is known to exist; only what a section asks for by itself can be missing.
        reason = section.absent if exc.code == "unknown_property" else f"This cannot be asked here: {exc.message}."
        return Answered(section.key, section.heading, reason=reason)
    bare = [result for result in answers.values() if not result.rows]
    if bare:
        words = "; ".join(bare[0].warnings) or "nobody did this in these days"
        return Answered(section.key, section.heading, reason=f"Nothing to show: {words}.")
    table = section.table(scope, answers)
    if section.absent and [row[0].text for row in table.rows] == ["(none)"]:
        return Answered(section.key, section.heading, reason=section.absent)
    exhibit = section.exhibit if table.rows else Exhibit("none")
    # A remark about empty values is for tables that show some; the rest is told at the end of the report.
    is_full = all(cell.text != DASH for row in table.rows for cell in row)
    notes = () if is_full else _notes(answers.values())
    return Answered(section.key, section.heading, section.finding(scope, answers), "", table, exhibit, answers, notes)


def _notes(results: Iterable[Result]) -> tuple[str, ...]:
    """What else to know about answers, each thing once."""
    found = dict.fromkeys(warning for result in results for warning in result.warnings)
    return tuple(f"{text[:1].upper()}{text[1:]}." for text in found)


def _lede(scope: Scope, result: Result) -> str:
    query = result.query
    parts = [f"{query.population.capitalize()} users", f"days in {result.timezone}", _complete(scope)]
    parts += [f"where {listed([_condition(one) for one in query.filters])}"] if query.filters else []
    return " · ".join(parts)


def _complete(scope: Scope) -> str:
    covered = scope.coverage
    if covered.complete_through < covered.first_day:
        return f"{day(covered.watermark, year=True)}, the only day with data, is not over yet"
    over = f"complete through {day(covered.complete_through, year=True)}"
    if covered.complete_through == covered.watermark:
        return over
    return f"{over}; {day(covered.watermark, year=True)} is not over yet"


def _condition(condition: Filter) -> str:
    if condition.property is None:
        joined = " and " if condition.all else " or "
        return f"({joined.join(_condition(member) for member in condition.members())})"
    value = condition.value
    words = "" if value is None else f" ({', '.join(map(str, value))})" if isinstance(value, tuple) else f" {value}"
    return f"{condition.property} {condition.op.replace('_', ' ')}{words}"


def _terms(scope: Scope, first: Result, results: Iterable[Result]) -> tuple[Term, ...]:
    """How to read the report: days, people, comparisons, marks, and the definition of every metric in it."""
    covered, people = scope.coverage, first.population
    results = list(results)
    left_out = [counted(n, f"{kind} user") for kind, n in people.get("excluded", {}).items() if n]
    used = {metric.split(". ")[0]: metric for metric in dict.fromkeys(result.definition for result in results)}
    terms = [
        Term("Days", f"Calendar days in {covered.timezone}; {_complete(scope)}. The data begin on "
                     f"{day(covered.first_day, year=True)}."),
        Term("People", f"{counted(people.get('total', 0), 'person', 'people')} were active in the period; left out: "
                       f"{listed(left_out) if left_out else 'nobody'}. Activity: {first.query.activity} actions. "
                       "Everybody is counted exactly."),
        Term("Comparisons", _COMPARED),
        *(Term(mark, f"{flag.replace('_', ' ').capitalize()}: {words}.") for flag, (mark, words) in MARKS.items()
          if any(flag in row["flags"] for result in results for row in result.rows)),
    ]  # fmt: skip
    funnel = next((result for result in results if result.query.metric == "funnel"), None)
    if funnel is not None:
        steps = " \N{RIGHTWARDS ARROW} ".join(dict.fromkeys(row["name"] for row in funnel.rows))
        terms.append(Term("Steps", f"{steps}, within {scope.chosen.within}."))
    told = " ".join(_notes(results))
    terms += [Term("Notes", told)] if told else []
    return (*terms, *(Term(title, text.removeprefix(f"{title}. ")) for title, text in sorted(used.items())))


def _asked_once(ask: Ask) -> Ask:
    """Sections that share a question share its answer."""
    known: dict[bytes, Result] = {}

    def once(query: Query) -> Result:
        key = msgspec.json.encode(query)
        if key not in known:
            known[key] = ask(query)
        return known[key]

    return once
