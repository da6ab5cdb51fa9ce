"""The Python client and the browser's script against real servers."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.interfaces.http.collecting import snippet
from tests.interfaces.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interfaces.servers import Server

DAY = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = regulars.init(tmp_path_factory.mktemp("client") / "shop")
    with serving(folder, "--single-process") as running:
        yield running


def stored(server: Server, where: str) -> int:
    server.drained()
    return server.sql("SELECT count(*) FROM fact_user_actions JOIN dim_identities USING (identity_key) WHERE " + where)[
        0
    ][0]


class Moody(BaseHTTPRequestHandler):
    """A server that answers as the test wants, and remembers what came."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer with the next status of the list."""
        body = json.loads(gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.came.append((body, dict(self.headers)))
        status, answer, headers = self.server.moods.pop(0) if self.server.moods else (200, {"accepted": 1}, {})
        if status == 0:
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def moody(*moods: tuple[int, dict[str, object], dict[str, str]]) -> Iterator[socketserver.TCPServer]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Moody) as made:
        made.daemon_threads = True
        made.moods, made.came = list(moods), []
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


def url_of(made: socketserver.TCPServer) -> str:
    return f"http://127.0.0.1:{made.server_address[1]}"


def test_events_of_many_threads_arrive_once_each(server: Server) -> None:
    with regulars.Client(server.collecting, batch_size=50) as client:

        def work(number: int) -> None:
            for n in range(100):
                client.track(f"many-{number}", "like", timestamp=DAY, event_id=f"many-{number}-{n}")

        threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.flush(20)
        assert client.dropped == 0
    assert stored(server, "external_id LIKE 'many-%'") == 400


def test_who_somebody_is_reaches_the_database(server: Server) -> None:
    with regulars.Client(server.collecting) as client:
        client.track(None, "like", anonymous_id="visitor", timestamp=DAY)
        client.identify("client-ada", {"plan": "paid"}, anonymous_id="visitor")
        client.alias("older", "client-ada")
        assert client.flush(20)
    server.drained()
    assert server.sql("SELECT plan FROM dim_users WHERE user_id = 'client-ada'") == [["paid"]]


def test_a_failing_server_is_tried_again_with_the_same_ids() -> None:
    """A lost answer, an error and a busy server: the event is sent until somebody takes it."""
    with moody((0, {}, {}), (503, {}, {"Retry-After": "0"}), (429, {}, {"Retry-After": "1"})) as made:
        begun = time.monotonic()
        with regulars.Client(url_of(made), "rg_write_x", flush_seconds=0) as client:
            given = client.track("ada", "like")
            assert client.flush(20)
        assert time.monotonic() - begun >= 1
        assert {body["events"][0]["event_id"] for body, _ in made.came} == {given}
        assert len(made.came) == 4
        assert made.came[0][1]["Authorization"] == "Bearer rg_write_x"


def test_a_batch_that_is_too_large_is_sent_in_halves() -> None:
    with moody((413, {}, {}), (413, {}, {})) as made:
        with regulars.Client(url_of(made), flush_seconds=0.2) as client:
            for number in range(4):
                client.track("ada", "like", event_id=str(number))
            assert client.flush(20)
        sizes = [len(body["events"]) for body, _ in made.came]
        assert sizes == [4, 2, 1, 1, 2]


def test_what_is_refused_for_good_is_told_and_not_sent_again() -> None:
    rejected = {"accepted": 0, "rejected": [{"index": 0, "code": "no_identity", "message": "nobody did this"}]}
    told: list[str] = []
    with moody((400, rejected, {}), (401, {"error": {"code": "key_unknown", "message": "no"}}, {})) as made:
        with regulars.Client(url_of(made), flush_seconds=0, on_error=told.append) as client:
            for _ in range(2):
                client.track(None, "like")
                assert client.flush(20)
            assert client.dropped == 2
        assert len(made.came) == 2
    assert "no_identity" in told[0]
    assert "key_unknown" in told[1]


def test_the_queue_is_bounded_and_what_it_drops_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        client = regulars.Client(f"http://127.0.0.1:{deaf.getsockname()[1]}", most_queued=10, timeout=0.2)
        for _ in range(15):
            client.track("ada", "like")
        assert client.dropped == 5
        assert not client.close(timeout=0.1)
        assert client.dropped == 15
        with pytest.raises(regulars.RegularsError, match="closed"):
            client.track("ada", "like")


def test_closing_again_tells_nothing_new() -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with regulars.Client(address, timeout=0.2, on_error=told.append) as client:
            client.track("ada", "like")
            assert not client.close(timeout=0.1)
    assert not client.close(timeout=0.1)
    assert not client.flush(0.1)
    assert (client.dropped, len(told)) == (1, 1)


def test_neither_a_strange_answer_nor_a_failing_callback_ends_the_sending() -> None:
    """At that address may be another program, and the callback is anybody's code."""
    deep: list[object] = []
    for _ in range(900):
        deep = [deep]
    told = [(404, {"error": "Not found"}), (200, {"rejected": 3}), (403, [1]), (403, {"error": deep})]
    strange = [(status, answer, {}) for status, answer in [*told, (400, {"rejected": ["x"]})]]
    with moody(*strange) as made, regulars.Client(url_of(made), flush_seconds=0, on_error=lambda _: 1 / 0) as client:
        for _ in range(6):
            client.track("ada", "like")
            assert client.flush(20)
        assert client.dropped == 4
        assert len(made.came) == 6


