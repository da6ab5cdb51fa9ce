"""Who counts as a production user, who is a test account, who is a bot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regulars.domain.sql import Values


@dataclass(frozen=True)
class PopulationRule:
    """User ids named in the settings; they win over flags that came with the users."""

    production_users: tuple[str, ...] = ()
    test_users: tuple[str, ...] = ()
    bots: tuple[str, ...] = ()


FLAGS = ("is_bot", "is_test_account", "is_test", "population")
"""Attributes that say who is not a production user."""
_TRUE = "('true', '1', 'yes', 't')"


def population_of(rule: PopulationRule, values: Values, user: str = "u") -> str:
    """The population of a row of users: settings first, then its flags; a missing flag never excludes anybody."""
    named = (("production", rule.production_users), ("test", rule.test_users), ("bot", rule.bots))
    cases = [f"WHEN {user}.user_id IN ({values.add_all(ids)}) THEN '{population}'" for population, ids in named if ids]
    attributes = f"{user}.user_attributes"
    own = f"lower(coalesce(rg_property({attributes}, 'population'), ''))"
    cases += [f"WHEN {own} IN ('production', 'test', 'bot') THEN {own}"]
    cases += [
        f"WHEN lower(coalesce(rg_property({attributes}, '{flag}'), '')) IN {_TRUE} THEN '{population}'"
        for flag, population in (("is_bot", "bot"), ("is_test_account", "test"), ("is_test", "test"))
    ]
    return f"CASE {' '.join(cases)} ELSE 'production' END"
