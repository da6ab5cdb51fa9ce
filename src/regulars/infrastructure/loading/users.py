"""A table of people: each row becomes explicit attributes of one known identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.infrastructure.importers.columns import Columns, plain_name
from regulars.infrastructure.loading.keys import add_identities
from regulars.infrastructure.loading.sql import literal
from regulars.infrastructure.loading.times import instant, microseconds
from regulars.infrastructure.loading.validate import EVENTS, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.settings import Settings

SET_AT = "updatedat"
KNOWN_AS: Mapping[str, str] = {
    "signupdate": "registration_date",
    "registeredat": "registration_date",
    "registrationdate": "registration_date",
    "createdat": "registration_date",
    "marketingsource": "acquisition_channel",
    "channel": "acquisition_channel",
    "acquisitionchannel": "acquisition_channel",
}
_PEOPLE = "rg_people"  # one row per user id
_NEW = "rg_new_attributes"


def people_columns(columns: Columns) -> Columns:
    """The columns as a table of people uses them: who, when it was said, and attributes."""
    items = [item for role, item in columns.roles.items() if role != "user_id"] + list(columns.others)
    who = columns.get("user_id") or columns.roles["event_id"]
    times = [item for item in items if plain_name(item.name) == SET_AT][:1]
    rest = tuple(item for item in items if item not in times and item is not who)
    return Columns({"user_id": who} | ({"timestamp": times[0]} if times else {}), rest)


def rules(settings: Settings, low: int, high: int) -> tuple[Rule, ...]:
    """What a row about a person must hold."""
    return (
        Rule("no_identity", "known_id IS NULL", "'the user id names nobody'"),
        Rule("bad_time", "time_text IS NOT NULL AND us IS NULL", "'no time: ' || left(time_text, 100)"),
        Rule(
            "time_out_of_range",
            f"us < {low} OR us >= {high}",
            f"'outside {instant(low)} to {instant(high)} UTC: ' || left(time_text, 100)",
        ),
        Rule("value_too_long", "too_long IS NOT NULL", f"'over {settings.imports.string_bytes} bytes: ' || too_long"),
    )


def add_people(engine: DuckDBEngine, *, accepted: int, now: datetime, load_id: int) -> int:
    """Append the attributes of every person; returns how many rows were repeated or say nothing new."""
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {_PEOPLE} AS
        SELECT known_id, metadata, us IS NOT NULL AS is_dated,
               coalesce(make_timestamp(us), make_timestamp({microseconds(now)})) AS set_at,
               EXISTS (SELECT 1 FROM dim_identities WHERE kind = 'known' AND external_id = known_id) AS is_known
        FROM (SELECT * FROM {EVENTS} WHERE reason IS NULL
              QUALIFY row_number() OVER (PARTITION BY known_id ORDER BY line DESC) = 1)""")
    add_identities(engine, f"SELECT 'known' AS kind, known_id AS external_id FROM {_PEOPLE}")
    _find_new_attributes(engine)
    engine.execute(f"""
        INSERT INTO fact_user_attributes (identity_key, key, value, set_at, event_id, is_explicit, load_id)
        SELECT identity_key, key, value, set_at, '', true, {load_id} FROM {_NEW} ORDER BY identity_key, key""")
    ((loaded,),) = engine.fetch(f"""
        SELECT count(*) FROM {_PEOPLE}
        WHERE NOT is_known OR known_id IN (SELECT known_id FROM {_NEW})""")
    return accepted - int(loaded)


def _find_new_attributes(engine: DuckDBEngine) -> None:
    """What the table says for the first time.

    A row without a time of its own says something new only where it differs from what tables said last: the same table
    again neither repeats what is known nor takes back what was said since by others.
    """
    plain = "regexp_replace(lower(name), '[^a-z0-9]', '', 'g')"
    cases = " ".join(f"WHEN {literal(name)} THEN {literal(key)}" for name, key in KNOWN_AS.items())
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {_NEW} AS
        WITH said AS (FROM fact_user_attributes WHERE event_id = '' AND is_explicit),
        said_last AS (
          SELECT identity_key, key, arg_max_null(value, (set_at, load_id)) AS value FROM said GROUP BY ALL
        )
        SELECT known_id, identity_key, key, value, set_at
        FROM (SELECT DISTINCT ON (known_id, key) known_id, key, value, set_at, is_dated
              FROM (SELECT known_id, name, CASE {plain} {cases} ELSE name END AS key, set_at, is_dated,
                           json_extract_string(metadata, '/' || replace(replace(name, '~', '~0'), '/', '~1')) AS value
                    FROM (SELECT *, unnest(json_keys(metadata)) AS name FROM {_PEOPLE}))
              WHERE trim(value) <> '' ORDER BY known_id, key, name = key DESC, name)
        JOIN dim_identities ON kind = 'known' AND external_id = known_id
        ANTI JOIN said USING (identity_key, key, value, set_at)
        ANTI JOIN (FROM said_last SELECT *, FALSE AS is_dated) USING (identity_key, key, value, is_dated)""")
