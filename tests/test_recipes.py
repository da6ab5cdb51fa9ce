"""The SQL recipes run as they stand, and say what the metrics say."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import regulars
from regulars.synthetic.generate import GeneratorOptions, generate
from tests.interfaces.cli import call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.domain.result import Result
    from regulars.workspace import Workspace

PAGE = (Path(__file__).parent.parent / "docs" / "sql-recipes.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
RECIPES = {
    title: found[1] for title, text in SECTIONS.items() if (found := re.search(r"```sql\n(.*?)```", text, re.DOTALL))
}
LAST = date(2026, 3, 1)
ALL = {"limit": 1000, "start": "2026-01-01"}
LATE = [
    {"user_id": "7", "event_type": "login", "timestamp": "2026-02-20T10:00:00Z"},
    {"user_id": "7", "event_type": "login", "timestamp": "2026-03-01T10:00:00Z"},
    {"user_id": "7", "timestamp": "2026-03-01T10:00:00Z"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months of a small product, with dirt, test accounts, and a second load that is late."""
    at = tmp_path_factory.mktemp("recipes")
    options = GeneratorOptions(
        n_users=150, days=60, start_date=date(2026, 1, 1), signups="growing", malformed=0.005, duplicates=0.01,
        test_accounts=0.05,
    )  # fmt: skip
    made = generate(options, at / "raw", "parquet")
    assert call("init", at / "shop").code == 0
    with regulars.open(at / "shop") as ws:
        ws.load(made.users)
        ws.load(made.events)
        ws.load(LATE)
        ws.load([{"user_id": "8", "email": "eight@example.com"}], kind="users")
    return at / "shop"


@pytest.fixture(scope="module")
def ws(folder: Path) -> Iterator[Workspace]:
    """That product, a day after its last event."""
    with regulars.open(folder, read_only=True, clock=lambda: datetime(2026, 3, 2, 12, tzinfo=UTC)) as opened:
        yield opened


