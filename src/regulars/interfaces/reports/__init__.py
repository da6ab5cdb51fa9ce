"""Reports to send to people: HTML, Markdown and PDF, from the same answers that every other face gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.application.query import read_context
from regulars.application.reports.compose import compose, empty
from regulars.application.reports.declarations import DECLARATIONS, declaration
from regulars.application.reports.scope import Chosen, Coverage, scope_of
from regulars.domain.metrics.funnel_options import DEFAULT_WITHIN
from regulars.errors import UnknownNameError
from regulars.questions import day_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.application.reports.parts import Report
    from regulars.domain.query import Filter, Population
    from regulars.questions import Day
    from regulars.workspace import Workspace

NAMES = tuple(DECLARATIONS)
FORMATS = ("html", "md", "pdf")
_UNNAMED = "Your product"


def answer(
    ws: Workspace,
    name: str,
    *,
    start: Day | None = None,
    end: Day | None = None,
    by: str | Sequence[str] = (),
    where: str | Filter | Sequence[str | Filter] = (),
    population: Population = "production",
    as_of: Day | None = None,
    steps: Sequence[object] = (),
    within: str = DEFAULT_WITHIN,
    title: str | None = None,
) -> Report:
    """A report as data: words, numbers and answers without a layout. The keywords are those of :func:`generate`."""
    declared = declaration(name)
    asked = ws.question("active_users", by=by, where=where, population=population, as_of=as_of, start=start, end=end)
    product = title or (ws.folder.resolve().name if ws.folder else _UNNAMED)
    context = read_context(ws.engine, ws.settings, ws.now())
    if context.first_day is None or context.watermark is None:
        return empty(declared, product)
    watermark = max(min(context.watermark, asked.as_of or context.watermark), context.first_day)
    covered = Coverage(
        context.first_day, watermark, context.complete_through(watermark), context.timezone, context.week_start
    )
    chosen = Chosen(asked.filters, population, asked.as_of, asked.breakdown, tuple(steps), within)
    scope = scope_of(
        covered, first=day_of(start, "start"), last=day_of(end, "end"), chosen=chosen, actions=context.actions
    )
    return compose(declared, scope, ws.query, product=product)


def generate(
    ws: Workspace,
    name: str,
    format: str = "html",
    *,
    start: Day | None = None,
    end: Day | None = None,
    by: str | Sequence[str] = (),
    where: str | Filter | Sequence[str | Filter] = (),
    population: Population = "production",
    as_of: Day | None = None,
    steps: Sequence[object] = (),
    within: str = DEFAULT_WITHIN,
    title: str | None = None,
) -> bytes:
    """A report as one file: the same bytes for the same data, clock and arguments.

    Args:
        ws: The workspace.
        name: ``summary``, ``engagement``, ``conversion`` or ``retention``.
        format: ``html`` (one file without script or network), ``md`` (Markdown), or ``pdf`` (A4).
        start: First day of the period; by default it has 30 days.
        end: Last day; by default the last day that is over. The period has at most 366 days.
        by: Properties to break down by; by default country and plan, where the data have them.
        where: Conditions such as ``"plan = 'paid'"``; all of them must hold.
        population: ``production``, ``test``, ``bot`` or ``all``.
        as_of: Report as if this were the last day with data.
        steps: Steps of the funnel of ``conversion``, as in :meth:`regulars.Workspace.funnel`; by default the likely
            ones among the actions in the data.
        within: How long an attempt at that funnel may take.
        title: Name of the product; by default that of the workspace's folder.

    Returns:
        The file, UTF-8 text for ``html`` and ``md``.

    Raises:
        UnknownNameError: ``unknown_report``, ``unknown_format``, or a name in ``by`` or ``where``.
        QueryError: A period, condition or funnel that has no meaning.
        MissingExtraError: The libraries of the extra ``report`` (html) or ``pdf`` are not installed.

    Example:
        >>> import regulars
        >>> ws = regulars.open()
        >>> _ = ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
        >>> text = generate(ws, "summary", "md", title="Shop").decode()
        >>> print(text.splitlines()[2])
        Production users · days in UTC · complete through 5 Jan 2026
    """
    if format not in FORMATS:
        raise UnknownNameError("format of a report", format, FORMATS, code="unknown_format")
    report = answer(
        ws, name, start=start, end=end, by=by, where=where, population=population, as_of=as_of, steps=steps,
        within=within, title=title,
    )  # fmt: skip
    if format == "pdf":
        from regulars.interfaces.reports.pdf import to_pdf  # noqa: PLC0415 -- one of three forms

        return to_pdf(report, ws.now())
    if format == "md":
        from regulars.interfaces.reports.markdown import to_markdown  # noqa: PLC0415

        return to_markdown(report).encode()
    from regulars.interfaces.reports.page import to_html  # noqa: PLC0415

    return to_html(report).encode()
