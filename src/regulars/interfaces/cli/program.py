"""The program ``regulars``: which commands there are, and what becomes of an error.

Commands are imported when they run, so that the help and the completion of a shell stay quick.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from regulars.errors import RegularsError, did_you_mean
from regulars.interfaces.cli.stopping import BROKEN_PIPE, INTERRUPTED, ReaderGoneError, was_interrupted
from regulars.interfaces.cli.words import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

_HERE = "regulars.interfaces.cli"
COMMANDS = {
    "init": (f"{_HERE}.init:init", "Make a workspace: a folder for one product's events."),
    "demo": (f"{_HERE}.demo:demo", "Make up a product, load it, and show its numbers."),
    "import": (f"{_HERE}.load:import_", "Load events and users from files."),
    "metric": (f"{_HERE}.metric:metric", "Answer a question: any metric, window, slice."),
    "explain": (f"{_HERE}.explain:explain", "Explain a number, down to people and events."),
    "compare": (f"{_HERE}.compare:compare", "Compare how two tools count the same question."),
    "publish": (f"{_HERE}.publish:publish", "Keep an answer under a name, as its next version."),
    "published": (f"{_HERE}.publish:published", "List or show what was published."),
    "changed": (f"{_HERE}.publish:changed", "Tell what has changed in a published answer."),
    "funnel": (f"{_HERE}.funnel:funnel", "Show how many people get from step to step."),
    "experiment": (f"{_HERE}.experiment:experiment", "Run experiments, and see what came of them."),
    "nps": (f"{_HERE}.nps:nps", "Show the net promoter score; record answers."),
    "users": (f"{_HERE}.users:users", "List the people behind a number."),
    "cohort": (f"{_HERE}.cohort:cohort", "List who belongs to a cohort or segment on a day."),
    "timeline": (f"{_HERE}.timeline:timeline", "Show one person: profile and newest events."),
    "report": (f"{_HERE}.report:report", "Write a report to send: HTML, Markdown or PDF."),
    "metrics": (f"{_HERE}.catalogue:metrics", "List the metrics, or describe one."),
    "sql": (f"{_HERE}.sql:sql", "Run one SELECT on the tables."),
    "serve": (f"{_HERE}.serve:serve", "Collect events over HTTP and answer questions."),
    "collect": (f"{_HERE}.serve:collect", "Only collect events over HTTP."),
    "keys": (f"{_HERE}.keys:keys", "Make, list and revoke keys of programs."),
    "check": (f"{_HERE}.check:check", "Check the data, here or in files: what is wrong, and what to do."),
    "plan": (f"{_HERE}.refresh:plan", "Show what changed settings leave to recompute."),
    "refresh": (f"{_HERE}.refresh:refresh", "Recompute what changed settings ask for."),
    "rebuild": (f"{_HERE}.rebuild:rebuild", "Compute everything derived from the events anew."),
    "retain": (f"{_HERE}.retain:retain", "Archive and drop raw events past their time."),
    "export-user": (f"{_HERE}.export:export_user", "Write down everything known of a person."),
    "erase": (f"{_HERE}.erase:erase", "Erase a person for good, with a certificate."),
    "backup": (f"{_HERE}.backup:backup", "Copy the workspace while it is in use."),
    "restore": (f"{_HERE}.backup:restore", "Make a workspace from a backup."),
    "doctor": (f"{_HERE}.doctor:doctor", "Check the workspace and say what is wrong."),
    "generate": ("regulars.synthetic.generate:generate_command", "Write made-up users and events to files."),
    "prepare": ("regulars.synthetic.prepare:prepare_command", "Clean a folder's users and events; count each day."),
    "features": ("regulars.synthetic.features:features_command", "Make features and churn labels for a model."),
}
FAILED = 3
_HELP = """Exact engagement analytics on your own machine: who is active, who comes back.

\b
Start here:
  regulars demo                           look around with made-up data
  regulars init shop --timezone Europe/Berlin
  regulars import events.csv -w shop
  regulars metric mau --by country -w shop

Commands look for the workspace in the current folder and above it, or where -w says.
Exit codes: 0 fine, 1 a check failed, 2 wrong usage, 3 a problem with data or database.
"""


class Program(click.Group):
    """A group that knows its commands by name and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click passes it
        """Every command, in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- same
        """Import one command; ``None`` when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a misspelt one is answered with the nearest."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"unknown command {name!r}; {did_you_mean(name, COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; click has an exit code of its own for a pipe that closes, we have another."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as exc:
            raise ReaderGoneError from exc

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- same
        """List the commands with their summaries, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name, without importing any."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 -- only a shell asks for it

        found = [name for name in COMMANDS if name.startswith(incomplete)]
        return [CompletionItem(name, help=COMMANDS[name][1]) for name in found] or super().shell_complete(
            ctx, incomplete
        )


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 -- click passes it
    if wanted:
        from regulars import __version__  # noqa: PLC0415 -- one attribute, when asked for

        click.echo(f"regulars {__version__}")
        ctx.exit()


program = Program(
    "regulars",
    help=_HELP,
    params=[
        click.Option(
            ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_print_version,
            help="Show the version and exit.",
        )
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)  # fmt: skip


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return the exit code. A user's mistake is one line, never a traceback."""
    _print_what_cannot_be_encoded()
    try:
        code = program.main(arguments, prog_name="regulars", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, ReaderGoneError):
        return _reader_went_away()
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as exc:  # noqa: BLE001 -- the outermost door: everything becomes a line and a code
        return report_error(exc)
    return code if isinstance(code, int) else 0


def report_error(exc: Exception) -> int:
    """Say in one line on stderr what went wrong, and return the exit code for it."""
    if os.environ.get("REGULARS_DEBUG") == "1":
        import traceback  # noqa: PLC0415 -- only for whoever looks for a fault in the program

        traceback.print_exception(exc)
    if was_interrupted(exc):
        return INTERRUPTED
    message, hint, code = _explain(exc)
    click.echo(f"error: {printable(message)}", err=True)
    if hint:
        click.echo(f"hint: {printable(hint)}", err=True)
    return code


def _explain(exc: Exception) -> tuple[str, str | None, int]:
    if isinstance(exc, RegularsError):
        hint = exc.fields.get("hint")
        return exc.message, None if hint is None else str(hint), exc.exit_code
    if isinstance(exc, click.ClickException):
        path = exc.ctx.command_path if isinstance(exc, click.UsageError) and exc.ctx else None
        return exc.format_message(), f"see {path} --help" if path else None, exc.exit_code if path else 2
    if isinstance(exc, OSError) and exc.strerror:
        where = f": {exc.filename}" if exc.filename else ""
        return f"{exc.strerror}{where}", None, FAILED
    text = f"internal: {type(exc).__name__}: {exc}; please report this, with what REGULARS_DEBUG=1 prints"
    return text, None, FAILED


def _print_what_cannot_be_encoded() -> None:
    """On a terminal that lacks a character, show a question mark rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _reader_went_away() -> int:
    # What is still buffered goes nowhere, so that the interpreter does not complain about it at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
