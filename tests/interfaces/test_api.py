"""Questions over HTTP, who may ask them, and a workspace that is opened beside its server."""

from __future__ import annotations

import datetime as dt
import json
import urllib.request
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.application.keys import create
from regulars.errors import RegularsError
from regulars.infrastructure.operational.sqlite import SqliteStore
from regulars.infrastructure.server import TOKEN_NAME, ServerConnection
from regulars.interfaces.http.api import ADDRESSES
from regulars.remote import RemoteWorkspace
from tests.interfaces.cli import call
from tests.interfaces.servers import get, post, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.interfaces.servers import Server

EVENTS = [
    {"user_id": user, "event_type": kind, "timestamp": f"2026-01-{day:02}T09:00:00Z", "country": country}
    for day in range(1, 15)
    for user, kind, country in (("ada", "like", "DE"), ("bob", "share", "FR"), (f"new{day}", "like", "DE"))
]
QUESTION = {"metric": "active_users", "range": {"start": "2026-01-01", "end": "2026-01-14"}, "breakdown": ["country"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = regulars.init(tmp_path_factory.mktemp("api") / "shop")
    with regulars.open(made) as ws:
        ws.load(EVENTS)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder, "--single-process") as running:
        yield running


def test_beside_a_server_a_workspace_answers_as_it_always_does(server: Server, folder: Path) -> None:
    """Rows, people, SQL with its types, and everything else a result says: equal to a workspace of one's own."""
    with regulars.open() as own, regulars.open(folder) as ws:
        own.load(EVENTS)
        assert isinstance(ws, RemoteWorkspace)
        for ask in (
            lambda w: w.active_users(by="country", start="2026-01-01", end="2026-01-14"),
            lambda w: w.retention(start="2026-01-01", end="2026-01-07"),
            lambda w: w.metric("lifecycle", grain="week"),
            lambda w: w.active_users(start="2026-01-02", end="2026-01-02", grain="hour"),
        ):
            mine, theirs = ask(own), ask(ws)
            assert theirs.rows == mine.rows
            assert theirs.averages == mine.averages
            assert (theirs.watermark, theirs.complete_through) == (mine.watermark, mine.complete_through)
            assert theirs.people_columns == mine.people_columns
            assert theirs.query == mine.query
        found = ws.active_users(start="2026-01-03", end="2026-01-03")
        assert found.users() == ["ada", "bob", "new3"]
        statement = "SELECT day, count(*) AS n, min(action_timestamp) AS t FROM fact_user_actions GROUP BY 1 ORDER BY 1"
        assert ws.sql(statement) == own.sql(statement)


def test_no_more_rows_are_made_than_are_wanted(server: Server, folder: Path) -> None:
    """However many there are: all of these would be 130 million."""
    endless = f"SELECT 1 AS one FROM {', '.join(f'fact_user_actions AS f{n}' for n in range(5))}"
    with regulars.open() as own, regulars.open(folder) as ws:
        own.load(EVENTS)
        for each in (own, ws):
            assert each.sql(endless, most=3).rows == [(1,)] * 3
            assert each.sql("SELECT 1 AS one", most=3).rows == [(1,)]
        with pytest.raises(RegularsError, match="at most 1000000 rows") as caught:
            ws.sql(endless)
        assert caught.value.code == "too_many_rows"
    for limit in (-1, 1_000_001, "all"):
        status, told = post(f"{server.answering}/api/v1/sql", {"sql": "SELECT 1", "limit": limit})
        assert (status, told["error"]["code"]) == (400, "bad_json")


def test_beside_a_server_events_can_be_tracked_and_files_loaded(tmp_path: Path) -> None:
    folder = regulars.init(tmp_path / "shop")
    file = tmp_path / "more.csv"
    file.write_text("user_id,event_type,timestamp\ncsv,like,2026-02-01T09:00:00Z\n,like,2026-02-01T09:00:00Z\n")
    with serving(folder, "--single-process"), regulars.open(folder) as ws:
        assert ws.track("tracked", "like", timestamp="2026-02-01T10:00:00Z", event_id="t1") == "t1"
        report = ws.load(file)
        assert (report.loaded, report.rejected, report.first_time) == (1, 1, dt.datetime(2026, 2, 1, 9))
        assert ws.active_users(start="2026-02-01", end="2026-02-01").users() == ["csv", "tracked"]


def test_beside_a_server_what_needs_the_database_is_refused(server: Server, folder: Path) -> None:
    with regulars.open(folder) as ws:
        for refused in (lambda: ws.link("visitor", "ada"), ws.rebuild, lambda: ws.load(EVENTS),
                        lambda: ws.timeline("ada"), lambda: ws.preview("x.csv"), lambda: ws.engine):  # fmt: skip
            with pytest.raises(regulars.RegularsError, match="stop it first") as caught:
                refused()
            assert server.answering in str(caught.value)


def test_errors_of_the_server_are_the_errors_of_the_library(server: Server, folder: Path) -> None:
    with regulars.open(folder) as ws:
        for wrong, kind, code in (
            (lambda: ws.metric("nothing"), ValueError, "unknown_metric"),
            (lambda: ws.active_users(by="shade"), ValueError, "unknown_property"),
            (lambda: ws.sql("DROP TABLE loads"), ValueError, "not_a_select"),
            (lambda: ws.sql("SELECT nothing"), ValueError, "bad_sql"),
            (lambda: ws.load("no.csv"), ValueError, "no_such_file"),
        ):
            with pytest.raises(kind) as caught:
                wrong()
            assert caught.value.code == code


def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(RegularsError, match=r"http://127\.0\.0\.1:9") as caught:
        ServerConnection("http://127.0.0.1:9", "x").ask("/api/v1/sql", b"{}")
    assert caught.value.code == "no_answer"


def test_without_its_token_a_server_is_named_in_the_error(tmp_path: Path) -> None:
    """Who may not read the folder is told where to ask."""
    folder = regulars.init(tmp_path / "shop")
    with serving(folder, "--single-process") as server:
        (folder / TOKEN_NAME).unlink()
        with pytest.raises(RegularsError, match="ask that server") as caught:
            regulars.open(folder)
        assert caught.value.code == "workspace_locked"
        assert server.answering in str(caught.value)


def test_an_answer_can_be_an_arrow_stream(server: Server) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    request = urllib.request.Request(  # noqa: S310 -- our own server
        f"{server.answering}/api/v1/query",
        json.dumps(QUESTION).encode(),
        {"Accept": "application/vnd.apache.arrow.stream"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 -- our own server
        table = pyarrow.ipc.open_stream(response.read()).read_all()
    assert table.column_names == ["date", "country", "active_users", "flags"]
    assert table.num_rows == 28


@pytest.mark.parametrize(
    "command",
    [
        ("metric", "dau", "--by", "country"), ("users", "dau"), ("sql", "SELECT count(*) FROM dim_users"), ("doctor",),
        ("metric", "retention", "--format", "json"), ("metric", "mau", "--sql"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_beside_a_server_the_command_line_goes_on_working(server: Server, folder: Path, command) -> None:
    done = call(*command, "-w", folder)
    assert (done.code, done.err) == (0, "")
    assert done.out


def test_an_answer_can_be_csv(server: Server) -> None:
    request = urllib.request.Request(  # noqa: S310 -- our own server
        f"{server.answering}/api/v1/query", json.dumps(QUESTION).encode(), {"Accept": "text/csv"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 -- our own server
        assert response.headers["content-type"].startswith("text/csv")
        assert response.read().decode().splitlines()[:2] == ["date,country,active_users,flags", "2026-01-01,DE,2,"]


def test_who_may_ask_what_follows_from_the_table_of_addresses(tmp_path: Path) -> None:
    """Every address, every role, no key and a wrong one."""
    folder = regulars.init(tmp_path / "shop")
    store = SqliteStore(folder)
    secrets = {role: create(store.keys, role, "", dt.datetime(2026, 1, 1))[1] for role in ("write", "read", "admin")}
    store.close()
    with serving(folder, "--single-process") as server:
        for path, method, _, role, _ in ADDRESSES:
            for given in ("write", "read", "admin", "none", "wrong"):
                secret = secrets.get(given, "rg_admin_wrong" if given == "wrong" else None)
                headers = {"Authorization": f"Bearer {secret}"} if secret else {}
                url = f"{server.answering}{path}"
                status = get(url, headers)[0] if method == "GET" else post(url, {}, headers)[0]
                allowed = role is None or given in {role, "admin"}
                expected = {200, 400} if allowed else {403} if given in secrets else {401}
                assert status in expected, (path, given, status)
        # The token of the folder opens everything, so that the command line works beside the server.
        with regulars.open(folder) as ws:
            assert ws.sql("SELECT 1 AS one").rows == [(1,)]
        assert server.stop() == 0
        log = server.errors.read_text()
    assert not any(secret in log for secret in secrets.values())
