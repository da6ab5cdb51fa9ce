"""The answer: rows, and everything needed to trust them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from regulars.domain.explanation import Evidence, cell_in_words, in_words
from regulars.domain.metrics.record import ResultColumn
from regulars.domain.truncation import marked
from regulars.errors import MissingExtraError, QueryError

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from regulars.domain.frame import Frame
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query

OpenCell = Callable[[Mapping[str, Any], str | None], list[str]]
OpenEvents = Callable[[Mapping[str, Any], list[str]], list[Evidence]]


@dataclass(frozen=True)
class Result:
    """Rows of one question with their definition, SQL, completeness and population.

    Each row is a mapping: ``date`` first, then the breakdown, the values, and ``flags``: ``incomplete`` (the bucket
    is not over), ``warming_up`` (its window starts before the first day of data), ``truncated`` (it looks at days whose
    events were dropped), ``other`` (everything beyond the limit of the breakdown). A value that is undefined is
    None; ``warnings`` say why. ``averages`` sums rows up, where the metric says how. ``definitions`` is a hash of the
    settings that its numbers depend on.
    """

    query: Query
    columns: tuple[ResultColumn, ...]
    rows: list[dict[str, Any]]
    definition: str
    sql: str
    watermark: date | None
    complete_through: date | None
    timezone: str
    source: str
    population: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    additive: bool = True
    averages: list[dict[str, Any]] = field(default_factory=list)
    people_columns: tuple[str, ...] = ()
    definitions: str = ""
    open_cell: OpenCell | None = field(default=None, repr=False, compare=False)
    open_events: OpenEvents | None = field(default=None, repr=False, compare=False)

    def users(self, row: int | Mapping[str, Any] = -1, column: str | None = None) -> list[str]:
        """The people behind one cell, as sorted ids; always as many as the cell says.

        Args:
            row: A row of the result, or its position; the last row by default.
            column: Which cell of the row; needed when several columns count people.

        Raises:
            QueryError: ``no_people``: the cell counts no people; ``no_such_row``: the row is none of this result.
        """
        if self.open_cell is None:
            raise QueryError("this result was made without a workspace, so its cells cannot be opened")
        return self.open_cell(self._row(row), column)

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as a list of dictionaries of plain Python values."""
        return [dict(row) for row in self.rows]

    def to_json(self) -> bytes:
        """Everything as JSON: the form that the command line prints."""
        return msgspec.json.encode(self.to_mapping())

    def to_mapping(self) -> dict[str, Any]:
        """Everything as plain values, ready for any encoder."""
        return {
            "query": msgspec.to_builtins(self.query),
            "columns": [
                {"name": c.name, "type": c.type, "unit": c.unit, "description": c.description} for c in self.columns
            ],
            "rows": self.rows,
            **({"averages": self.averages} if self.averages else {}),
            "definition": self.definition,
            "timezone": self.timezone,
            "watermark": self.watermark,
            "complete_through": self.complete_through,
            "population": dict(self.population),
            "additive": self.additive,
            "source": self.source,
            "definitions": self.definitions,
            "warnings": list(self.warnings),
            "sql": self.sql,
        }

    def to_arrow(self) -> pa.Table:
        """The rows as a pyarrow table (extra ``arrow``); ``flags`` is a list column."""
        try:
            import pyarrow as pa  # noqa: PLC0415 -- optional
        except ImportError as exc:
            raise MissingExtraError("pyarrow", "arrow", "an Arrow table") from exc
        types = {"date": pa.date32(), "text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
        fields = [pa.field(c.name, types[c.type]) for c in self.columns]
        fields.append(pa.field("flags", pa.list_(pa.string())))
        return pa.Table.from_pylist(self.rows, schema=pa.schema(fields))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow stream protocol: polars, pandas and DuckDB read a result directly."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a pandas frame (extra ``pandas``)."""
        try:
            import pandas as pd  # noqa: PLC0415 -- optional
        except ImportError as exc:
            raise MissingExtraError("pandas", "pandas", "a pandas frame") from exc
        return pd.DataFrame(self.rows, columns=[*(c.name for c in self.columns), "flags"])

    def to_polars(self) -> pl.DataFrame:
        """The rows as a polars frame (extra ``polars``)."""
        try:
            import polars as pl  # noqa: PLC0415 -- optional
        except ImportError as exc:
            raise MissingExtraError("polars", "polars", "a polars frame") from exc
        return pl.DataFrame(self.to_arrow())

    def plot(self, column: str | None = None) -> alt.TopLevelMixin:
        """The result as an Altair chart (extra ``plot``), in the form that suits its metric.

        What is not over yet is drawn hollow or faded. ``.to_dict()`` of the chart is its Vega-Lite specification,
        ``.save("chart.html")`` writes it.

        Args:
            column: What to draw, where the metric has several numbers; its main one by default.

        Raises:
            MissingExtraError: Altair is not installed.
            UnknownNameError: ``unknown_column``: the result has no number of that name.
        """
        from regulars.domain.charts import chart  # noqa: PLC0415 -- only drawing needs it

        spec = chart(self, column)
        try:
            import altair as alt  # noqa: PLC0415 -- optional
        except ImportError as exc:
            raise MissingExtraError("altair", "plot", "a chart") from exc
        return alt.Chart.from_dict(spec)

    def events(
        self, row: int | Mapping[str, Any] = -1, column: str | None = None, *, people: int = 3
    ) -> list[Evidence]:
        """The events that made people count in one cell: of the first ``people`` behind it, in the order of time.

        Raises:
            QueryError: As :meth:`users`.
        """
        wanted = self._row(row)
        listed = self.users(wanted, column)[:people]
        return self.open_events(wanted, listed) if self.open_events and listed else []

    def explain(self, row: int | Mapping[str, Any] | None = None, column: str | None = None) -> str:
        """The number in words: definition, question, time zone, population, completeness, source, and its SQL.

        With a row (and a column, where several count people) it goes on to some of the people behind that cell, and
        the events that made them count.

        Raises:
            QueryError: As :meth:`users`, where a row is given.
        """
        lines = in_words(self)
        if row is not None:
            wanted = self._row(row)
            named = column or (self.people_columns[0] if len(self.people_columns) == 1 else "")
            people = self.users(wanted, column)
            evidence, without = self._evidence(wanted, column)
            lines += ["", *cell_in_words(self, wanted, named, people, evidence, without=without)]
        return "\n".join([*lines, "", self.sql])

    def _evidence(self, row: Mapping[str, Any], column: str | None) -> tuple[list[Evidence], str]:
        """The events behind a cell, and what is said of people without any: raw events may have been dropped."""
        try:
            return self.events(row, column), "no event in the range"
        except QueryError as exc:
            return [], exc.message

    def _row(self, row: int | Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self.rows[row] if isinstance(row, int) else row
        except IndexError:
            raise QueryError(f"there is no row {row}; the result has {len(self.rows)}", code="no_such_row") from None

    def _repr_html_(self) -> str:
        from regulars.domain.page import as_html  # noqa: PLC0415 -- only notebooks need it

        return as_html(self)


def result_columns(plan: Plan) -> tuple[ResultColumn, ...]:
    """The columns of a result: date, breakdown, values."""
    return tuple(column for column in _every_column(plan) if not column.is_hidden)


def _every_column(plan: Plan) -> tuple[ResultColumn, ...]:
    own = [column for column in plan.metric.columns if column.name in plan.shape.columns]
    date_column = next((column for column in plan.metric.columns if column.name == "date"), None)
    if plan.hourly:
        date_column = ResultColumn("date", "text", "hour", "Local start of the hour with its UTC offset")
    breakdown = [ResultColumn(p.name, "text", p.words, f"Value of the {p.words} {p.name}") for p in plan.breakdown]
    dated = (date_column,) if plan.shape.dated and date_column else ()
    return (*dated, *breakdown, *own)


def result_rows(plan: Plan, rows: list[tuple[Any, ...]], timezone: str) -> list[dict[str, Any]]:
    """Engine rows as result rows, with their flags."""
    return shown_rows(plan, finished_rows(plan, rows, timezone))


def shown_rows(plan: Plan, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Finished rows with the columns of the result, in their order."""
    own = plan.metric.composition
    if own is None or own.finish is None:
        return rows
    order = [*(column.name for column in result_columns(plan)), "flags"]
    return [{name: row[name] for name in order} for row in rows]


def told_reasons(plan: Plan, left_out: Mapping[str, int]) -> list[str]:
    """What the rows leave out, in words."""
    words = plan.metric.composition.reasons if plan.metric.composition else {}
    return [f"{text}: {int(left_out[reason]):,}" for reason, text in words.items() if left_out.get(reason)]


def finished_rows(plan: Plan, rows: list[tuple[Any, ...]], timezone: str) -> list[dict[str, Any]]:
    """Engine rows with their flags and everything that follows from them, hidden columns included."""
    frame = plan.frame
    if frame is None:
        return []
    names = [*(column.name for column in _every_column(plan) if not column.is_derived), "flags"]
    own = plan.metric.composition
    # A SELECT may say on which date its window ends; a result without a time axis leaves that out.
    extra = len(rows[0]) - len(names) if rows else 0
    flags_of = own.flags if own and own.flags else _by_date(frame)
    found = []
    for cells in rows:
        # The last cell tells whether the row is the rest; flags take its place.
        row = dict(zip(names, cells[extra:] if extra else cells, strict=True))
        is_other = row.pop("flags")
        if plan.hourly:
            row["date"] = hour_text(int(row["date"]), timezone)
        row["flags"] = marked(plan, row, flags_of(plan, row)) + ["other"] * is_other
        found.append(row)
    return found if own is None or own.finish is None else own.finish(plan, found)


def _by_date(frame: Frame) -> Callable[[Plan, Mapping[str, Any]], list[str]]:
    """The flags that follow from a row's date; many slices share one, and its flags are worked out once."""
    only_date = frame.bucket_start(frame.last)
    known: dict[date | str, list[str]] = {}

    def flags(plan: Plan, row: Mapping[str, Any]) -> list[str]:
        key = row.get("date", only_date)
        if key not in known:
            known[key] = _flags(plan, frame, key)
        return known[key].copy()

    return flags


def hour_text(second: int, timezone: str) -> str:
    """The local start of an hour with its UTC offset, from its UTC second.

    >>> hour_text(1774746000, "Europe/Berlin")
    '2026-03-29T03:00:00+02:00'
    """
    return datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(timezone)).isoformat()


def _flags(plan: Plan, frame: Frame, start: date | str) -> list[str]:
    day = date.fromisoformat(start[:10]) if isinstance(start, str) else start
    end = frame.bucket_end(day)
    shown_end = min(end, frame.last)
    if not plan.shape.dated:
        end = max(end, frame.bucket_end(frame.bucket_start(frame.asked_end)))
    flags = ["incomplete"] if (frame.complete_through - end).days < plan.shape.ahead_days else []
    if _warming_up(plan, frame, day, shown_end):
        flags.append("warming_up")
    return flags


def _warming_up(plan: Plan, frame: Frame, day: date, shown_end: date) -> bool:
    # By registration too: who is not new then only seems to be back, as nothing is known of the time before the data.
    if any(measure.rule in ("new", "registered", "joined") for measure in plan.shape.measures):
        began = frame.first if plan.shape.from_start else day
        return (began - frame.first_day).days < (plan.query.window or 30)
    window = plan.shape.window
    if window is None:
        return False
    # A summary takes in every daily window of its bucket, so the first one decides.
    last_window_ends = day if plan.shape.summarised else shown_end
    if plan.shape.compares_ends:
        last_window_ends = frame.first
    opens = last_window_ends - timedelta(days=window - 1)
    return (max(opens, frame.first) if plan.shape.from_start else opens) < frame.first_day
