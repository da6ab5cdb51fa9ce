"""What every test run shares: how hypothesis draws, a server of PostgreSQL, the places of a journal, what is told.

``default`` draws the same examples every time, so that a red run is about the change and can be repeated. ``torture``
(``make torture``) draws new ones, many more, and is where unknown mistakes are looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _pytest.terminal import TerminalReporter

    from tests.infrastructure.journals import Place
    from tests.postgres import PostgresServer

settings.register_profile(
    "default",
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile(
    "torture",
    parent=settings.get_profile("default"),
    max_examples=1000,
    derandomize=False,
    database=DirectoryBasedExampleDatabase(".hypothesis/examples"),  # what fails once is tried first the next time
)
settings.load_profile("default")


@pytest.fixture(scope="session")
def postgres_of_session() -> Iterator[PostgresServer]:
    """A real server, where its programs are installed."""
    from tests.postgres import binaries, lent  # noqa: PLC0415 -- most tests need none

    programs = binaries()
    if programs is None:
        pytest.skip("the programs of PostgreSQL are not installed (Debian: postgresql)")
    with lent(programs) as server:
        yield server


@pytest.fixture
def postgres_server(postgres_of_session: PostgresServer) -> PostgresServer:
    """The server, running, whatever the test before has done to it."""
    postgres_of_session.run()
    return postgres_of_session


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where a journal can be; a test with it runs once for each."""
    from tests.infrastructure.journals import PostgresPlace, SqlitePlace  # noqa: PLC0415 -- same

    server = request.getfixturevalue("postgres_server") if request.param == "postgres" else None
    found = SqlitePlace(tmp_path) if server is None else PostgresPlace(server, tmp_path)
    yield found
    found.close()


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Tell the figures that tests recorded: how often something was tried, how long it took, and by which means."""
    for report in terminalreporter.getreports("passed"):
        if report.when == "call" and report.user_properties:
            figures = ", ".join(f"{name}: {value}" for name, value in report.user_properties)
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {figures}")
