"""What a report is made of, before and after its questions are answered.

A report is declared as data: figures and sections, each with the questions it asks. :mod:`.compose` asks them, and
makes a :class:`Report`, which holds words, numbers and charts but no layout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from regulars.domain.result import Result

if TYPE_CHECKING:
    from regulars.application.reports.scope import Scope
    from regulars.domain.query import Query

Answers = Mapping[str, Result]
Form = Literal["lines", "flows", "stack", "columns", "bars", "slices", "curve", "funnel", "none"]
MARKS = {
    "incomplete": ("*", "not over yet, so the number can still change; never used for a comparison"),
    "warming_up": ("^", "its window begins before the first day of data, so it is too low or not comparable"),
    "low_n": ("?", "too few people to read much into it"),
}


@dataclass(frozen=True)
class Origin:
    """Where a number comes from: the cell of an answer. ``part`` is ``rows`` or ``averages``."""

    answer: str
    part: str
    row: int
    column: str


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, and for a number its exact value and where it comes from.

    A number without an origin follows from others beside it. ``shade`` (0 to 1) colors the cell.
    """

    text: str
    value: float | None = None
    origin: Origin | None = None
    marks: str = ""
    shade: float | None = None


@dataclass(frozen=True)
class Head:
    """The head of a column."""

    text: str
    is_number: bool = True


@dataclass(frozen=True)
class Table:
    """A table: its first column names the rows."""

    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str


@dataclass(frozen=True)
class Line:
    """One line of a chart: which answer, which of its columns, and its name."""

    answer: str
    column: str
    label: str = ""


@dataclass(frozen=True)
class Exhibit:
    """Which chart a section has. ``none``: its table is colored, and is the chart."""

    form: Form
    lines: tuple[Line, ...] = ()
    label: str = ""
    about: str = ""


@dataclass(frozen=True)
class Quote:
    """A number quoted from an answer, in its row.

    ``change`` is empty where nothing can be compared; ``note`` says with what, or why not; ``trend`` leads up to it.
    """

    cell: Cell
    change: str = ""
    direction: Literal["up", "down", "flat", "none"] = "none"
    note: str = ""
    trend: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A key number: its name, its question, and how it is quoted from the answer."""

    label: str
    ask: Callable[[Scope], Query]
    quote: Callable[[Scope, Result], Quote]


@dataclass(frozen=True)
class Section:
    """A section: what it asks, what that says in a sentence, and how it is shown.

    ``refuse`` says why it cannot be asked at all, ``absent`` what to say when the data have no such property.
    """

    key: str
    heading: str
    ask: Callable[[Scope], Mapping[str, Query]]
    finding: Callable[[Scope, Answers], str]
    table: Callable[[Scope, Answers], Table]
    exhibit: Exhibit
    refuse: Callable[[Scope], str] = lambda _: ""
    absent: str = ""


@dataclass(frozen=True)
class Declaration:
    """A report before it is asked: its title, its key numbers, its sections in their order."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    sections: Callable[[Scope], tuple[Section, ...]]


@dataclass(frozen=True)
class KeyNumber:
    """A key number, answered."""

    label: str
    quote: Quote


@dataclass(frozen=True)
class Answered:
    """A section, answered; without data only its heading and the ``reason``."""

    key: str
    heading: str
    finding: str = ""
    reason: str = ""
    table: Table | None = None
    exhibit: Exhibit = Exhibit("none")
    answers: Mapping[str, Result] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Term:
    """A line of the part that says how to read the report."""

    name: str
    words: str


@dataclass(frozen=True)
class Report:
    """A report, answered: everything that a renderer shows, in its order. ``questions`` are all that was asked."""

    name: str
    title: str
    product: str
    period: str
    lede: str
    key_numbers: tuple[KeyNumber, ...]
    sections: tuple[Answered, ...]
    terms: tuple[Term, ...]
    questions: Mapping[str, Query]
    notice: str = ""
