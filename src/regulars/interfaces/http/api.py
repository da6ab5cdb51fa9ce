"""Questions over HTTP: the same query and the same result as in Python and on the command line."""

from __future__ import annotations

import asyncio
import hmac
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from regulars.domain.query import query_from_json
from regulars.errors import EngineError, JournalError, QueryError, RegularsError
from regulars.infrastructure.server import FRESH
from regulars.interfaces.cli.writing import distinct, table_of, to_csv
from regulars.interfaces.http.answers import RefusedError
from regulars.interfaces.http.authority import secret_in
from regulars.interfaces.http.serving.exposition import CONTENT_TYPE, of_store
from regulars.interfaces.http.serving.running import is_local

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Executor

    from starlette.requests import Request

    from regulars.application.ports import Table
    from regulars.domain.keys import Role
    from regulars.domain.query import Query
    from regulars.interfaces.http.authority import Authority
    from regulars.interfaces.http.serving.draining import Drain
    from regulars.workspace import Workspace

    Handle = Callable[["Store", bytes, Request], Response]

_Kind = TypeVar("_Kind")
_LOG = logging.getLogger("regulars.store")
MOST_BODY = 64 * 1024
ROWS, MOST_ROWS = 10_000, 1_000_000
_BODY_SECONDS = 15
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class UsersRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Whose ids are wanted: the people behind a cell of an answer."""

    query: msgspec.Raw
    row: int | dict[str, Any] = -1
    column: str | None = None


class SqlRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One SELECT."""

    sql: str
    limit: Annotated[int, msgspec.Meta(ge=0, le=MOST_ROWS)] = ROWS


class ImportRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A file on the server's machine, and how to read it: the arguments of ``Workspace.load``."""

    path: str
    kind: str = "auto"
    format: str = "auto"
    timezone: str | None = None
    mapping: dict[str, str] | None = None


class BackupRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Where on the server's machine to put a backup."""

    path: str


class PersonRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Of whom to tell everything, or whom to erase."""

    user_id: str


class Store:
    """What the handlers share: the workspace, who may ask, and the drain whose state is told."""

    def __init__(self, ws: Workspace, authority: Authority, token: str, drain: Drain) -> None:
        self.ws, self.authority, self.drain = ws, authority, drain
        self._token = token.encode()

    def hurry(self) -> None:
        """Stop the questions that are being answered: the server ends."""
        self.ws.engine.stop_reading("the server is being stopped")

    def check(self, request: Request, role: Role, *, always: bool) -> None:
        """Refuse who may not do this; the local token, which only this machine's user can read, opens everything.

        ``always``: a key is needed even where none was ever made.
        """
        secret = secret_in(dict(request.scope["headers"]))
        if secret is not None and hmac.compare_digest(secret.encode("utf-8", "replace"), self._token):
            return
        self.authority.check(secret, role)
        if self.authority.is_open:
            # Whoever made a browser send this does not know a key, for there is none.
            if "origin" in request.headers or not is_local(_name_in(request.headers.get("host", ""))):
                raise RefusedError(403, "not_from_here", "without keys, only programs on this machine may ask")
            if always:
                raise RefusedError(403, "key_missing", "make an admin key for this: regulars keys create admin")


def _name_in(host: str) -> str:
    """The name in a header ``Host``, without the port and the brackets of an IPv6 address."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name.removeprefix("[").removesuffix("]")


def query(store: Store, body: bytes, request: Request) -> Response:
    """A query as JSON; the result as JSON, or as CSV or an Arrow stream where ``Accept`` says so."""
    result = store.ws.query(_query(body))
    accept = request.headers.get("accept", "")
    if "text/csv" in accept:
        return Response(to_csv(table_of(result)), 200, _HEADERS, "text/csv")
    if "application/vnd.apache.arrow.stream" in accept:
        return Response(_arrow_stream(result.to_arrow()), 200, _HEADERS, "application/vnd.apache.arrow.stream")
    return _json(msgspec.json.encode(result.to_mapping() | {"people_columns": result.people_columns}))


