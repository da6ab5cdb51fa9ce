"""``regulars.toml`` as one frozen record.

Unknown keys are errors with a suggestion. The hash of the settings that stored rollups depend on is kept
with them (:meth:`Settings.definitions`), so that a changed definition is never answered from old rows.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from regulars.domain.actions import MARKERS, Action, describe
from regulars.domain.cohorts import Cohort
from regulars.domain.dimensions import Dimensions, dimensions
from regulars.domain.quality.declared import CheckSettings, ValueRange, check_declared, check_range_names
from regulars.domain.query import EventCondition, Filter
from regulars.domain.rules import SESSION_GAP_MINUTES
from regulars.domain.schema import DERIVED_COLUMNS
from regulars.domain.segments import CohortRules, check_rules, ordered_segments
from regulars.domain.wire import Limits
from regulars.errors import QueryError, SettingsError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[str, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MINUTES_PER_DAY = 1440
MOST_DAYS = 36_525
SETTINGS_NAME = "regulars.toml"
BUILT_IN_ACTIVITIES = ("core", "any", "conversion", "core_feature")


class Activity(EventCondition, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A declared activity: which events qualify, and how many a day make a user active."""

    min_events: int = 1
    max_events: int | None = None


class ActionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Overrides of one action in the catalogue; what is left out keeps the shipped value."""

    category: str | None = None
    weight: float | None = None
    core: bool | None = None
    conversion: bool | None = None


class PopulationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is not a production user. These lists win over flags on the users."""

    test_users: tuple[str, ...] = ()
    bots: tuple[str, ...] = ()
    production_users: tuple[str, ...] = ()


class SessionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a new session begins. A gap of exactly ``gap_minutes`` continues the session."""

    gap_minutes: int = SESSION_GAP_MINUTES
    source: Literal["derived", "client"] = "derived"
    passive_extends: bool = False
    split_at_midnight: bool = False

    def __post_init__(self) -> None:
        """Refuse a gap that no session could have."""
        if not 1 <= self.gap_minutes <= MINUTES_PER_DAY:
            raise SettingsError(f"sessions.gap_minutes must be between 1 and {MINUTES_PER_DAY}, not {self.gap_minutes}")


class RollupSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every activity is counted by ahead of time: attributes of people, pairs of them, properties of events."""

    dimensions: tuple[str, ...] = ("country", "plan", "device_type")
    pairs: tuple[tuple[str, str], ...] = ()
    event_dimensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names that cannot be slices."""
        self.checked()

    def checked(self) -> Dimensions:
        """The slices in one order."""
        return dimensions(self.dimensions, self.pairs, self.event_dimensions)


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which engine answers questions, with its own options, and bounds for the embedded database.

    Beyond ``memory_limit`` the database of a folder spills to disk; a workspace in memory has no such bound. A server
    stops a question that takes longer than ``query_seconds``.
    """

    name: str = "duckdb"
    options: dict[str, str | int | float | bool] = {}
    memory_limit: str = "3GB"
    threads: int | None = None
    query_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0


class ImportSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of one event, and whether what an import brought is checked."""

    string_bytes: int = 65_536
    name_characters: int = 200
    store_ip: bool = False
    check: bool = True


class JournalSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where tracked events wait: how many bytes in memory, how much room stays free on the disk, and how long.

    Events that the database has already stay in the journal for ``keep_days``, and go into the archive then, unless
    ``archive`` is off. In PostgreSQL, a workspace has a ``schema`` of its own in the database that ``dsn`` names, or
    the environment variable ``dsn_env``.
    """

    store: Literal["sqlite", "postgres"] = "sqlite"
    dsn: str | None = None
    dsn_env: str | None = None
    schema: str | None = None
    memory_mib: int = 64
    disk_floor_mib: int = 256
    keep_days: int = 7
    archive: bool = True

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing could be tracked, and a server that cannot be found."""
        for name, least in (("memory_mib", 1), ("disk_floor_mib", 0), ("keep_days", 0)):
            if getattr(self, name) < least:
                raise SettingsError(f"journal.{name} must be at least {least}, not {getattr(self, name)}")
        _check_server(self)


def _check_server(journal: JournalSettings) -> None:
    if re.search(r"password\s*=|://[^/@]*:[^/]*@", journal.dsn or "", re.IGNORECASE):
        # The file is copied into backups and shown to colleagues; the value is not repeated here either.
        raise SettingsError(
            "journal.dsn holds a password; put the connection string into an environment variable and its name into "
            "dsn_env, or the password into PGPASSWORD or ~/.pgpass"
        )
    if journal.store == "postgres" and (journal.dsn is None) == (journal.dsn_env is None):
        raise SettingsError(
            'journal.store = "postgres" needs either dsn (such as "host=db.example dbname=regulars user=regulars") or '
            "dsn_env, the name of an environment variable that holds it"
        )
    if journal.store == "postgres" and not re.fullmatch(r"(?!pg_)[a-z_][a-z0-9_]{0,62}", journal.schema or ""):
        raise SettingsError(
            "journal.schema must name the schema of this workspace and of no other: lower-case letters, digits and _, "
            f"at most 63, not {journal.schema!r}"
        )


class RetentionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many days raw events stay in the database; older ones are archived. None keeps all of them."""

    events_days: int | None = None

    def __post_init__(self) -> None:
        """Refuse a number that would leave no whole day."""
        if self.events_days is not None and not 1 <= self.events_days <= MOST_DAYS:
            raise SettingsError(
                f"retention.events_days must be between 1 and {MOST_DAYS}, not {self.events_days}; "
                "leave it out to keep every event"
            )


class CollectorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the collector takes in one request, and from one key."""

    body_mib: int = 5
    inflated_mib: int = 20
    body_seconds: int = 15
    events_per_second: int = 200_000

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing could be collected."""
        for name in self.__struct_fields__:
            if getattr(self, name) < 1:
                raise SettingsError(f"collector.{name} must be at least 1, not {getattr(self, name)}")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"imports": "import"}):
    """Everything a workspace can declare.

    >>> Settings.from_toml('timezone = "Europe/Berlin"').timezone
    'Europe/Berlin'
    """

    timezone: str = "UTC"
    week_start: Weekday = "monday"
    holidays: str | None = None
    actions: dict[str, ActionSettings] = {}
    activity: dict[str, Activity] = {}
    cohorts: dict[str, Cohort] = {}
    segments: dict[str, Cohort] = {}
    segment_order: tuple[str, ...] = ()
    core_features: tuple[str, ...] = ()
    population: PopulationSettings = PopulationSettings()
    sessions: SessionSettings = SessionSettings()
    rollups: RollupSettings = RollupSettings()
    imports: ImportSettings = ImportSettings()
    engine: EngineSettings = EngineSettings()
    journal: JournalSettings = JournalSettings()
    collector: CollectorSettings = CollectorSettings()
    retention: RetentionSettings = RetentionSettings()
    checks: dict[str, CheckSettings] = {}
    ranges: dict[str, ValueRange] = {}

    def __post_init__(self) -> None:
        """Refuse values that no later step could use."""
        check_timezone(self.timezone)
        for name, activity in self.activity.items():
            _check_activity(name, activity)
        check_rules(self.rules)
        check_range_names(self.ranges)
        if self.checks:
            _check_checks(self.checks)

    @classmethod
    def from_toml(cls, text: str, source: str = "regulars.toml") -> Settings:
        """Read settings from TOML text; the error names the key, the value and what is allowed."""
        try:
            return msgspec.convert(tomllib.loads(text), cls)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
            cause = exc.__cause__
            code = cause.code if isinstance(cause, SettingsError) else None
            raise SettingsError(f"{source}: {_explain(exc)}", code=code, source=source) from exc

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Read a settings file; a missing one means the defaults."""
        if not path.exists():
            return cls()
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as exc:
            raise SettingsError(f"{path.name} is not UTF-8 text; save it as UTF-8", source=path.name) from exc
        return cls.from_toml(text, path.name)

    @property
    def week_start_number(self) -> int:
        """ISO number of the first day of the week: Monday is 1."""
        return WEEKDAYS.index(self.week_start) + 1

    @property
    def event_limits(self) -> Limits:
        """What one event may be that arrives by itself."""
        return Limits(self.timezone, self.imports.name_characters, self.imports.string_bytes)

    @property
    def activities(self) -> tuple[str, ...]:
        """Every activity a query may name, built-in ones first."""
        return (*BUILT_IN_ACTIVITIES, *sorted(self.activity))

    @property
    def stored_activities(self) -> tuple[str, ...]:
        """The activities that have stored arrivals: ``core``, ``any`` and the declared ones."""
        return ("core", "any", *sorted(self.activity))

    @property
    def rules(self) -> CohortRules:
        """The cohorts, and the segments in the order in which they are tried."""
        return CohortRules(self.cohorts, ordered_segments(self.segments, self.segment_order))

    def action(self, action_type: str) -> Action:
        """Category, weight and flags of an action type under these settings."""
        shipped = describe(action_type)
        own = self.actions.get(action_type)
        if own is None or shipped.is_marker:
            return shipped
        return Action(
            action_type,
            shipped.category if own.category is None else own.category,
            shipped.engagement_weight if own.weight is None else own.weight,
            shipped.is_core_action if own.core is None else own.core,
            shipped.is_conversion_event if own.conversion is None else own.conversion,
        )

    def definitions(self) -> dict[str, str]:
        """What stored rows depend on, part by part, so that a changed part can be told from the rest."""
        slices = self.rollups.checked()
        return {
            "schema": _hash(DERIVED_COLUMNS),
            "timezone": self.timezone,
            "actions": _hash((self.actions, MARKERS)),
            "population": _hash(self.population),
            "sessions": _hash(self.sessions),
            "dimensions": json.dumps(slices.of_people),
            "event_dimensions": json.dumps(slices.of_events),
            **{f"activity.{name}": _hash(self.activity.get(name)) for name in self.stored_activities},
        }

    @property
    def definitions_hash(self) -> str:
        """A short hash of everything that numbers depend on: the same hash, the same meaning."""
        return _hash(self.definitions() | {"week_start": self.week_start, "core_features": self.core_features})[:12]


def _hash(part: object) -> str:
    return hashlib.sha256(msgspec.json.encode(part, order="sorted")).hexdigest()[:32]


def check_timezone(name: str) -> str:
    """Accept an IANA time zone name, refuse everything else."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        from zoneinfo import available_timezones  # noqa: PLC0415 -- slow, and only the error needs it

        hint = did_you_mean(name, available_timezones())
        raise SettingsError(f"unknown timezone {name!r}; {hint}", code="unknown_timezone", value=name) from None
    return name


