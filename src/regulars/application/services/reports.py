"""Reports, as files to send to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from regulars.application.services.asking import Workspace


class Generate(Protocol):
    """Writes a report about a workspace: ``regulars.interfaces.reports.generate``."""

    def __call__(self, workspace: Any, name: str, format: str, **options: Any) -> bytes:
        """The report as one file."""


class ReportGenerator:
    """Writes reports. How they look is decided by the function that it is given.

    Example:
        >>> import regulars
        >>> from regulars.interfaces.reports import generate
        >>> text = ReportGenerator(regulars.open(), generate).generate_summary_report("md").decode()
    """

    def __init__(self, workspace: Workspace, generate: Generate) -> None:
        self._workspace = workspace
        self._generate = generate

    def generate_summary_report(self, format: str = "html", **options: Any) -> bytes:
        """Everything in brief, as ``html``, ``md`` or ``pdf``; options are ``start``, ``end``, ``by``, ``where`` ...

        Raises:
            UnknownNameError: ``unknown_format``.
            MissingExtraError: The libraries of the extra ``report`` or ``pdf`` are not installed.
        """
        return self._generate(self._workspace, "summary", format, **options)

    def generate_engagement_report(self, format: str = "html", **options: Any) -> bytes:
        """How often and how deeply people use it; as :meth:`generate_summary_report`."""
        return self._generate(self._workspace, "engagement", format, **options)

    def generate_conversion_report(self, format: str = "html", **options: Any) -> bytes:
        """Who gets how far; as :meth:`generate_summary_report`, with ``steps`` and ``within`` of the funnel."""
        return self._generate(self._workspace, "conversion", format, **options)
