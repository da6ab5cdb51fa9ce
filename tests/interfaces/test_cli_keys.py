"""``regulars keys``: shown once, listed without the secret, replaced, revoked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import regulars
from tests.interfaces.asgi import Bench
from tests.interfaces.cli import call

if TYPE_CHECKING:
    from pathlib import Path

LIKE = {"user_id": "ada", "event_type": "like"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return regulars.init(tmp_path / "shop")


def made(folder: Path, *options: str) -> tuple[str, str]:
    """A new key: its id and its secret."""
    done = call("keys", "create", *options, "-w", folder)
    assert done.code == 0, done.err
    return re.search(r"key (\w{8});", done.err)[1], done.out.strip()


def works(folder: Path, secret: str) -> bool:
    bench = Bench(folder)
    bench.now = bench.now.replace(year=2030)
    status = bench.send("/v1/track", LIKE, {"x-api-key": secret}).status
    bench.store.close()
    assert status in {200, 401}
    return status == 200


def test_a_key_is_shown_once_and_opens_the_door(folder: Path) -> None:
    key_id, secret = made(folder, "write", "--name", "web")
    assert secret.startswith("rg_write_")
    listed = call("keys", "list", "-w", folder).out
    assert listed.split() == [key_id, "write", f"...{secret[-4:]}", "works", "web"]
    assert secret not in listed
    assert works(folder, secret)


def test_keys_are_listed_for_programs(folder: Path) -> None:
    assert call("keys", "list", "-w", folder).out.startswith("no keys")
    key_id, secret = made(folder, "read")
    (key,) = call("keys", "list", "--format", "json", "-w", folder).json
    assert (key["id"], key["role"], key["hint"], key["works"]) == (key_id, "read", secret[-4:], True)


def test_a_revoked_key_is_listed_and_works_no_more(folder: Path) -> None:
    key_id, secret = made(folder, "write")
    assert call("keys", "revoke", key_id, "-w", folder).code == 0
    assert "ended" in call("keys", "list", "-w", folder).out
    assert not works(folder, secret)


def test_a_rotated_key_works_beside_the_new_one_for_its_grace(folder: Path) -> None:
    key_id, secret = made(folder, "write", "--name", "web")
    done = call("keys", "rotate", key_id, "--grace-hours", 24 * 365, "-w", folder)
    assert done.code == 0
    assert "the old key" in done.err
    assert " until " in call("keys", "list", "-w", folder).out
    assert works(folder, done.out.strip())
    quick = call("keys", "rotate", key_id, "--grace-hours", 0, "-w", folder)
    assert not works(folder, secret)
    assert works(folder, quick.out.strip())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("create", "owner"), "owner"),
        (("create", "write", "--name", "x" * 101), "at most 100"),
        (("create", "write", "--name", "two\nlines"), "one line"),
        (("revoke", "nobody"), "unknown key 'nobody'"),
    ],
)
def test_mistakes_are_told_in_a_line(folder: Path, words, message: str) -> None:
    done = call("keys", *words, "-w", folder)
    assert done.code == 2
    assert message in done.err