def users(store: Store, body: bytes, request: Request) -> Response:
    """The people behind a cell, as many as the cell says."""
    del request
    wanted = _decoded(body, UsersRequest)
    result = store.ws.query(_query(bytes(wanted.query)))
    row = wanted.row if isinstance(wanted.row, int) else _row_like(result.rows, wanted.row)
    people = result.users(row, wanted.column)
    return _json(msgspec.json.encode({"users": people}))


def sql(store: Store, body: bytes, request: Request) -> Response:
    """Rows of one SELECT, 10,000 of them unless the body says otherwise, and the types that JSON does not show."""
    del request
    wanted = _decoded(body, SqlRequest)
    table: Table = store.ws.sql(wanted.sql, most=wanted.limit + 1)
    rows = table.rows[: wanted.limit]
    shown = {
        "columns": distinct(table.columns),
        "types": [_type_of(column) for column in zip(*rows, strict=True)] or ["null"] * len(table.columns),
        "rows": rows,
        "more": len(table.rows) > wanted.limit,
    }
    return _json(msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode(shown))


def load(store: Store, body: bytes, request: Request) -> Response:
    """Import a file of the server's machine."""
    del request
    wanted = _decoded(body, ImportRequest)
    report = store.ws.load(
        wanted.path, kind=wanted.kind, format=wanted.format, timezone=wanted.timezone, mapping=wanted.mapping
    )
    return _json(msgspec.json.encode(report))


def backup(store: Store, body: bytes, request: Request) -> Response:
    """Copy the workspace into a new folder of the server's machine."""
    del request
    return _json(msgspec.json.encode(store.ws.backup(_decoded(body, BackupRequest).path)))


def export(store: Store, body: bytes, request: Request) -> Response:
    """Everything that is known of a person."""
    del request
    pieces: list[bytes] = []
    store.ws.export_user(_decoded(body, PersonRequest).user_id, write=pieces.append)
    return _json(b"".join(pieces))


def erase(store: Store, body: bytes, request: Request) -> Response:
    """Erase a person; the certificate."""
    del request
    return _json(msgspec.json.encode(store.ws.erase(_decoded(body, PersonRequest).user_id)))


def health(store: Store, body: bytes, request: Request) -> Response:
    """Whether questions are answered, and what is collected gets loaded."""
    del body, request
    failing = store.drain.failures > 0
    return _json(msgspec.json.encode({"status": "failing" if failing else "ok"}), status=503 if failing else 200)


def metrics(store: Store, body: bytes, request: Request) -> Response:
    """Numbers for Prometheus."""
    del body, request
    audit = store.ws.journal_audit()
    lag = store.drain.lag_seconds() if audit.backlog else 0.0
    text = of_store(audit, lag_seconds=lag, failures=store.drain.failures)
    return Response(text, media_type=CONTENT_TYPE.decode())


# Those that tell how the server is have threads of their own, so that questions under way never keep them waiting.
_WATCHED = (health, metrics)
_WATCHING_THREADS = 4
# Address, method, handler, role (None: everybody), and whether a key is needed even where none was ever made.
ADDRESSES: tuple[tuple[str, str, Handle, Role | None, bool], ...] = (
    ("/api/v1/query", "POST", query, "read", False),
    ("/api/v1/users", "POST", users, "read", False),
    ("/api/v1/sql", "POST", sql, "read", False),
    ("/api/v1/import", "POST", load, "admin", True),
    ("/api/v1/backup", "POST", backup, "admin", True),
    ("/api/v1/export-user", "POST", export, "admin", True),
    ("/api/v1/erase", "POST", erase, "admin", True),
    ("/health", "GET", health, None, False),
    ("/metrics", "GET", metrics, "read", False),
)


