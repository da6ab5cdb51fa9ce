"""regulars.toml: what it may say, and how a mistake is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.errors import SettingsError
from regulars.settings import ActionSettings, EngineSettings, Settings, check_timezone

if TYPE_CHECKING:
    from pathlib import Path


def test_everything_has_a_default(tmp_path: Path) -> None:
    """An empty file, no file and no settings are the same."""
    (tmp_path / "empty.toml").write_text("")
    assert Settings.read(tmp_path / "empty.toml") == Settings.read(tmp_path / "none.toml") == Settings()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('timezone = "Europe/Berlim"', "unknown timezone 'Europe/Berlim'; did you mean 'Europe/Berlin'?"),
        ('timezone = "../etc/passwd"', "unknown timezone"),
        ('timezone = ""', "unknown timezone"),
        ("timezone = 1", "Expected `str`, got `int` at `timezone`"),
        ('timezon = "UTC"', "unknown setting 'timezon'; did you mean 'timezone'"),
        ('week_start = "noon"', "Invalid enum value 'noon' at `week_start`"),
        (
            "[population]\ntest_user = []",
            "unknown setting 'population.test_user'; did you mean 'population.test_users'",
        ),
        ("[import]\nstring_byte = 1", "did you mean 'import.string_bytes'"),
        ("[rollups]\ndimension = []", "did you mean 'rollups.dimensions'"),
        ("[actions.like]\nweigth = 2", "weight"),
        ("[activity.search]\nevent = []", "events"),
        ("[engine]\nmemory = 1", "unknown"),
        ("[activity.core]\nevents = []", "activity 'core' is built in"),
        ("[activity.Search]\nevents = []", "lower-case letters"),
        ("[activity.search]\nmin_events = 0", "min_events must be at least 1"),
        ("[activity.search]\nmin_events = 3\nmax_events = 2", "max_events is below"),
        ('[[activity.search.where]]\nproperty = "a"\nop = "lik"\nvalue = "x"', "unknown operator 'lik'"),
        ("timezone = ", "Invalid value"),
    ],
)
def test_a_mistake_is_answered_with_the_key_and_what_is_allowed(text: str, reason: str) -> None:
    """One line that can be acted upon."""
    with pytest.raises(SettingsError) as error:
        Settings.from_toml(text)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


def test_a_file_in_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    """Not with a decoding error."""
    (tmp_path / "regulars.toml").write_bytes('timezone = "UTC" # für uns'.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"regulars.toml is not UTF-8"):
        Settings.read(tmp_path / "regulars.toml")


def test_an_action_keeps_what_settings_leave_out() -> None:
    """Markers cannot be overridden."""
    own = {
        "like": ActionSettings(weight=5),
        "dance": ActionSettings(category="art", core=False, conversion=True),
        "identify": ActionSettings(core=True),
    }
    settings = Settings(actions=own)
    like, dance = settings.action("like"), settings.action("dance")
    assert (like.category, like.engagement_weight, like.is_core_action) == ("social", 5, True)
    assert (dance.category, dance.engagement_weight, dance.is_core_action, dance.is_conversion_event) == (
        "art",
        1,
        False,
        True,
    )
    assert settings.action("identify").is_marker
    assert not settings.action("identify").is_core_action
    assert settings.action("purchase").is_conversion_event


def test_definitions_change_with_what_stored_rows_depend_on() -> None:
    """And with nothing else."""
    plain = Settings().definitions()
    assert Settings(week_start="sunday").definitions() == plain
    assert Settings(core_features=("x",)).definitions() == plain
    changed = {
        "timezone": Settings(timezone="Asia/Kathmandu"),
        "actions": Settings(actions={"like": ActionSettings(core=False)}),
        "population": Settings.from_toml('[population]\nbots = ["b"]'),
        "dimensions": Settings.from_toml('[rollups]\ndimensions = ["plan"]'),
        "event_dimensions": Settings.from_toml('[rollups]\nevent_dimensions = ["feature"]'),
        "activity.search": Settings.from_toml('[activity.search]\nevents = ["search"]'),
    }
    for part, settings in changed.items():
        own = settings.definitions()
        assert {name for name in own if own[name] != plain.get(name)} == {part}


def test_slices_are_the_same_however_they_are_named() -> None:
    """In any order and spelling; a pair is part of what is kept by attributes."""
    text = "[rollups]\ndimensions = {}\npairs = {}\nevent_dimensions = {}"
    one = text.format('["plan", "country"]', '[["plan", "country"]]', '["feature", "event.level", "geo.country"]')
    two = text.format(
        '["country", "plan", "plan"]',
        '[["country", "plan"], ["plan", "country"]]',
        '["event.country", "event.level", "feature.name", "event.feature"]',
    )
    found = Settings.from_toml(one).definitions()
    assert found == Settings.from_toml(two).definitions()
    assert found["dimensions"] == '["country", "plan", "country,plan"]'
    assert found["event_dimensions"] == '["event.country", "event.feature", "event.level"]'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('dimensions = ["cuntry"]', "'cuntry' is no stored user attribute; did you mean 'country'?"),
        ('dimensions = ["team"]', "'team' is no stored user attribute; allowed: account_status"),
        ('dimensions = ["plan, 1 AS x FROM dim_users; DROP TABLE arrivals; --"]', "no stored user attribute"),
        ('dimensions = ["user.plan"]', "did you mean 'plan'?"),
        ('pairs = [["country", "plam"]]', "rollups.pairs: 'plam' is no stored user attribute; did you mean 'plan'?"),
        ('pairs = [["plan", "plan"]]', "'plan' twice is no pair"),
        ('event_dimensions = ["country"]', "'country' is a user attribute; use 'event.country'"),
        ('event_dimensions = ["user.plan"]', "'user.plan' is a user attribute; use a property of events"),
        ('event_dimensions = ["tenure_band"]', "is a time-dependent user attribute"),
        ('event_dimensions = ["session.type"]', "is a session property"),
        ('event_dimensions = ["feature2"]', "is no event property; did you mean 'feature'?"),
        ('event_dimensions = ["level"]', "a property of your own is written event.NAME"),
        ('event_dimensions = ["event."]', "is no event property"),
        ('event_dimensions = ["event_id"]', "'event_id' differs from event to event"),
        ('event_dimensions = ["event.duration_seconds"]', "differs from event to event"),
    ],
)
def test_only_what_can_be_counted_ahead_of_time_is_a_slice(text: str, reason: str) -> None:
    """The code says which kind of mistake it is; nothing hostile comes near a statement."""
    with pytest.raises(SettingsError) as error:
        Settings.from_toml(f"[rollups]\n{text}")
    assert reason in str(error.value)
    assert error.value.code == "unknown_dimension"


def test_activities_are_listed_built_in_first() -> None:
    """Those that are stored are core, any and the declared ones."""
    settings = Settings.from_toml("[activity.b]\n[activity.a]\n")
    assert settings.activities == ("core", "any", "conversion", "core_feature", "a", "b")
    assert settings.stored_activities == ("core", "any", "a", "b")


def test_weeks_have_iso_numbers() -> None:
    """Monday is 1."""
    assert [Settings(week_start=day).week_start_number for day in ("monday", "sunday")] == [1, 7]
    assert check_timezone("Africa/Cairo") == "Africa/Cairo"


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_the_database_uses_as_many_threads_as_it_is_told(where: str, tmp_path: Path) -> None:
    """On disk and in memory."""
    folder = regulars.init(tmp_path / "shop")
    with (folder / "regulars.toml").open("a") as file:
        file.write("[engine]\nthreads = 1\n")
    settings = Settings(engine=EngineSettings(threads=1))
    with regulars.open(folder) if where == "folder" else regulars.open(settings=settings) as ws:
        assert ws.engine.query("SELECT current_setting('threads')").rows == [(1,)]
