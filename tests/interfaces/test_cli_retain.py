"""``regulars retain``: what it says, and what it leaves alone."""

from datetime import UTC, datetime, timedelta

import pytest

import regulars
from tests.domain.examples import did
from tests.interfaces.cli import call

TODAY = datetime.now(UTC).date()
OLD = [did(f"u{n}", f"{TODAY - timedelta(days=n)}T00:00:00") for n in range(1, 30)]


@pytest.fixture
def shop(tmp_path):
    """A workspace with an event on each of the last 29 days."""
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder) as ws:
        ws.load(OLD)
    return folder


def test_it_says_what_would_go_and_what_went(shop):
    """Without a limit it says how to set one; with one, what became of the events and where they begin now."""
    unlimited = call("retain", "-w", shop)
    assert (unlimited.code, unlimited.out) == (
        0, "no limit is set, every event stays; for example: [retention] events_days = 365 in regulars.toml\n"
    )  # fmt: skip
    (shop / "regulars.toml").write_text("[retention]\nevents_days = 10\n", encoding="utf-8")
    floor, first = TODAY - timedelta(days=10), TODAY - timedelta(days=29)
    assert call("retain", "--dry-run", "-w", shop).out == (
        f"19 events of 19 days, from {first} on: would be archived and dropped\n  raw events would begin on {floor}\n"
    )
    assert call("retain", "-w", shop).out == (
        f"19 events of 19 days, from {first} on: archived in archive/events and dropped\n"
        f"  raw events begin on {floor}\n  the database file was written anew, to give the space back\n"
    )
    assert call("retain", "-w", shop).out == (
        f"no raw event is older than 10 days; nothing to do\n  raw events begin on {floor}\n"
    )
    assert f"raw events from {floor} on" in call("doctor", "-w", shop).out
    assert call("doctor", "-w", shop).code == 0
    told = call("retain", "-w", shop, "--format", "json").json
    assert (told["events"], told["floor"], told["events_days"]) == (0, str(floor), 10)
    asked = ["funnel", "like", "like", "-w", shop]
    refused = call(*asked, "--start", first)
    assert (refused.code, str(floor) in refused.err) == (2, True)
    assert (
        f"those before {floor} were archived and dropped; the range begins there" in call(*asked).out + call(*asked).err
    )


def test_a_wrong_limit_is_one_line(shop):
    """It names the key, the value and what is allowed."""
    (shop / "regulars.toml").write_text("[retention]\nevents_days = 0\n", encoding="utf-8")
    told = call("retain", "-w", shop)
    assert told.code == 2
    assert told.err == (
        "error: regulars.toml: retention.events_days must be between 1 and 36525, not 0; leave it out to keep every "
        "event at `retention`\n"
    )
    (shop / "regulars.toml").write_text("[retention]\nevent_days = 9\n", encoding="utf-8")
    assert "did you mean 'retention.events_days'?" in call("retain", "-w", shop).err
