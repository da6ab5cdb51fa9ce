"""The faces of a result."""

from __future__ import annotations

import sys
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import msgspec
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from regulars.errors import MissingExtraError
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.domain.result import Result

HOSTILE = "<script>alert('1')</script> & \"more\""


@pytest.fixture(scope="module")
def result() -> Iterator[Result]:
    """Two days, two slices, one undefined value."""
    events = [did("a", "2026-11-01T12:00:00", country=HOSTILE), did("b", "2026-11-02T12:00:00", country="DE")]
    with workspace(*events, did("t", "2026-11-02T12:00:00"), users=({"user_id": "t", "is_test": "true"},)) as ws:
        yield ws.actions(by="country", start="2026-11-01")


ROWS = [
    (date(2026, 11, 1), HOSTILE, 1, 1, 1.0, []),
    (date(2026, 11, 1), "DE", 0, 0, None, []),
    (date(2026, 11, 2), HOSTILE, 0, 0, None, []),
    (date(2026, 11, 2), "DE", 1, 1, 1.0, []),
]
NAMES = ["date", "country", "actions", "users", "actions_per_user", "flags"]


def ordered(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(rows, key=repr)


def test_rows_are_plain_dictionaries(result: Result) -> None:
    """A change of the list does not reach the result."""
    found = result.to_dicts()
    assert ordered([tuple(row.values()) for row in found]) == ordered(ROWS)
    assert list(found[0]) == NAMES
    found[0]["actions"] = 99
    assert result.to_dicts()[0]["actions"] != 99


def test_json_holds_everything_needed_to_trust_the_rows(result: Result) -> None:
    """Rows, columns with units, definition, population, completeness, SQL."""
    found = msgspec.json.decode(result.to_json())
    assert found["rows"] == msgspec.to_builtins(result.rows)
    assert [column["name"] for column in found["columns"]] == NAMES[:-1]
    assert found["query"] == {
        "metric": "actions",
        "range": {"start": "2026-11-01"},
        "breakdown": ["country"],
        "options": {"weighted": False},
    }
    assert (found["watermark"], found["complete_through"], found["timezone"]) == ("2026-11-02", "2026-11-02", "UTC")
    assert found["population"] == {"total": 2, "excluded": {"test": 1}}
    assert found["additive"] is True
    assert found["source"] == "arrivals"
    assert found["sql"].startswith("WITH ")
    assert "undefined" in found["warnings"][-1]


def test_arrow_has_types_and_flags(result: Result) -> None:
    """Dates are dates, counts integers, flags a list."""
    table = result.to_arrow()
    assert table.schema.types == [pa.date32(), pa.string(), pa.int64(), pa.int64(), pa.float64(), pa.list_(pa.string())]
    assert ordered([tuple(row.values()) for row in table.to_pylist()]) == ordered(ROWS)


def test_hours_are_text_in_arrow() -> None:
    """Their offset would be lost in a timestamp."""
    with workspace(did("a", "2026-11-01T12:00:00")) as ws:
        table = ws.active_users(grain="hour", start="2026-11-01").to_arrow()
    assert table["date"][12].as_py() == "2026-11-01T12:00:00+00:00"


def test_an_empty_result_has_its_columns_everywhere() -> None:
    """Nothing breaks on no rows."""
    with workspace() as ws:
        empty = ws.active_users()
    assert empty.to_arrow().column_names == ["date", "active_users", "flags"]
    assert empty.to_polars().shape == (0, 3)
    assert list(empty.to_pandas().columns) == ["date", "active_users", "flags"]
    assert "<tbody></tbody>" in empty._repr_html_()
    assert "0 people in the range; excluded: nobody." in empty.explain()


def test_frames_hold_the_rows(result: Result) -> None:
    """pandas and polars, each with its own missing value."""
    frame = result.to_pandas()
    assert list(frame.columns) == NAMES
    assert int(frame["actions"].sum()) == 2
    assert isinstance(frame, pd.DataFrame)
    polars = result.to_polars()
    assert polars.columns == NAMES
    assert ordered(polars.rows()) == ordered(ROWS)


def test_a_result_is_an_arrow_stream(result: Result) -> None:
    """Other libraries read it without knowing us."""
    assert pl.DataFrame(result).columns == NAMES
    assert pa.table(result).num_rows == 4
    assert duckdb.sql("SELECT sum(actions) FROM stream", connection=_connection(result)).fetchall() == [(2,)]


def _connection(result: Result) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.register("stream", pa.RecordBatchReader.from_stream(result))
    return connection


def test_html_escapes_what_users_sent(result: Result) -> None:
    """Also in the head, where names of properties stand."""
    text = result._repr_html_()
    assert "<script>" not in text
    assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt; &amp; &quot;more&quot;" in text
    assert text.count("<tr>") == 5
    with workspace(did("a", "2026-11-01T12:00:00", properties={"<b>": "x"})) as ws:
        assert "<b>" not in ws.active_users(by="<b>", start="2026-11-01")._repr_html_()


def test_html_stops_after_a_screen() -> None:
    """And says how much there is; flags are joined by commas."""
    with workspace(did("a", "2026-11-01T12:00:00")) as ws:
        text = ws.active_users(window=7, start="2026-08-01")._repr_html_()
    assert text.count("<tr>") == 61
    assert "<caption>Active users · 7-day window · UTC</caption>" in text
    assert "<small>33 more rows</small>" in text
    assert "<td>warming_up</td>" in text


def test_explain_tells_the_number_in_words(result: Result) -> None:
    """Definition, time zone, completeness, population, SQL."""
    text = result.explain()
    assert text.startswith("Actions. Actions that qualify")
    for part in ("UTC", "2026-11-02", "Activity: core", "Population: production", "2 people in the range", "1 test"):
        assert part in text
    assert text.endswith(result.sql)


@pytest.mark.parametrize(
    ("face", "library", "extra"),
    [("to_arrow", "pyarrow", "arrow"), ("to_pandas", "pandas", "pandas"), ("to_polars", "polars", "polars")],
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    result: Result, monkeypatch: pytest.MonkeyPatch, face: str, library: str, extra: str
) -> None:
    """The message is the command to type."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"needs {library}.*pip install 'regulars\[{extra}\]'") as error:
        getattr(result, face)()
    assert isinstance(error.value, ImportError)


def test_overlapping_slices_say_that_they_do_not_add_up() -> None:
    """In the result and in a warning that names the property."""
    with workspace(did("a", "2026-11-01T12:00:00")) as ws:
        result = ws.active_users(by="action")
    assert result.additive is False
    assert result.columns[1].unit == "event property"
    assert "action is an event property" in result.warnings[0]
