"""Who may do what: every address, every method of asking, every state of a key. A new address must be entered here."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.application.keys import create, find, make_key, revoke, rotate
from regulars.domain.keys import ROLES
from regulars.interfaces.http.api import ADDRESSES
from regulars.interfaces.http.collecting.collector import PAGES
from regulars.interfaces.http.collecting.forms import ROUTES
from tests.interfaces.asgi import NOW, Answering, Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = dt.timedelta(hours=1)
# Address, method, and the role that it takes; None is everybody.
COLLECTOR = {
    **{
        ("POST", path): "write" for path in (
            "/v1/track", "/v1/t", "/v1/batch", "/v1/identify", "/v1/i", "/v1/alias", "/v1/a", "/v1/page", "/v1/p",
            "/v1/screen", "/v1/s", "/v1/group", "/v1/g", "/batch", "/capture", "/track", "/e", "/i/v0/e",
        )
    },
    ("GET", "/health"): None, ("GET", "/metrics"): "read", ("GET", "/v1/regulars.js"): None,
}  # fmt: skip
STORE = {
    ("POST", "/api/v1/query"): "read", ("POST", "/api/v1/users"): "read", ("POST", "/api/v1/sql"): "read",
    ("POST", "/api/v1/import"): "admin", ("POST", "/api/v1/backup"): "admin", ("POST", "/api/v1/export-user"): "admin",
    ("POST", "/api/v1/erase"): "admin", ("GET", "/metrics"): "read", ("GET", "/health"): None,
}  # fmt: skip
# Without any key: programs on this machine may send and ask, and nobody may do what an admin does.
LOCKED = {"/api/v1/import", "/api/v1/backup", "/api/v1/export-user", "/api/v1/erase"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(regulars.init(tmp_path / "shop"))
    yield made
    made.store.close()


@pytest.fixture
def answering(bench: Bench) -> Iterator[Answering]:
    made = Answering(bench)
    yield made
    made.close()


def secrets_of(bench: Bench, elsewhere: Bench) -> dict[tuple[str, str], str | None]:
    """Every secret that somebody may come with: by state, and by role where it has one."""
    keys = bench.store.keys
    found: dict[tuple[str, str], str | None] = {
        ("nothing", ""): None, ("blank", ""): "", ("garbage", ""): "rg_admin_" + "x" * 43, ("not ascii", ""): "\u00fc",
        ("long", ""): "x" * 10_000, ("token of another server", ""): "another-token", ("token", ""): Answering.token,
    }  # fmt: skip
    for role in ROLES:
        found["fresh", role] = create(keys, role, "", NOW)[1]
        for state, rotated_at in (("in grace", NOW), ("rotated out", NOW - 2 * HOUR)):
            old, found[state, role] = create(keys, role, "", NOW - 9 * HOUR)
            found[f"new beside {state}", role] = rotate(keys, old.id, rotated_at, grace=HOUR)[1]
        ended, found["revoked", role] = create(keys, role, "", NOW)
        revoke(keys, ended.id, NOW)
        found["of another workspace", role] = create(elsewhere.store.keys, role, "", NOW)[1]
        found["a digest instead of a secret", role] = make_key(role, "", NOW)[0].digest.hex()
    return found


def expected(needed: str | None, state: str, role: str, *, store: bool) -> int:
    """403 for a key that works and may not, 401 for what is no key that works, 0 for whoever may."""
    if needed is None or (store and state == "token"):
        return 0
    if state not in {"fresh", "in grace", "new beside in grace", "new beside rotated out"}:
        return 401
    return 0 if role in {needed, "admin"} else 403


def test_no_address_is_left_out() -> None:
    """The tables above are written by hand, and name every address there is with the role that it takes."""
    assert {path for _, path in COLLECTOR} == {*ROUTES, *PAGES}
    assert {("GET", path): role for path, (_, role) in PAGES.items()}.items() <= COLLECTOR.items()
    assert {(method, path): role for path, method, _, role, _ in ADDRESSES} == STORE
    assert {path for path, _, _, _, always in ADDRESSES if always} == LOCKED


def test_every_secret_at_every_address(bench: Bench, answering: Answering, tmp_path: Path) -> None:
    elsewhere = Bench(regulars.init(tmp_path / "elsewhere"))
    secrets = secrets_of(bench, elsewhere)
    elsewhere.store.close()
    refusals: set[tuple[int, str, str]] = set()
    for (state, role), secret in secrets.items():
        headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
        encoded = {} if secret is None else {"authorization": f"Bearer {secret}".encode()}
        for (method, path), needed in COLLECTOR.items():
            reply = bench.send(path, {} if method == "POST" else b"", headers, method=method)
            allowed = expected(needed, state, role, store=False)
            assert (reply.status if reply.status in {401, 403} else 0) == allowed, (state, role, path, reply.status)
            if allowed == 401:
                refusals.add((401, reply.json["error"]["code"], reply.json["error"]["message"]))
        for (method, path), needed in STORE.items():
            reply = answering.ask(method, path, b"{}", encoded)
            allowed = expected(needed, state, role, store=True)
            assert (reply.status if reply.status in {401, 403} else 0) == allowed, (state, role, path, reply.status)
            if allowed == 401:
                refusals.add((401, reply.json["error"]["code"], reply.json["error"]["message"]))
    # Who guesses learns nothing: ended, foreign and made-up keys are told the same, everywhere.
    assert {code for _, code, _ in refusals} == {"key_missing", "key_unknown"}
    assert len(refusals) == 2
    assert bench.kept() == []


def test_without_any_key_only_programs_on_this_machine_may_ask(bench: Bench, answering: Answering) -> None:
    for method, path in COLLECTOR:
        assert bench.send(path, {} if method == "POST" else b"", method=method).status in {200, 400}, path
    for (method, path), needed in STORE.items():
        code = 403 if path in LOCKED else 0
        for headers, wanted in (
            ({}, code), ({"host": b"localhost:8086"}, code), ({"host": b"evil.example"}, 403),
            ({"host": b"[::1]:8086"}, code), ({"host": b"127.0.0.2"}, code), ({"host": b"127.evil.example"}, 403),
            ({"origin": b"https://evil.example"}, 403), ({"origin": b"null"}, 403), ({"host": b""}, 403),
        ):  # fmt: skip
            reply = answering.ask(method, path, b"{}", headers)
            assert (reply.status if reply.status in {401, 403} else 0) == (wanted if needed else 0), (path, headers)
            assert reply.status < 400 or reply.json["error"]["code"]


def test_answers_are_kept_by_nobody_and_taken_for_nothing_else(answering: Answering) -> None:
    """They hold what only a key may read."""
    for method, path in STORE:
        reply = answering.ask(method, path, b"{}")
        told = {name.lower(): value for name, value in reply.headers.items()}
        if path != "/metrics":
            assert (told["cache-control"], told["x-content-type-options"]) == ("no-store", "nosniff"), path
    elsewhere = answering.ask("POST", "/api/v1/query/", b"{}", {"host": b"evil.example"})
    assert (elsewhere.status, elsewhere.json["error"]["code"]) == (404, "no_such_address")
    wrong = answering.ask("GET", "/api/v1/query")
    assert (wrong.status, {name.lower(): value for name, value in wrong.headers.items()}["allow"]) == (405, "POST")


def test_a_body_that_never_comes_is_not_waited_for(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regulars.interfaces.http.api._BODY_SECONDS", 0.2)
    reply = answering.ask("POST", "/api/v1/query", stalls=True)
    assert (reply.status, reply.json["error"]["code"]) == (408, "body_too_slow")


def test_a_key_that_ended_is_not_told_from_one_that_never_was_by_time() -> None:
    """Every key is compared, wherever the right one stands: the quickest of many tries take about as long."""
    keys, secrets = zip(*(make_key("write", "", NOW) for _ in range(2000)), strict=True)

    def quickest(secret: str) -> float:
        times = []
        for _ in range(40):
            begun = time.perf_counter()
            find(keys, secret, NOW)
            times.append(time.perf_counter() - begun)
        return min(times)

    spans = [quickest(secret) for secret in (secrets[0], secrets[1000], secrets[-1], "rg_write_wrong")]
    assert max(spans) < 3 * min(spans)
