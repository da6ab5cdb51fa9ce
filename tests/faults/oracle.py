"""What must be true whatever happened: acknowledged exactly once, refused never, unknown at most once."""

from __future__ import annotations

import http.client
import json
import math
import random
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import regulars
from tests.application.test_refresh import derived
from tests.faults.victims import event

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.domain.report import JournalAudit


_FEW = 10  # events of a batch


@dataclass
class Ledger:
    """Ids by what their sender was told: 2xx, 4xx, or nothing that it can rely on."""

    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)

    def kept(self, ids: set[str]) -> None:
        """They are durable."""
        self.acknowledged |= ids
        self.unknown -= ids

    def doubted(self, ids: set[str]) -> None:
        """Nobody knows, unless they had been acknowledged before."""
        self.unknown |= ids - self.acknowledged

    def add(self, other: Ledger) -> None:
        """Take over what another sender was told."""
        self.acknowledged |= other.acknowledged
        self.refused |= other.refused
        self.unknown = (self.unknown | other.unknown) - self.acknowledged


def settle(folder: Path, ledger: Ledger, *, anew: bool = True) -> JournalAudit:
    """Load what waits; hold the facts to the ledger and the audit, and what is derived to the facts (``anew``)."""
    with regulars.open(folder) as ws:
        ids = Counter(row[0] for row in ws.sql("SELECT event_id FROM fact_user_actions").rows)
        audit = ws.journal_audit()
        if anew:
            found = derived(ws)
            ws.rebuild()
            assert derived(ws) == found, "what was derived step by step is not what follows from the facts"
    lost, more = ledger.acknowledged - set(ids), [name for name, count in ids.items() if count > 1]
    assert not lost, f"{len(lost)} acknowledged events are lost, e.g. {min(lost)}"
    assert not more, f"{len(more)} events are there more than once, e.g. {more[0]}"
    strange = set(ids) - ledger.acknowledged - ledger.unknown
    assert not strange, f"{len(strange)} events were never sent, or refused, e.g. {min(strange)}"
    assert not ledger.refused & set(ids)
    assert audit.adds_up
    assert audit.backlog == audit.dead_letter == 0
    return audit


class Sender(threading.Thread):
    """Sends batches to an address until told to stop, bad ones among them, and again what nobody has answered.

    Once ``enough`` events were taken it goes on with small batches: what is tried afterwards is tried under load,
    but the database need not grow with every second.
    """

    def __init__(
        self,
        address: str,
        name: str,
        batch: int,
        stop: threading.Event,
        pause: float = 0.01,
        *,
        enough: float = math.inf,
    ) -> None:
        super().__init__(daemon=True)
        self.host, _, port = address.removeprefix("http://").rpartition(":")
        self.port, self.label, self.batch, self.stopped, self.pause = int(port), name, batch, stop, pause
        self.enough = enough
        self.chance = random.Random(name)
        self.ledger = Ledger()
        self.statuses: Counter[int] = Counter()
        self.error: Exception | None = None

    def run(self) -> None:
        """Until told to stop."""
        try:
            self._send_all()
        except Exception as exc:  # noqa: BLE001 -- told by `ended`
            self.error = exc

    def ended(self) -> Ledger:
        """What it was told, once it has stopped."""
        self.join(30)
        assert not self.is_alive()
        assert self.error is None, repr(self.error)
        return self.ledger

    def _send_all(self) -> None:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        count = 0
        while not self.stopped.wait(self.pause):
            if len(self.ledger.acknowledged) > self.enough:
                self.batch = min(self.batch, _FEW)
            ids, bad = self._next(count), f"bad-{self.label}-{count}"
            events = [event(name, *person_and_day(name)) for name in ids]
            events.insert(self.chance.randint(0, len(events)), {"event_id": bad, "event_type": "like"})
            self.ledger.refused.add(bad)
            count += 1
            try:
                connection.request("POST", "/v1/batch", json.dumps({"events": events}))
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self.ledger.doubted(set(ids))
                time.sleep(0.02)
                continue
            self._told(response, set(ids))
        connection.close()

    def _told(self, response: http.client.HTTPResponse, ids: set[str]) -> None:
        self.statuses[response.status] += 1
        assert response.status in {200, 503}
        if response.status == 200:
            self.ledger.kept(ids)
        else:
            assert int(response.headers["Retry-After"]) >= 1
            self.ledger.doubted(ids)

    def _next(self, count: int) -> list[str]:
        ids = [f"{self.label}-{count}-{n}" for n in range(self.chance.randint(1, self.batch))]
        if self.chance.random() < 0.1:
            ids.append(ids[0])  # twice in one batch
        if self.ledger.unknown and self.chance.random() < 0.5:
            ids += list(self.ledger.unknown)[: self.batch]  # again, in another batch
        return ids


def person_and_day(name: str) -> tuple[int, int]:
    """Who did it and when: an id says everything about its event, however often that is sent."""
    number = zlib.crc32(name.encode())
    return number % 400, 1 + number // 400 % 28
