"""``regulars serve`` and ``regulars collect``: events in over HTTP, and answers out."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import click

from regulars.errors import WorkspaceError
from regulars.interfaces.cli.opening import SETTINGS_NAME, find_folder
from regulars.interfaces.cli.options import WORDS, quiet_option, workspace_option
from regulars.interfaces.cli.stopping import end_when_done_after_ctrl_c

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOCAL = "127.0.0.1"
PORT, API_PORT = 8085, 8086
_host_option = click.option(
    "--host", default=LOCAL, show_default=True, type=WORDS, metavar="ADDRESS",
    help="Where events are taken; 0.0.0.0 is everywhere, and needs keys.",
)  # fmt: skip
_port_option = click.option(
    "--port",
    default=PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port for events; 0 takes a free one.",
)


@click.command()
@_host_option
@_port_option
@click.option("--api-host", default=LOCAL, show_default=True, type=WORDS, metavar="ADDRESS",
              help="Where questions are answered.")  # fmt: skip
@click.option("--api-port", default=API_PORT, show_default=True, type=click.IntRange(0, 65535),
              help="Port for questions; 0 takes a free one.")  # fmt: skip
@click.option("--single-process", is_flag=True, help="Everything in one process at one address, for a try.")
@workspace_option
@quiet_option
def serve(**given: Any) -> int:
    """Collect events over HTTP, load them within a second, and answer questions.

    Two processes are started, and started again should they die: one takes events and answers when they are safely on
    disk, one owns the database. Ctrl-C ends both, and loses nothing.

    \b
    Examples:
      regulars serve -w shop
      regulars keys create write -w shop && regulars serve -w shop --host 0.0.0.0
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    folder = _folder(given["workspace"])
    say = _sayer(quiet=given["quiet"])
    _refuse_open_doors(folder, given["host"], "--host")
    if given["single_process"]:
        _serve_single(folder, given, say)
        return 0
    _refuse_open_doors(folder, given["api_host"], "--api-host")
    _refuse_one_place(given)
    from regulars.interfaces.http.serving.supervisor import Supervisor  # noqa: PLC0415 -- only a server needs it

    supervisor = Supervisor(folder, say)
    end_when_done_after_ctrl_c()
    signal.signal(signal.SIGTERM, supervisor.stop)
    signal.signal(signal.SIGINT, supervisor.stop)
    return supervisor.serve(given["host"], given["port"], given["api_host"], given["api_port"])


@click.command()
@_host_option
@_port_option
@workspace_option
@quiet_option
def collect(**given: Any) -> None:
    """Only collect: take events over HTTP and keep them in the journal, without opening the database.

    The next `regulars serve`, or any other command, loads what was collected.

    \b
    Example:
      regulars collect -w shop --port 8085
    """  # noqa: D301 -- same
    folder = _folder(given["workspace"])
    say = _sayer(quiet=given["quiet"])
    _refuse_open_doors(folder, given["host"], "--host")
    from regulars.interfaces.http.serving.processes import run_collector  # noqa: PLC0415 -- only a server needs these
    from regulars.interfaces.http.serving.running import reserve, url_of  # noqa: PLC0415

    place, port = reserve(given["host"], given["port"])
    with place:
        url = url_of(given["host"], port)
        run_collector(folder, given["host"], port, ready=lambda: say(f"collecting at {url}"))


def _serve_single(folder: Path, given: dict[str, Any], say: Callable[[str], None]) -> None:
    from regulars.infrastructure.lock import SERVER_LOCK_NAME, WorkspaceLock  # noqa: PLC0415 -- only a server needs it
    from regulars.interfaces.http.serving.processes import run_single  # noqa: PLC0415
    from regulars.interfaces.http.serving.running import reserve, url_of  # noqa: PLC0415

    def ready() -> None:
        say(f"collecting at {url}")
        say(f"answering at {url}")

    lock = WorkspaceLock(folder, shared=False, name=SERVER_LOCK_NAME)
    try:
        place, port = reserve(given["host"], given["port"])
        url = url_of(given["host"], port)
        lock.announce(url)
        with place:
            run_single(folder, given["host"], port, ready=ready)
    finally:
        lock.release()


def _folder(given: Path | None) -> Path:
    folder = find_folder(given)
    if not (folder / SETTINGS_NAME).is_file():
        raise WorkspaceError(f"no workspace in {str(folder)!r}; make one with: regulars init {folder}")
    return folder


def _sayer(*, quiet: bool) -> Callable[[str], None]:
    def say(text: str) -> None:
        if not quiet:
            click.echo(text)

    return say


def _refuse_one_place(given: dict[str, Any]) -> None:
    from regulars.interfaces.http.serving.running import is_one_place  # noqa: PLC0415 -- only a server needs it

    if is_one_place(given["host"], given["port"], given["api_host"], given["api_port"]):
        raise click.UsageError(
            f"--port and --api-port are both {given['port']}, and two processes cannot share one; change either, or "
            "take --single-process, which has one port for both"
        )


def _refuse_open_doors(folder: Path, host: str, option: str) -> None:
    """Without keys everybody who reaches the server may use it, so nobody else's machine may reach it."""
    from regulars.interfaces.http.serving.processes import operational_store  # noqa: PLC0415 -- only a server needs these
    from regulars.interfaces.http.serving.running import is_local  # noqa: PLC0415

    if is_local(host):
        return
    with operational_store(folder) as (store, _):
        if not store.keys.all():
            raise WorkspaceError(
                f"{option} {host} lets other machines in, and there are no keys; make one first: "
                f"regulars keys create write -w {folder}",
                code="keys_needed",
            )
