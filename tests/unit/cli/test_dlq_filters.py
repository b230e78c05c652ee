"""The words of the dlq options are those of the rooms behind; help must not load these."""

from stream.cli.dlq_filters import Class, Which
from stream.events import Priority
from stream.letters.filters import State


def test_states_and_priorities_are_the_rooms_own() -> None:
    assert [each.value for each in Which] == [*State, "any"]
    assert [each.value for each in Class] == list(Priority)
