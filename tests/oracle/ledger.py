"""Who stands behind a whole result, and who is left out of it: person by person, whatever its rows are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.oracle.scope import Scope

if TYPE_CHECKING:
    from regulars.domain.query import Query
    from tests.oracle.world import World


def undated(world: World, query: Query) -> set[str]:
    """The people a question is about who have no registration date, so that no day is theirs to be judged on."""
    plain = msgspec.structs.replace(query, metric="active_users", breakdown=(), options={})
    scope = Scope(world, plain)
    everybody = {*world.people(), *world.users}
    return {user for user in everybody if not world.user(user).registration_date and scope.selected(user, None)}
