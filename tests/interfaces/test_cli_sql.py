"""``regulars sql``, ``doctor`` and ``rebuild``: a look inside, without a way to break anything."""

import shutil

import duckdb
import pytest

import regulars
from tests.interfaces.cli import call, make_workspace, one_line


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("sql"))


@pytest.fixture
def own(shop, tmp_path):
    """A workspace that a test may spoil; copying one is quicker than making it."""
    return shutil.copytree(shop, tmp_path / "shop")


def test_one_select_gives_its_rows_in_every_format(shop, tmp_path):
    """Table, JSON, CSV, Parquet."""
    statement = "SELECT user_id, plan, 1.5 AS x, registration_date AS d FROM dim_users ORDER BY user_id"
    assert "ada" in call("sql", statement, "-w", shop).out
    assert call("sql", statement, "--format", "json", "-w", shop).json[0] == {
        "user_id": "ada", "plan": "paid", "x": 1.5, "d": None,
    }  # fmt: skip
    assert call("sql", statement, "--format", "csv", "-w", shop).out.splitlines()[:2] == [
        "user_id,plan,x,d",
        "ada,paid,1.5,",
    ]
    assert call("sql", statement, "--output", tmp_path / "x.parquet", "-w", shop).code == 0
    assert duckdb.read_parquet(str(tmp_path / "x.parquet")).fetchall()[0] == ("ada", "paid", 1.5, None)


def test_a_statement_comes_from_stdin(shop):
    """For long ones."""
    assert call("sql", "-", "--format", "csv", "-w", shop, stdin="SELECT count(*) AS n FROM dim_users").out == "n\n3\n"


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE arrivals", "DELETE FROM dim_users", "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE arrivals", "",
        "COPY dim_users TO '/tmp/x.csv'", "ATTACH '/tmp/x.db'", "PRAGMA version", "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')", "INSTALL httpfs", "SET threads = 1", "SELEC 1",
        "SELECT nix FROM dim_users", "SELECT * FROM no_such_table", "SELECT CAST('x' AS INTEGER)",
    ],
)  # fmt: skip
def test_anything_but_one_select_on_the_tables_is_refused_with_two(statement, shop):
    """One line, and nothing was changed."""
    done = call("sql", statement, "-w", shop)
    assert done.code == 2, done.err
    assert one_line(done.err), done.err
    assert call("sql", "SELECT count(*) AS n FROM dim_users", "--format", "csv", "-w", shop).out == "n\n3\n"


def test_cells_that_a_spreadsheet_would_run_are_quoted(shop):
    """Text that begins like a formula gets an apostrophe; numbers do not."""
    statement = "SELECT '=1+1' AS a, '@x' AS b, '-2' AS c, -3 AS d, '+49 30' AS e, chr(9) || 'x' AS f"
    row = call("sql", statement, "--format", "csv", "-w", shop).out.splitlines()[1]
    assert row == "'=1+1,'@x,-2,-3,'+49 30,'\tx"


def test_columns_of_one_name_stay_apart(shop, tmp_path):
    """A JSON object and a Parquet file need distinct names."""
    statement = "SELECT 1 AS n, 2 AS n"
    assert call("sql", statement, "--format", "json", "-w", shop).json == [{"n": 1, "n_2": 2}]
    call("sql", statement, "--output", tmp_path / "x.parquet", "-w", shop)
    assert duckdb.read_parquet(str(tmp_path / "x.parquet")).columns == ["n", "n_2"]


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_no_rows_are_an_answer(form, shop):
    """Header or nothing, never an error."""
    done = call("sql", "SELECT user_id FROM dim_users WHERE false", "--format", form, "-w", shop)
    assert (done.code, done.err) == (0, "")


def test_rows_too_wide_for_the_screen_are_shown_one_column_per_line(shop):
    """No column is squeezed until nobody can read it."""
    out = call("sql", "SELECT * FROM loads", "-w", shop).out
    assert "row 1" in out
    assert "  fingerprint" in out


