"""Hypothesis strategies for sets of accepted events; see `tests.laws.nasty`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

from consumers.audit.recount import Accepted
from tests.laws.nasty import SOURCES, World

T = TypeVar("T")

__all__ = ["SOURCES", "accepted_sets", "shuffled_with_repeats"]


class DrawnDice:
    """Choices that hypothesis makes, records and shrinks towards the first option."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        if len(options) == 1:
            return options[0]
        return options[self.draw(_INDEX[len(options)])]


# One strategy object per number of options: building them anew costs more than drawing.
_INDEX = {size: st.integers(0, size - 1) for size in range(2, 200)}
# Mostly one or two persons, so that many events meet in one life.
_PERSONS = st.sampled_from((1, 1, 1, 2, 2, 3, 4))


@st.composite
def accepted_sets(
    draw: st.DrawFn, max_events: int = 14, *, persons: int | None = None, far_future: bool = True
) -> list[Accepted]:
    """A set of accepted events about one to four persons, in the order drawn.

    Args:
        draw: Given by hypothesis.
        max_events: At most so many events, at least one.
        persons: How many persons there are, None for one to four.
        far_future: Whether permits may run to 2299.
    """
    people = draw(_PERSONS) if persons is None else persons
    world = World(DrawnDice(draw), range(people), far_future=far_future)
    return [world.next_accepted() for _ in range(draw(st.integers(1, max_events)))]


@st.composite
def shuffled_with_repeats(draw: st.DrawFn, accepted: Sequence[Accepted]) -> list[Accepted]:
    """The same set of events in another order, some of them arriving twice.

    A repeat keeps its day of arrival, so it changes nothing that was known on any day.
    """
    repeated = draw(st.lists(st.sampled_from(accepted), max_size=4))
    return draw(st.permutations([*accepted, *repeated]))
