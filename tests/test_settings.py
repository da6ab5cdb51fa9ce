"""regulars.toml: what it may say, and how a mistake is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from regulars.errors import SettingsError
from regulars.settings import ActionSettings, Settings, check_timezone

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
        "activity.search": Settings.from_toml('[activity.search]\nevents = ["search"]'),
    }
    for part, settings in changed.items():
        own = settings.definitions()
        assert {name for name in own if own[name] != plain.get(name)} == {part}


def test_activities_are_listed_built_in_first() -> None:
    """Those that are stored are core, any and the declared ones."""
    settings = Settings.from_toml("[activity.b]\n[activity.a]\n")
    assert settings.activities == ("core", "any", "conversion", "core_feature", "a", "b")
    assert settings.stored_activities == ("core", "any", "a", "b")


def test_weeks_have_iso_numbers() -> None:
    """Monday is 1."""
    assert [Settings(week_start=day).week_start_number for day in ("monday", "sunday")] == [1, 7]
    assert check_timezone("Africa/Cairo") == "Africa/Cairo"
