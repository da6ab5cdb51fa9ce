"""Keys are said nowhere: not in logs, not in answers, not in files, whatever goes wrong around them."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import io
import json
import logging
from typing import TYPE_CHECKING

import regulars
from regulars.application.keys import create, revoke
from regulars.infrastructure.operational.sqlite import SqliteStore
from regulars.interfaces.http.api import ADDRESSES
from regulars.interfaces.http.collecting.collector import PAGES
from regulars.interfaces.http.collecting.forms import ROUTES
from tests.interfaces.cli import call
from tests.interfaces.servers import get, post, serving

if TYPE_CHECKING:
    from pathlib import Path

LONG_AGO = dt.datetime(2026, 1, 1)
LIKE = {"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}


def canaries(folder: Path) -> list[str]:
    """A key of each role, one that was revoked, and one that never was."""
    store = SqliteStore(folder)
    made = [create(store.keys, role, "canary", LONG_AGO) for role in ("write", "read", "admin", "write")]
    revoke(store.keys, made[-1][0].id, LONG_AGO)
    store.close()
    return [secret for _, secret in made] + ["rg_write_canary-that-never-was-a-key"]


def bodies_around(secret: str) -> list[object]:
    """Bodies with a key wherever libraries put it, right and wrong around it."""
    return [
        {"api_key": secret, "events": [LIKE]}, {"writeKey": secret, "batch": [LIKE]}, {"api_key": secret},
        LIKE | {"api_key": secret, "writeKey": secret, "shade": "red"}, [LIKE | {"api_key": secret}, 5],
        {"api_key": secret, "events": [LIKE | {"timestamp": "soon"}]}, {"api_key": [secret]}, {secret: secret},
        {"event": "like", "distinct_id": "ada", "properties": {"token": secret}, "api_key": secret},
        {"api_key": secret, "events": {"a": [secret]}}, f'{{"api_key": "{secret}", "events": [}}'.encode(),
        gzip.compress(json.dumps({"api_key": secret, "batch": [LIKE]}).encode()), b"data=" + secret.encode(),
    ]  # fmt: skip


def test_a_whole_run_says_no_key(tmp_path: Path) -> None:
    folder = regulars.init(tmp_path / "shop")
    secrets = canaries(folder)
    said = io.StringIO()
    told = logging.StreamHandler(said)
    logging.getLogger().addHandler(told)
    with serving(folder) as server:
        for secret in secrets:
            basic = base64.b64encode(f"{secret}:".encode()).decode()
            for headers in (
                {"Authorization": f"Bearer {secret}"}, {"Authorization": f"Basic {basic}"}, {"X-Api-Key": secret},
                {"Authorization": secret}, {"Authorization": f"Bearer {secret[:-1]}"}, {"X-Request-Id": secret + "?"},
            ):  # fmt: skip
                said.write(repr([get(f"{server.collecting}{path}", headers) for path in (*PAGES, f"/{secret}")]))
                said.write(repr(post(f"{server.collecting}/v1/track", LIKE, headers)))
                for path, method, *_ in ADDRESSES:
                    url = f"{server.answering}{path}"
                    said.write(repr(get(url, headers) if method == "GET" else post(url, {"sql": 5}, headers)))
            for path in ("/v1/track", "/v1/batch", "/batch", "/e"):
                assert path in ROUTES
                for body in bodies_around(secret):
                    said.write(repr(post(f"{server.collecting}{path}", body)))
                said.write(repr(post(f"{server.collecting}{path}?key={secret}&writeKey={secret}", [LIKE])))
            with regulars.Client(server.collecting, secret, on_error=said.write) as client:
                client.track("ada", "like")
                client.flush(10)
        assert call("keys", "list", "-w", folder).out.count("canary") == 4
        numbers = {"Authorization": f"Bearer {secrets[1]}"}
        assert b"regulars_events_accepted" in get(f"{server.answering}/metrics", numbers)[1]
        assert server.stop() == 0
        said.write(server.errors.read_text())
    logging.getLogger().removeHandler(told)
    said.write(call("doctor", "-w", folder).out + call("sql", "FROM fact_user_actions", "-w", folder).out)
    files = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert len(files) > 100_000
    assert len(said.getvalue()) > 20_000
    for secret in secrets:
        middle = secret[9:-1]  # the end of a key is shown, so that people can tell keys apart
        assert middle not in said.getvalue()
        assert middle.encode() not in files
        assert base64.b64encode(middle.encode())[4:-4] not in files