def api(store: Store) -> Starlette:
    """The ASGI application that answers."""
    aside = ThreadPoolExecutor(_WATCHING_THREADS, "regulars-watching")
    application = Starlette(
        routes=[
            Route(
                path,
                _endpoint(
                    partial(handle, store),
                    partial(_allow, store, role, always),
                    store.ws.flush,
                    aside if handle in _WATCHED else None,
                ),
                methods=[method],
            )
            for path, method, handle, role, always in ADDRESSES
        ],
        exception_handlers={404: _no_such_address, 405: _wrong_method},
    )
    # It would send whoever asks, with key and body, to the name that the request gives itself.
    application.router.redirect_slashes = False
    return application


def _no_such_address(request: Request, exc: Exception) -> Response:
    del request, exc
    return _refused(RefusedError(404, "no_such_address", f"nothing is here; questions go to {ADDRESSES[0][0]}"))


def _wrong_method(request: Request, exc: Exception) -> Response:
    del exc
    (wanted,) = {method for path, method, *_ in ADDRESSES if path == request.url.path}
    refusal = _refused(RefusedError(405, "wrong_method", f"{request.url.path} is asked with {wanted}"))
    refusal.headers["Allow"] = wanted
    return refusal


def _allow(store: Store, role: Role | None, always: bool, request: Request) -> None:  # noqa: FBT001 -- from the table
    if role is not None:
        store.check(request, role, always=always)


def _endpoint(
    handle: Callable[[bytes, Request], Response],
    allow: Callable[[Request], None],
    flush: Callable[[], None],
    aside: Executor | None,
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            allow(request)
            body = await _body(request)
            if FRESH in request.headers:
                await run_in_threadpool(flush)
            if aside:
                return await asyncio.get_running_loop().run_in_executor(aside, handle, body, request)
            return await run_in_threadpool(handle, body, request)
        except RefusedError as exc:
            return _refused(exc)
        except RegularsError as exc:
            status = (
                400 if exc.exit_code == QueryError.exit_code or not isinstance(exc, EngineError | JournalError) else 503
            )
            told = {"kind": type(exc).__name__, "code": exc.code, "message": exc.message}
            return _json(msgspec.json.encode({"error": told}), status=status)
        except Exception:  # noqa: BLE001 -- the outermost door: a question never takes the server down
            _LOG.exception("a question failed")
            return _json(b'{"error":{"code":"internal","message":"the server failed; its log says why"}}', status=503)

    return endpoint


def _refused(error: RefusedError) -> Response:
    answer = error.answer()
    headers = {name.decode(): value.decode() for name, value in answer.headers.items()}
    return Response(answer.body, answer.status, _HEADERS | headers, "application/json")


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BODY:
                    raise RefusedError(413, "body_too_large", f"a question has at most {MOST_BODY} bytes")
    except TimeoutError:
        raise RefusedError(408, "body_too_slow", f"the body did not arrive within {_BODY_SECONDS} seconds") from None
    except ClientDisconnect:
        raise RefusedError(400, "body_incomplete", "the body broke off before its end") from None
    return body


def _query(body: bytes) -> Query:
    try:
        return query_from_json(body)
    except (UnicodeError, RecursionError) as exc:
        raise QueryError(f"the query is not valid JSON: {exc}", code="bad_json") from exc


def _type_of(column: Sequence[object]) -> str:
    """``date``, ``datetime``, or another Python name of the first value that is there."""
    return next((type(value).__name__ for value in column if value is not None), "null")


def _decoded(body: bytes, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise QueryError(f"the body is not what this address takes: {exc}", code="bad_json") from exc


def _row_like(rows: list[dict[str, Any]], wanted: dict[str, Any]) -> dict[str, Any]:
    """The last row that reads as wanted, with dates as JSON has them."""
    fitting = [
        row for row in rows if all(msgspec.to_builtins(row.get(name)) == value for name, value in wanted.items())
    ]
    if not fitting:
        raise QueryError("the result has no such row", code="no_such_row")
    return fitting[-1]


def _arrow_stream(table: Any) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 -- optional; to_arrow has made sure that it is there

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _json(body: bytes, *, status: int = 200) -> Response:
    return Response(body, status, _HEADERS, "application/json")
