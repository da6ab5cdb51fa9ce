"""Keys of programs: roles, endings, and comparisons that tell nothing."""

from __future__ import annotations

import datetime as dt

import pytest

from regulars.application.keys import create, find, make_key, revoke, rotate
from regulars.domain.keys import ROLES
from regulars.errors import QueryError, UnknownNameError

NOW = dt.datetime(2026, 1, 5, 12)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def keys(place):
    return place.open().keys


def test_a_secret_finds_its_key_and_no_other(keys) -> None:
    made = [create(keys, role, role, NOW) for role in ROLES]
    for key, secret in made:
        assert find(keys.all(), secret, NOW) == key
        assert find(keys.all(), secret[:-1], NOW) is None
    assert find([], made[0][1], NOW) is None
    assert find(keys.all(), "\udcff", NOW) is None
    assert len({secret for _, secret in made}) == len(ROLES)


def test_an_admin_key_may_everything_and_the_others_their_own() -> None:
    for role in ROLES:
        key, _ = make_key(role, "", NOW)
        assert [wanted for wanted in ROLES if key.may(wanted)] == (list(ROLES) if role == "admin" else [role])


def test_a_key_ends_once_and_is_not_prolonged(keys) -> None:
    key, secret = create(keys, "write", "", NOW)
    assert revoke(keys, key.id, NOW, grace=HOUR).expires_at == NOW + HOUR
    assert revoke(keys, key.id, NOW, grace=2 * HOUR).expires_at == NOW + HOUR
    assert find(keys.all(), secret, NOW + HOUR / 2)
    assert not find(keys.all(), secret, NOW + HOUR)
    assert revoke(keys, key.id, NOW).expires_at == NOW
    assert not find(keys.all(), secret, NOW)


def test_a_key_is_replaced_by_one_of_the_same_role_and_name(keys) -> None:
    old, secret = create(keys, "read", "board", NOW)
    new, new_secret = rotate(keys, old.id, NOW, grace=HOUR)
    assert (new.role, new.name) == ("read", "board")
    assert new_secret != secret
    assert [key.id for key in keys.all()] in ([old.id, new.id], [new.id, old.id])


def test_keys_outlive_the_process(place) -> None:
    for count in range(3):
        keys = place.open().keys
        assert len(keys.all()) == count
        create(keys, "write", str(count), NOW)
        place.close()


def test_mistakes_are_told(keys) -> None:
    with pytest.raises(UnknownNameError, match="unknown role"):
        create(keys, "owner", "", NOW)
    for name in ("x" * 101, "a\nb"):
        with pytest.raises(QueryError, match="one line"):
            create(keys, "read", name, NOW)
    with pytest.raises(UnknownNameError, match="unknown key"):
        rotate(keys, "nobody", NOW, grace=HOUR)
    assert keys.all() == []
