"""What every test run shares: how hypothesis draws, and what is told in the end.

``default`` draws the same examples every time, so that a red run is about the change and can be repeated. ``torture``
(``make torture``) draws new ones, many more, and is where unknown mistakes are looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

settings.register_profile(
    "default",
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile("torture", parent=settings.get_profile("default"), max_examples=1000, derandomize=False)
settings.load_profile("default")


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Tell the figures that tests recorded: how often something was tried, how long it took, and by which means."""
    for report in terminalreporter.getreports("passed"):
        if report.when == "call" and report.user_properties:
            figures = ", ".join(f"{name}: {value}" for name, value in report.user_properties)
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {figures}")
