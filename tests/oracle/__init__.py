"""Every metric again, in slow and obvious Python over a list of events.

It shares nothing with the engine but the records of a question and of the settings.
"""

from tests.oracle.answer import answer, people
from tests.oracle.conditions import RefusedError
from tests.oracle.world import Event, User, World

__all__ = ["Event", "RefusedError", "User", "World", "answer", "people"]
