"""What the generator agrees to make, and how it refuses the rest."""

import datetime as dt
import json

import pytest

from regulars.errors import SettingsError
from regulars.synthetic.generate import generate, main
from regulars.synthetic.options import GeneratorOptions

WRONG = {
    "n_users": [0, -1, 2.5, "10", True],
    "days": [0, 3661],
    "seed": [-1],
    "start_date": ["2025-01-01", dt.datetime(2025, 1, 1, tzinfo=dt.UTC), dt.date(1900, 1, 1), None],
    "paid_ratio": [-0.1, 1.01, float("nan"), "half"],
    "signup_spread_days": [0],
    "engagement_a": [0, -2, float("inf")],
    "weekend_factor": [-1],
    "signups": ["later", None],
    "payments": ["weekly"],
    "duplicates": [2],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_a_value_outside_its_limits_is_refused_by_name(name, value):
    """The error names the option and is a settings error, whatever the kind of mistake."""
    with pytest.raises(SettingsError, match=f"^{name} is ") as caught:
        GeneratorOptions(**{name: value})
    assert caught.value.fields["option"] == name


def test_one_row_cannot_have_two_faults():
    """Shares of faults that exclude each other are refused when they add up to more than all rows."""
    GeneratorOptions(duplicates=0.5, late=0.5)
    with pytest.raises(SettingsError, match=r"add up to 1\.1"):
        GeneratorOptions(duplicates=0.5, late=0.6)


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    """A misspelt format gets a suggestion, and the folder is not made."""
    with pytest.raises(SettingsError, match="did you mean 'parquet'"):
        generate(GeneratorOptions(n_users=1), tmp_path / "out", "parket")
    assert not (tmp_path / "out").exists()


def test_files_of_other_origin_are_left_alone(tmp_path):
    """A folder with an events table and no truth.json belongs to somebody else."""
    (tmp_path / "events.csv").write_text("mine")
    with pytest.raises(SettingsError, match="was not written by the generator"):
        generate(GeneratorOptions(n_users=1, days=1), tmp_path)
    assert (tmp_path / "events.csv").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["events.csv"]


def test_a_folder_holds_one_data_set(tmp_path):
    """A run in another format replaces the tables of the run before it."""
    generate(GeneratorOptions(n_users=5, days=5), tmp_path, "csv")
    generate(GeneratorOptions(n_users=5, days=5), tmp_path, "parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "events.parquet",
        "truth.json",
        "users.parquet",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--paid-ratio", "1.5"],
        ["--n-users", "many"],
        ["--start-date", "01/02/2025"],
        ["--signups", "never"],
        ["--format", "xlsx"],
        ["--late", "0.6", "--malformed", "0.6"],
        ["--no-such-option"],
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(arguments, tmp_path, capsys):
    """A wrong value on the command line gives exit code 2, one line of error and no files."""
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_command_passes_every_option_on(tmp_path, capsys):
    """What the command line was told is what truth.json says the data was made with."""
    wanted = GeneratorOptions(
        n_users=7,
        days=9,
        start_date=dt.date(2024, 2, 27),
        seed=3,
        payments="once",
        signups="growing",
        late=0.5,
    )
    flags = ["--n-users=7", "--days=9", "--start-date=2024-02-27", "--seed=3", "--payments=once"]
    assert main([*flags, "--signups=growing", "--late=0.5", f"--out={tmp_path}", "--format=csv.gz"]) == 0
    assert json.loads((tmp_path / "truth.json").read_text())["options"] == wanted.as_json()
    assert capsys.readouterr().out.startswith("wrote 7 users and ")


def test_the_help_names_every_option_with_its_default(capsys):
    """Nobody has to read the source to know what can be asked for."""
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in GeneratorOptions().as_json():
        assert f"--{name.replace('_', '-')} " in text
    assert "2025-01-01" in text