def _check_activity(name: str, activity: Activity) -> None:
    if name in BUILT_IN_ACTIVITIES:
        raise SettingsError(f"activity {name!r} is built in; choose another name", value=name)
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise SettingsError(f"activity name {name!r} must be lower-case letters, digits and _", value=name)
    if activity.min_events < 1:
        raise SettingsError(f"activity {name!r}: min_events must be at least 1, not {activity.min_events}")
    if activity.max_events is not None and activity.max_events < activity.min_events:
        raise SettingsError(f"activity {name!r}: max_events is below min_events")


def _check_checks(checks: dict[str, CheckSettings]) -> None:
    # The catalogue brings all that makes SQL along, and few workspaces declare checks.
    from regulars.domain.quality.catalogue import CHECKS  # noqa: PLC0415
    from regulars.domain.readonly import check_select  # noqa: PLC0415

    for name, declared in checks.items():
        check_declared(name, declared, CHECKS)
        if declared.sql is not None:
            try:
                check_select(declared.sql)
            except QueryError as exc:
                raise SettingsError(f"checks.{name}: {exc.message}", code="bad_check", name=name) from exc


def _explain(exc: Exception) -> str:
    text = str(exc)
    unknown = re.search(r"unknown field `([^`]+)`(?: - at `\$\.?([^`]*)`)?", text)
    if unknown is None:
        return text.replace(" - at `$.", " at `").replace("`$.", "`")
    name, place = unknown.group(1), unknown.group(2) or ""
    allowed = _allowed_keys(place)
    return str(UnknownNameError("setting", f"{place}.{name}".lstrip("."), allowed)) if allowed else text


def _allowed_keys(place: str) -> list[str]:
    kinds: dict[str, Any] = {
        "": Settings, "population": PopulationSettings, "sessions": SessionSettings, "rollups": RollupSettings,
        "import": ImportSettings, "engine": EngineSettings, "journal": JournalSettings,
        "collector": CollectorSettings, "retention": RetentionSettings,
        "activity": Activity, "actions": ActionSettings, "cohorts": Cohort,
        "segments": Cohort, "checks": CheckSettings, "ranges": ValueRange,
    }  # fmt: skip
    inner: dict[str, Any] = {"did": EventCondition, "where": Filter}
    kind = inner.get(place.rpartition(".")[2].partition("[")[0], kinds.get(place.partition("[")[0].partition(".")[0]))
    return [f"{place}.{n}".lstrip(".") for n in (kind.__struct_encode_fields__ if kind else ())]