def told(ws: Workspace, title: str) -> list[dict[str, Any]]:
    """The rows of a recipe by name."""
    table = ws.sql(RECIPES[title])
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def by(result: Result, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of a result."""
    return [tuple(row[name] for name in columns) for row in result.rows]


@pytest.mark.parametrize("title", RECIPES)
def test_every_recipe_runs_and_finds_something(ws: Workspace, title: str) -> None:
    """Word for word."""
    assert told(ws, title)


def test_every_section_has_its_block() -> None:
    """And there are enough of them to be worth a page."""
    assert len(RECIPES) >= 12
    assert set(SECTIONS) - set(RECIPES) == {"Export"}


def test_daily_weekly_and_monthly_users(ws: Workspace) -> None:
    """Day by day."""
    rows = told(ws, "DAU, WAU and MAU")
    for window, name in ((1, "dau_count"), (7, "wau_count"), (30, "mau_count")):
        assert [(row["date"], row[name]) for row in rows] == by(
            ws.active_users(window=window, **ALL), "date", "active_users"
        )
    assert [row["dau_mau_ratio"] for row in rows] == [row["stickiness"] for row in ws.stickiness(**ALL).rows]


def test_a_window_by_hand(ws: Workspace) -> None:
    """On the last day."""
    (row,) = told(ws, "Active users in any window, by hand")
    assert row["active_users"] == ws.active_users(window=28).rows[-1]["active_users"]


def test_new_users_by_country(ws: Workspace) -> None:
    """Every country on every day."""
    rows = {(row["date"], row["country"]): row["new_user_count"] for row in told(ws, "New users per day by country")}
    metric = by(ws.new_vs_returning(by="country", **ALL), "date", "country", "new")
    assert {(day, country): new for day, country, new in metric if new} == {
        key: new for key, new in rows.items() if new
    }


def test_weekly_retention(ws: Workspace) -> None:
    """Every cell in which somebody came back."""
    rows = {(row["cohort"], row["period"]): (row["users"], row["retention"]) for row in told(ws, "Weekly retention")}
    cells = ws.retention(grain="week", start="2025-12-29").rows
    metric = {(row["date"], row["period"]): (row["retention_users"], row["retention"]) for row in cells}
    assert rows == {key: value for key, value in metric.items() if value[0]}


def test_top_features(ws: Workspace) -> None:
    """People in the last 28 days, as the breakdown counts them."""
    shown = {row["feature"]: row["users"] for row in told(ws, "Top features by people")}
    last = [row for row in ws.active_users(window=28, by="feature", **ALL).rows if row["date"] == LAST]
    people = {row["feature"]: row["active_users"] for row in last if row["feature"] != "(none)"}
    assert shown == {name: people[name] for name in sorted(people, key=lambda name: (-people[name], name))[:10]}


def test_how_long_sessions_last(ws: Workspace) -> None:
    """Counts and both quantiles of every week."""
    rows = [(row["week"], row["sessions"], row["median"], row["p90"]) for row in told(ws, "How long sessions last")]
    assert rows == by(ws.sessions(grain="week", **ALL), "date", "sessions", "duration_median", "duration_p90")


def test_tier_mix(ws: Workspace) -> None:
    """Whoever was seen, day by day."""
    rows = {(row["day"], row["tier"]): row["users"] for row in told(ws, "Tier mix over time") if row["users"]}
    assert rows == {(row["date"], row["tier"]): row["users"] for row in ws.tiers(**ALL).rows if row["users"]}


def test_people_of_a_tier(ws: Workspace) -> None:
    """The ids behind the cell of the metric, with the attribute of those who have it."""
    rows = told(ws, "People of a tier, with their e-mail")
    result = ws.tiers(start=LAST, end=LAST)
    cell = next(row for row in result.rows if row["tier"] == "regular")
    assert sorted(row["user_id"] for row in rows) == result.users(cell, "users")
    mails = dict(ws.sql("SELECT user_id, user_attributes ->> 'email' FROM dim_users").rows)
    assert {row["user_id"]: row["email"] for row in rows} == {row["user_id"]: mails[row["user_id"]] for row in rows}
    assert mails["8"] == "eight@example.com"


def events(ws: Workspace, kind: str) -> list[tuple[str, datetime, str | None]]:
    """Person, time and amount of one kind of event of production users."""
    return ws.sql(
        "SELECT user_id, action_timestamp, action_metadata ->> 'amount' FROM fact_user_activity "
        f"WHERE action_type = '{kind}' AND population = 'production' ORDER BY action_timestamp"
    ).rows  # fmt: skip


def test_a_funnel_of_two_steps(ws: Workspace) -> None:
    """Against a loop over people."""
    entered: dict[str, datetime] = {}
    for user, at, _ in events(ws, "course_enroll"):
        entered.setdefault(user, at)
    window, converted = timedelta(days=14), set()
    for user, at, _ in events(ws, "payment_success"):
        if user in entered and entered[user] <= at <= entered[user] + window:
            converted.add(user)
    (row,) = told(ws, "A funnel of two steps")
    assert (row["entered"], row["converted"]) == (len(entered), len(converted))
    assert 0 < row["conversion"] == len(converted) / len(entered) < 1


def test_revenue_per_active_user(ws: Workspace) -> None:
    """Money and people are those of the metric."""
    rows = told(ws, "Revenue per active user")
    months = ws.revenue(grain="month", **ALL)
    assert [(row["month"], row["active_users"]) for row in rows] == by(months, "date", "active_users")
    assert [row["revenue"] for row in rows] == pytest.approx([row["revenue"] for row in months.rows])
    assert sum(row["revenue"] for row in rows) > 0


def test_late_events(ws: Workspace) -> None:
    """One of the second load's two events is 9 days late."""
    first, second = told(ws, "Which loads brought late events")
    assert (first["late"], first["latest_by_days"]) == (0, None)
    assert (second["events"], second["late"], second["latest_by_days"]) == (2, 1, 9)


def test_rejected_rows(ws: Workspace) -> None:
    """What was read is loaded, repeated or rejected, and each rejected row has its reason."""
    rows = told(ws, "What was rejected, and why")
    for load in {row["load_id"] for row in rows}:
        mine = [row for row in rows if row["load_id"] == load]
        rejected = sum(row["rejected"] for row in mine)
        assert mine[0]["rows_read"] == mine[0]["rows_loaded"] + mine[0]["duplicates"] + rejected
    assert {row["reason"] for row in rows} >= {None, "bad_time", "no_event_type", "no_identity"}


def test_exports(ws: Workspace, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command writes the file it names, with every row and its types."""
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line) for line in re.findall(r"^\$ regulars (.*)$", SECTIONS["Export"], re.MULTILINE)]
    for command in commands:
        assert call(*command, "-w", folder).code == 0
    (days,) = ws.sql("SELECT count(*) FROM fact_daily_user_activity").rows
    assert duckdb.sql("SELECT count(*) FROM 'daily.parquet'").fetchall() == [days]
    assert duckdb.sql("SELECT typeof(day) FROM 'daily.parquet' LIMIT 1").fetchall() == [("DATE",)]
    assert Path("types.csv").read_text(encoding="utf-8").startswith("action_type,n\n")
