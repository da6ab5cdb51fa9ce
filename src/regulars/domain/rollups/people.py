"""People: identities resolved, attributes as last set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.population import population_of
from regulars.domain.schema import STORED_USER_ATTRIBUTES

if TYPE_CHECKING:
    from regulars.domain.context import Context
    from regulars.domain.sql import Values

_AS_JSON = "'{' || string_agg(to_json(key) || ':' || to_json(value), ',' ORDER BY key) || '}'"
RESOLVED_LINKS = """
SELECT identity_key, user_key FROM (
  SELECT l.anonymous_key AS identity_key, l.known_key AS user_key,
    row_number() OVER (PARTITION BY l.anonymous_key ORDER BY l.linked_at, k.external_id, l.event_id) AS place
  FROM fact_identity_links l JOIN dim_identities k ON k.identity_key = l.known_key
) links WHERE place = 1"""


def people(context: Context, values: Values, *, only_touched: bool) -> str:
    """Rows of dim_users: each attribute as last set, else as on the first event that carries it."""
    only = "WHERE i.user_key IN (SELECT user_key FROM touched)" if only_touched else ""
    columns = ",\n  ".join(f"max(CASE WHEN key = '{name}' THEN value END) AS {name}" for name in STORED_USER_ATTRIBUTES)
    stored = ", ".join(f"u.{name}" for name in STORED_USER_ATTRIBUTES)
    population = population_of(context.population, values)
    return f"""
WITH ranked AS (
  SELECT i.user_key, f.key, f.value, row_number() OVER (
    PARTITION BY i.user_key, f.key
    ORDER BY f.is_explicit DESC,
      CASE WHEN f.is_explicit THEN f.set_at END DESC, CASE WHEN f.is_explicit THEN f.event_id END DESC,
      f.set_at, f.sequence NULLS LAST, f.event_id, f.value DESC
  ) AS place
  FROM fact_user_attributes f JOIN dim_identities i ON i.identity_key = f.identity_key
  {only}
), attributes AS (
  SELECT user_key,
  {columns},
  max(CASE WHEN key = 'registration_date' THEN TRY_CAST(left(value, 10) AS DATE) END) AS registration_date,
  max(CASE WHEN key = 'birth_date' THEN TRY_CAST(left(value, 10) AS DATE) END) AS birth_date,
  {_AS_JSON} AS user_attributes
  FROM ranked WHERE place = 1 AND value IS NOT NULL GROUP BY user_key
), u AS (
  SELECT i.user_key, i.external_id AS user_id, x.* EXCLUDE (user_key)
  FROM dim_identities i LEFT JOIN attributes x ON x.user_key = i.user_key
  WHERE i.identity_key = i.user_key {"AND i.user_key IN (SELECT user_key FROM touched)" if only_touched else ""}
), placed AS (
  SELECT u.*, {population} AS population FROM u
)
SELECT u.user_key, u.user_id, u.registration_date, u.acquisition_channel, CAST(NULL AS BIGINT) AS user_segment_key,
  {
        stored.replace("u.acquisition_channel, ", "").replace("u.gender", "u.birth_date, u.gender")
    }, u.population, u.population = 'test' AS is_test_account,
  u.user_attributes
FROM placed u"""
