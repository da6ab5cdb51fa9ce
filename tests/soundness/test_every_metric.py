"""Whatever a world is asked, every source answers as the oracle does, and lists the people that it counts.

Metrics that need worlds of their own are asked in the modules named after them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption

from tests.application.test_agreement import workspace_of
from tests.application.test_habits_agreement import parts
from tests.every_metric import PARTS
from tests.strategies import MANY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.every_metric import Part


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_every_metric_is_the_oracles(part: Part, record_property: Callable[[str, object], None]) -> None:
    """From aggregates, arrivals, sessions and raw events, loaded at once or in parts; most questions can be asked."""
    answered: Counter[str] = Counter()

    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        world = data.draw(part.worlds())
        with workspace_of(world, data.draw(st.just(()) | parts())) as ws:
            for name, asked in part.asked.items():
                query = data.draw(asked.questions(world))
                note(f"{name}: {msgspec.json.encode(query).decode()}")
                try:
                    asked.holds(ws, world, query)
                except UnsatisfiedAssumption:
                    note("which is refused")
                else:
                    answered[name] += 1

    ask()
    for name in part.asked:
        record_property(name, answered[name])
    assert {name for name in part.asked if answered[name] < MANY // 2} == set()
