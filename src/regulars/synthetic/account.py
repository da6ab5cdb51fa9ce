"""What became of the data: the record of a run, its hints, and its tables for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from regulars.synthetic.command import printable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from regulars.synthetic.events_clean import CleanEvents
    from regulars.synthetic.snapshots import Labelling

FEW_EVENTS: Final = 1000
FEW_PER_USER: Final = 5
FEW_LABELS: Final = 200
_WIDTH = 100
_MEANINGS = {
    "signup_date_spelling": "sign-up dates written as 2025-01-31",
    "signup_date_unreadable": "sign-up dates that cannot be read, left empty",
    "plan_spelling": "plans in other letters or with blanks",
    "plan_from_is_paid": "missing plans, taken from is_paid",
    "is_paid_from_plan": "is_paid made to agree with the plan",
    "duplicate_user_id": "further rows of a user, left out",
    "event_type_spelling": "event types in other letters",
    "watch_minutes_unreadable": "minutes that are no number, now 0",
    "quiz_score_unreadable": "scores that are no number, left empty",
    "amount_unreadable": "amounts that are no number, left empty",
    "duplicate_event_id": "further rows of an event, left out",
    "bad_row": "rows with other columns than the header",
    "bad_encoding": "rows that are not UTF-8",
    "row_too_long": "rows of more than a megabyte",
    "no_user": "rows that name nobody",
    "no_type": "rows without an event type",
    "bad_time": "rows whose time cannot be read",
    "time_out_of_range": "times before 1970 or after 2199",
}


@dataclass(frozen=True)
class PreparedData:
    """What ``regulars prepare`` wrote, repaired and set aside."""

    folder: Path
    timezone: str  # in which days begin and end
    users: int
    events: int
    rows: int  # of user_daily
    start: dt.date
    end: dt.date
    days: int
    active_rows: int
    rows_read: dict[str, int]  # by table; every row is clean, a duplicate or rejected
    repairs: dict[str, dict[str, int]]  # by table and kind
    rejected: dict[str, dict[str, int]]  # by table and reason
    id_conflicts: int  # repeated event ids with another user, type or time; the first row counts
    naive_times: int  # times that name no zone, read as UTC
    unknown_user_events: int  # of people who are not in users: clean, but in no row of user_daily
    unknown_users: int
    anonymous_events: int  # of visitors whom no identify event names
    marker_events: int  # identify and its like, which are no activity
    events_outside_window: int
    unknown_types: dict[str, int]
    hints: tuple[str, ...]

    @property
    def mean_active_share(self) -> float | None:
        """Share of the rows of ``user_daily`` with an event; None when there are no rows."""
        return self.active_rows / self.rows if self.rows else None

    def as_json(self) -> dict[str, Any]:
        """The content of prepared.json; it does not depend on where the folders lie."""
        told = {name: value for name, value in asdict(self).items() if name != "folder"}
        told.update(start=self.start.isoformat(), end=self.end.isoformat(), hints=list(self.hints))
        return {**told, "mean_active_share": self.mean_active_share}


@dataclass(frozen=True)
class FeatureData:
    """What ``regulars features`` wrote."""

    folder: Path
    snapshots: int
    first: dt.date
    last: dt.date
    horizon: int
    lookback: int
    rows: int
    eligible: int  # rows of users with a core action in the lookback
    labelled: int  # of these, rows with a complete horizon
    churned: int  # of these, rows without a core action in it
    censored: int  # rows whose horizon goes beyond the last day of events
    hints: tuple[str, ...]

    @property
    def churn_rate(self) -> float | None:
        """Share of the labelled rows that churned; None when there are none."""
        return self.churned / self.labelled if self.labelled else None

    def as_json(self) -> dict[str, Any]:
        """The content of features.json; it does not depend on where the folders lie."""
        told = {name: value for name, value in asdict(self).items() if name != "folder"}
        told.update(first=self.first.isoformat(), last=self.last.isoformat(), hints=list(self.hints))
        return {**told, "churn_rate": self.churn_rate}


def hints_about(users: int, events: CleanEvents) -> tuple[str, ...]:
    """What to look at before trusting numbers made of this."""
    hints = []
    if events.events < FEW_EVENTS or events.events < FEW_PER_USER * users:
        hints.append(
            f"{events.events:,} events of {users:,} users are few; rates made of them move by chance. Take more days "
            "or users, or generate with a higher --activity-base"
        )
    if events.naive:
        hints.append(f"times that name no zone: {events.naive:,}; they were read as UTC")
    if events.unknown_user_events:
        hints.append(
            f"events of people who are not in users: {events.unknown_user_events:,}, people: {events.unknown_users:,}; "
            "they are in events_clean but in no row of user_daily"
        )
    if events.unknown_types:
        names = ", ".join(list(events.unknown_types)[:5])
        hints.append(
            f"events of types that the catalogue does not know: {sum(events.unknown_types.values()):,} ({names})"
        )
    return tuple(hints)


def tell_prepared(data: PreparedData) -> None:
    """Print what was written, repaired and rejected."""
    share = data.mean_active_share
    read = data.rows_read
    _print_table(
        (
            ("users_clean", f"{data.users:,} users", f"of {read['users']:,} rows"),
            ("events_clean", f"{data.events:,} events", f"of {read['events']:,} rows"),
            ("user_daily", f"{data.rows:,} rows", f"{data.start} to {data.end}, {data.days:,} days"),
            ("", "no rows" if share is None else f"{share:.1%} active", "mean share of users with an event on a day"),
        ),
        f"wrote to {data.folder}",
    )
    repaired = [(t, f"{n:,}", _MEANINGS[kind]) for t, kinds in data.repairs.items() for kind, n in kinds.items() if n]
    if repaired:
        _print_table(repaired, "repaired")
    rejected = [(t, f"{n:,}", _MEANINGS[reason]) for t, kinds in data.rejected.items() for reason, n in kinds.items()]
    if rejected:
        _print_table(rejected, "rejected, kept in rejects.csv with line and reason")
    print_hints(data.hints)


def print_hints(hints: Iterable[str]) -> None:
    """Print one line per hint."""
    for hint in hints:
        _print_line(f"hint: {hint}")


def hints_about_labels(counts: Mapping[str, int], labelling: Labelling) -> tuple[str, ...]:
    """What to look at before a model learns from these labels."""
    labelled, churned = counts["labelled"], counts["churned"]
    if not labelled:
        days = labelling.horizon + labelling.lookback
        hint = (
            f"no row has a label: that takes {days} days of events ({labelling.lookback} of lookback, "
            f"{labelling.horizon} of horizon) and users who are active. Take more days, or a smaller --horizon"
        )
        return (hint,)
    hints = []
    if churned in (0, labelled):
        who = "everybody" if churned else "nobody"
        hints.append(
            f"the churn rate is {churned // labelled}: {who} left within {labelling.horizon} days, so there is nothing "
            "to learn. Try another --horizon, or generate with another --churn-base-rate"
        )
    if labelled < FEW_LABELS:
        hints.append(f"{labelled:,} labels are few; a model learned from them will say little. Take more days or users")
    return tuple(hints)


def tell_features(data: FeatureData) -> None:
    """Print how many rows there are, and what their labels are."""
    rate = "undefined: no row has a label" if data.churn_rate is None else f"{data.churn_rate:.1%}"
    _print_table(
        (
            ("rows", f"{data.rows:,}", f"{data.snapshots:,} days from {data.first} to {data.last}"),
            ("eligible", f"{data.eligible:,}", f"with a core action in the {data.lookback} days before"),
            ("labelled", f"{data.labelled:,}", f"of these, with {data.horizon} known days after"),
            ("churned", f"{data.churned:,}", f"of these, without a core action in them; churn rate {rate}"),
            ("censored", f"{data.censored:,}", "the events end before the horizon does, so the label is empty"),
        ),
        f"wrote features to {data.folder}",
    )
    print_hints(data.hints)


def _print_table(rows: Iterable[tuple[str, str, str]], title: str) -> None:
    from rich.table import Table  # noqa: PLC0415 -- rich is for people only
    from rich.text import Text  # noqa: PLC0415

    _print_line(title)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column()
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in (f"  {row[0]}", *row[1:])))
    _console().print(table)


def _print_line(text: str) -> None:
    from rich.text import Text  # noqa: PLC0415 -- rich is for people only

    _console().print(Text(printable(text)), soft_wrap=True)


def _console() -> Any:
    import shutil  # noqa: PLC0415 -- people only
    import sys  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False, legacy_windows=False)
