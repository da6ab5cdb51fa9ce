"""What must hold in every world, whatever the numbers are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import World, answer, people
from tests.strategies import event_rows, queries, user_rows, worlds


@given(st.data())
def test_every_question_has_one_row_per_bucket_and_slice(data: st.DataObject) -> None:
    """Rows are dense, ordered by date, and their people match their counts."""
    world = data.draw(worlds())
    query = data.draw(queries(world))
    rows = answer(world, query)
    places = {tuple(row[name] for name in query.breakdown) for row in rows}
    dates = [row["date"] for row in rows]
    assert len(rows) == len(places) * len(set(dates))
    assert query.grain == "hour" or dates == sorted(dates)
    for row in rows:
        place = tuple(row[name] for name in query.breakdown)
        for name, users in people(world, query)[row["date"], place].items() if len(rows) < 50 else ():
            assert row[name] == len(users)


@given(worlds())
def test_the_wire_form_keeps_every_event_and_every_user(world: World) -> None:
    """Nothing is lost on the way to the importer."""
    assert [row["event_id"] for row in event_rows(world)] == [event.event_id for event in world.events]
    assert [row["user_id"] for row in user_rows(world)] == list(world.users)