def test_mistakes_are_told_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="no address"):
        regulars.Client("localhost:8085")
    client = regulars.Client("http://127.0.0.1:9")
    for bad in ({"n": float("nan")}, {"x": "y" * 300_000}):
        with pytest.raises(regulars.RegularsError):
            client.track("ada", "like", properties=bad)
    client.close(timeout=0)


def test_half_of_a_surrogate_pair_is_sent_as_a_sign() -> None:
    """Text of JavaScript or Windows that was cut in two: no reason to raise an error into somebody's program."""
    with moody() as made, regulars.Client(url_of(made), flush_seconds=0) as client:
        client.track("ada", "like", properties={"said": "\ud83d!", "\ude00": "\ud83d\ude00", "whole": "\U0001f600"})
        assert client.flush(20)
        (event,) = made.came[0][0]["events"]
    assert event["properties"] == {"said": "\ufffd!", "\ufffd": "\U0001f600", "whole": "\U0001f600"}


def test_what_waits_is_sent_when_the_program_ends(server: Server) -> None:
    code = f"""
        import regulars
        client = regulars.Client({server.collecting!r}, flush_seconds=60)
        for n in range(30): client.track("at-exit", "like", timestamp="2026-01-05T09:00:00Z")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60)  # noqa: S603 -- our own program
    assert stored(server, "external_id = 'at-exit'") == 30


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_has_a_queue_of_its_own(server: Server) -> None:
    client = regulars.Client(server.collecting, flush_seconds=0)
    client.track("fork-parent", "like", timestamp=DAY)
    assert client.flush(20)
    child = os.fork()
    if child == 0:
        client.track("fork-child", "like", timestamp=DAY)
        os._exit(0 if client.close(20) else 1)
    assert os.waitpid(child, 0)[1] == 0
    client.close()
    assert stored(server, "external_id LIKE 'fork-%'") == 2


def test_the_client_needs_nothing_but_the_standard_library() -> None:
    code = "import sys, regulars; regulars.Client; print([n for n in ('msgspec', 'duckdb') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 -- our own program
    assert done.stdout.strip() == "[]"


# --- the script for browsers ----------------------------------------------------------------------------------

SCRIPT = Path(snippet.__file__).with_name("snippet.js")
PAGE = """
const {url, fail} = JSON.parse(process.argv[2]);
const store = {}, listeners = {};
const beacons = [];
let failures = fail;
const realFetch = globalThis.fetch;
globalThis.window = globalThis;
globalThis.fetch = (...all) => failures-- > 0 ? Promise.reject(new Error("down")) : realFetch(...all);
globalThis.localStorage = {getItem: (k) => store[k] ?? null, setItem: (k, v) => { store[k] = v; },
  removeItem: (k) => { delete store[k]; }};
globalThis.location = {pathname: "/start", search: "?utm_source=x"};
globalThis.addEventListener = (name, run) => { listeners[name] = run; };
const sendBeacon = (to, body) => { beacons.push([to, body]); return true; };
Object.defineProperty(globalThis, "navigator", {value: {sendBeacon}});
globalThis.document = {title: "Start", referrer: "", visibilityState: "visible",
  currentScript: {src: url + "/v1/regulars.js", dataset: {}}, addEventListener: (n, run) => { listeners[n] = run; }};
const text = await (await realFetch(url + "/v1/regulars.js")).text();
(0, eval)(text);
regulars.track("like", {shade: "red"});
regulars.identify("browser-ada", {plan: "paid"});
await new Promise((done) => setTimeout(done, 4000));
regulars.track("share");
document.visibilityState = "hidden";
listeners.visibilitychange();
for (const [to, body] of beacons) await realFetch(to, {method: "POST", body, headers: {"Content-Type": "text/plain"}});
console.log(JSON.stringify({anonymous: store["regulars.anonymous"], beacons: beacons.length}));
process.exit(0);
"""


def test_the_script_is_small() -> None:
    """Less than 3 KB as it travels."""
    assert len(gzip.compress(SCRIPT.read_bytes(), 9)) < 3 * 1024


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, which runs the script outside a browser")
@pytest.mark.parametrize("failures", [0, 2])
def test_the_script_sends_what_happens_on_a_page(server: Server, tmp_path: Path, failures: int) -> None:
    """Page view, event, identify, and the rest by beacon when the page is left; also when the first tries fail."""
    before = server.drained()["events_loaded"]
    file = tmp_path / "page.mjs"
    file.write_text(PAGE)
    given = json.dumps({"url": server.collecting, "fail": failures})
    done = subprocess.run(["node", str(file), given], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603, S607 -- our own page
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["beacons"] == 1
    assert server.drained()["events_loaded"] - before == 4
    rows = server.sql(
        "SELECT action_type FROM fact_user_actions JOIN dim_actions USING (action_key) JOIN dim_identities i "
        "USING (identity_key) WHERE user_key = (SELECT user_key FROM dim_identities WHERE external_id = "
        f"'{told['anonymous']}') ORDER BY action_timestamp, event_id"
    )
    assert {row[0] for row in rows} >= {"page_view", "like", "share", "identify"}