def test_a_long_table_is_cut_and_says_so(shop):
    """All rows are in the formats for programs."""
    out = call("sql", "SELECT full_date FROM dim_dates", "-w", shop).out
    assert "more rows; --format csv prints all of them" in out
    assert len(call("sql", "SELECT full_date FROM dim_dates", "--format", "csv", "-w", shop).out.splitlines()) == 47_848


def test_the_doctor_finds_a_healthy_workspace_healthy(shop):
    """Exit code 0 and the numbers one wants to know."""
    done = call("doctor", "-w", shop)
    assert done.code == 0, done.out
    assert "4 events of 3 people on 3 days" in done.out
    assert "from 2026-03-02 to 2026-03-04, complete through 2026-03-04" in done.out
    assert "WRONG" not in done.out


def test_the_doctor_accepts_an_empty_workspace(tmp_path):
    """New is not ill."""
    call("init", tmp_path / "shop")
    done = call("doctor", "-w", tmp_path / "shop")
    assert done.code == 0
    assert "none yet" in done.out


def test_the_doctor_tells_rejected_rows_by_reason(own, tmp_path):
    """They are kept and worth knowing, but nothing is wrong."""
    (tmp_path / "bad.csv").write_text("user_id,event_type,timestamp\nada,login,never\n")
    call("import", tmp_path / "bad.csv", "-w", own)
    found = {finding["name"]: finding for finding in call("doctor", "--format", "json", "-w", own).json}
    assert found["rejected rows"]["state"] == "note"
    assert "1 bad_time" in found["rejected rows"]["text"]


def test_the_doctor_notes_settings_that_changed_and_rebuild_catches_up(own):
    """The answers are right at once; rebuild makes them fast again."""
    with (own / "regulars.toml").open("a") as file:
        file.write('[population]\ntest_users = ["ada"]\n')
    before = call("metric", "dau", "--format", "json", "-w", own).json["rows"]
    assert "regulars refresh" in call("doctor", "-w", own).out
    done = call("rebuild", "-w", own)
    assert done.out.startswith("rebuilt from 4 events in ")
    assert "regulars refresh" not in call("doctor", "-w", own).out
    assert call("metric", "dau", "--format", "json", "-w", own).json["rows"] == before


def test_the_doctor_finds_settings_that_cannot_be_read(own):
    """Exit code 1, and which key it is."""
    (own / "regulars.toml").write_text("timezone = 'Mars/Olympus'\n")
    done = call("doctor", "-w", own)
    assert done.code == 1
    assert "Mars/Olympus" in done.out


def test_the_doctor_finds_a_damaged_database(own):
    """Exit code 1, one line for it."""
    (own / "regulars.duckdb").write_bytes(b"junk" * 5000)
    done = call("doctor", "-w", own)
    assert done.code == 1
    assert "WRONG" in done.out


def test_the_quiet_doctor_speaks_only_when_something_is_wrong(own):
    """For scheduled jobs."""
    assert call("doctor", "-q", "-w", own).out == ""
    (own / "regulars.toml").write_text("timezone = 'Mars/Olympus'\n")
    assert len(call("doctor", "-q", "-w", own).out.splitlines()) == 1


def test_the_doctor_says_who_holds_the_lock(own):
    """A workspace in use cannot be examined."""
    with regulars.open(own):
        done = call("doctor", "-w", own)
    assert done.code == 1
    assert "in use" in done.out


def test_the_doctor_finds_derived_rows_that_do_not_match_the_events(own):
    """However it came about: the way out is rebuild."""
    with duckdb.connect(str(own / "regulars.duckdb")) as connection:
        connection.execute("DELETE FROM event_days WHERE day = DATE '2026-03-03'")
    done = call("doctor", "-w", own)
    assert done.code == 1
    assert "regulars rebuild" in done.out
    assert call("rebuild", "-q", "-w", own).code == 0
    assert call("doctor", "-w", own).code == 0


def test_rebuild_changes_no_number(own):
    """Everything derived is a function of the events and the settings."""
    before = call("metric", "mau", "--by", "country", "--format", "csv", "-w", own).out
    assert call("rebuild", "-w", own).code == 0
    assert call("metric", "mau", "--by", "country", "--format", "csv", "-w", own).out == before
