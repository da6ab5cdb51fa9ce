"""``users_clean``: one row per user, every column in one spelling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from regulars.errors import SourceError
from regulars.synthetic.raw import LINE, REJECTED
from regulars.synthetic.spelling import date, day_order, number, order_evidence, usable_id, yes_or_no
from regulars.synthetic.sql import literal

if TYPE_CHECKING:
    import duckdb

    from regulars.synthetic.raw import OtherColumns, RawTable

PEOPLE: Final = "people"
REQUIRED: Final = ("user_id", "signup_date")
LATENT: Final = "engagement_score"
_PARSED = "people_parsed"
_KNOWN = (*REQUIRED, "plan", "is_paid", "country", "marketing_source", LATENT)
_ISO_DATE = r"^\d{4}-\d{2}-\d{2}$"
_REPAIRS = {
    "signup_date_spelling": "signup_date IS NOT NULL AND NOT regexp_matches(signup_text, '" + _ISO_DATE + "')",
    "signup_date_unreadable": "signup_date IS NULL AND signup_text IS NOT NULL",
    "plan_spelling": "plan_given IS DISTINCT FROM plan AND plan_text IS NOT NULL",
    "plan_from_is_paid": "plan IS NOT NULL AND plan_text IS NULL",
    "is_paid_from_plan": "is_paid IS DISTINCT FROM paid_given AND is_paid IS NOT NULL",
}


@dataclass(frozen=True)
class CleanUsers:
    """What became of the rows of users."""

    rows: int
    users: int
    repairs: dict[str, int]
    others: OtherColumns


def clean_users(connection: duckdb.DuckDBPyConnection, raw: RawTable) -> CleanUsers:
    """Make the table ``people``: one row per user with a ``rank``, in the order of the file.

    Raises:
        SourceError: ``no_users``: no row names anybody.
    """
    others = raw.others(_KNOWN)
    order = day_order(
        connection.execute(f"SELECT {order_evidence(raw.text('signup_date'))} FROM {raw.relation}").fetchall()[0]
    )
    connection.execute(f"""
        CREATE TABLE {_PARSED} AS
        SELECT * REPLACE (coalesce(plan, CASE WHEN paid_given THEN 'paid' WHEN NOT paid_given THEN 'free' END) AS plan),
            CASE plan WHEN 'paid' THEN true WHEN 'free' THEN false ELSE paid_given END AS is_paid
        FROM (SELECT *, lower(plan_text) AS plan, {date("signup_text", order)} AS signup_date,
                  {yes_or_no("paid_text")} AS paid_given
              FROM (SELECT {LINE}, {usable_id(raw.text("user_id"))} AS user_id,
                        {raw.text("signup_date")} AS signup_text,
                        {raw.columns.get("plan", "NULL")} AS plan_given, {raw.text("plan")} AS plan_text,
                        {raw.text("is_paid")} AS paid_text, {raw.text("country")} AS country,
                        {raw.text("marketing_source")} AS marketing_source,
                        {number(raw.text(LATENT))} AS {LATENT}{others.staged(raw)}
                    FROM {raw.relation}))""")
    connection.execute(f"""
        INSERT INTO {REJECTED} SELECT 'users', {LINE}, 'no_user', 'the user id names nobody', {raw.whole()}
        FROM {raw.relation} WHERE {LINE} IN (SELECT {LINE} FROM {_PARSED} WHERE user_id IS NULL)""")
    connection.execute(f"""
        CREATE TABLE {PEOPLE} AS
        SELECT row_number() OVER (ORDER BY {LINE}) AS rank, *
        FROM (FROM {_PARSED} WHERE user_id IS NOT NULL
              QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY {LINE}) = 1)
        ORDER BY {LINE}""")
    return _account(connection, raw, others)


def _account(connection: duckdb.DuckDBPyConnection, raw: RawTable, others: OtherColumns) -> CleanUsers:
    counts = ", ".join(f"count(*) FILTER ({test})" for test in _REPAIRS.values())
    (users, *found) = connection.execute(f"SELECT count(*), {counts} FROM {PEOPLE}").fetchall()[0]
    if users == 0:
        raise SourceError(f"{raw.path} names no user; a row needs a user_id", code="no_users", path=str(raw.path))
    rows, named = connection.execute(f"SELECT count(*), count(user_id) FROM {_PARSED}").fetchall()[0]
    connection.execute(f"DROP TABLE {_PARSED}")
    repairs = dict(zip(_REPAIRS, found, strict=True))
    if "is_paid" not in raw.columns:
        repairs["is_paid_from_plan"] = 0  # nothing was there to be repaired
    return CleanUsers(rows, users, {**repairs, "duplicate_user_id": named - users}, others)


def select_users(users: CleanUsers, *, whole_ids: bool, keep_latent: bool) -> str:
    """SELECT of the rows of ``users_clean``, in the order of the file."""
    latent = (LATENT,) if keep_latent else ()
    columns = ["signup_date", "plan", "is_paid", "country", "marketing_source", *latent, *users.others.written()]
    return f"SELECT {id_column(whole=whole_ids)}, {', '.join(columns)} FROM {PEOPLE} ORDER BY rank"


def id_column(name: str = "user_id", *, whole: bool) -> str:
    """An id as a number where all are whole numbers, else as text."""
    return f"CAST({name} AS BIGINT) AS {name}" if whole else name


def is_whole(name: str) -> str:
    """SQL of an aggregate: whether every id is a whole number in its only spelling."""
    return f"coalesce(bool_and(regexp_matches({name}, {literal(r'^(0|[1-9][0-9]{0,17})$')})), true)"
