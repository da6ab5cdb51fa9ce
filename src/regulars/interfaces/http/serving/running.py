"""Run an ASGI application on an address until it is told to stop, and end what was begun."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import signal
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

from regulars.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable

DRAIN_SECONDS = 10
_HURRY_SECONDS = 3
_HEADER_MILLISECONDS = 10_000
_HEADER_BYTES = 32 * 1024
_CONNECTIONS = 4096
_LOG = logging.getLogger("regulars.server")


def url_of(host: str, port: int) -> str:
    """The address as people and programs on this machine reach it.

    >>> url_of("0.0.0.0", 8085), url_of("::1", 80)
    ('http://127.0.0.1:8085', 'http://[::1]:80')
    """
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared, not bound
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def is_local(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_local("localhost"), is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_one_place(host: str, port: int, other_host: str, other_port: int) -> bool:
    """Whether two addresses cannot be listened at by two processes.

    >>> is_one_place("127.0.0.1", 80, "127.0.0.1", 80), is_one_place("0.0.0.0", 80, "127.0.0.1", 80)
    (True, True)
    >>> is_one_place("127.0.0.1", 80, "127.0.0.2", 80), is_one_place("127.0.0.1", 0, "127.0.0.1", 0)
    (False, False)
    """
    if not port or port != other_port:
        return False
    one, other = (ipaddress.ip_address(_resolved(each, port)[-1][0]) for each in (host, other_host))
    return one == other or one.is_unspecified or other.is_unspecified


def _resolved(host: str, port: int) -> tuple[Any, ...]:
    """Family, kind, protocol, name and address, as the system has them."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as exc:
        raise WorkspaceError(f"{host!r} is no address of this machine: {exc.strerror}", code="bad_address") from exc


def reserve(host: str, port: int, *, options: str = "--") -> tuple[socket.socket, int]:
    """Take a port, a free one for 0, so that nobody else gets it between two starts of the process behind it.

    The socket only holds the place, it never listens; processes of the same user may listen beside it. ``options`` is
    how the names of the options begin that say where: ``--`` of ``--host`` and ``--port``.

    Errors: :class:`WorkspaceError` ``address_in_use``, ``bad_address``.
    """
    family, kind, protocol, _, where = _resolved(host, port)
    try:
        if port:
            # Sharing a port is what lets a process start again at once, so it would not notice a stranger there.
            with closing(socket.socket(family, kind, protocol)) as alone:
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                alone.bind(where)
        held = socket.socket(family, kind, protocol)
        try:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(where)
        except OSError:
            held.close()
            raise
    except OSError as exc:
        if exc.errno == errno.EADDRNOTAVAIL:
            raise WorkspaceError(
                f"{host!r} is no address of this machine; choose another with {options}host",
                code="bad_address", host=host,
            ) from exc  # fmt: skip
        raise WorkspaceError(
            f"cannot use {host}:{port}: {exc.strerror}; choose another port with {options}port, 0 takes a free one",
            code="address_in_use", host=host, port=port,
        ) from exc  # fmt: skip
    return held, int(held.getsockname()[1])


def run(
    app: Any,
    host: str,
    port: int,
    *,
    supervised: bool = False,
    ready: Callable[[], None] | None = None,
    hurry: Callable[[], None] | None = None,
) -> None:
    """Answer requests until SIGTERM, or Ctrl-C; then stop accepting and finish those that have begun.

    A ``supervised`` process leaves Ctrl-C to its supervisor, and ends when that is gone: its standard input closes.
    ``hurry`` is called when requests take longer to end than anybody should have to wait.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(app, host, port, supervised=supervised, ready=ready, hurry=hurry))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The quicker event loop where it is installed (extra ``fast``; it exists for Linux and macOS), else Python's."""
    try:
        import uvloop  # noqa: PLC0415 -- optional
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _serve(
    app: Any,
    host: str,
    port: int,
    *,
    supervised: bool,
    ready: Callable[[], None] | None,
    hurry: Callable[[], None] | None,
) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if supervised:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_wait_for_end_of_input, args=(loop, stop), daemon=True).start()
    else:
        loop.add_signal_handler(signal.SIGINT, stop.set)
    server = _server(app, host, port)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    if ready is not None:
        loop.call_later(0.05, ready)
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        stopping.cancel()
        serving.result()
        return
    server.stop()
    _, unfinished = await asyncio.wait({serving}, timeout=DRAIN_SECONDS)
    if unfinished and hurry is not None:
        hurry()
        _, unfinished = await asyncio.wait({serving}, timeout=_HURRY_SECONDS)
    if unfinished:
        _LOG.warning("some requests did not end within %s seconds; their clients get no answer", DRAIN_SECONDS)


def _server(app: Any, host: str, port: int) -> Any:
    from granian.constants import HTTPModes, Interfaces  # noqa: PLC0415 -- only a server needs it
    from granian.http import HTTP1Settings  # noqa: PLC0415
    from granian.server.embed import Server  # noqa: PLC0415

    return Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_MILLISECONDS, max_buffer_size=_HEADER_BYTES),
        websockets=False,
        backlog=_CONNECTIONS,
        backpressure=_CONNECTIONS,
        log_enabled=False,
    )


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not through sys.stdin, whose lock a waiting thread would still hold when the interpreter ends.
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)
