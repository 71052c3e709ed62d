"""What the ledger has to know of a kind of event."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.core.body import Body, Document, Fact
from pipeline.core.tally import Tally


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of event: how its body is taken from the event, and what a fact of it counts.

    ``once``: a person has one such fact at most; ``grace``: days after the day of death on which
    a fact still counts; ``evidence``: whether a fact can say where a person lives or stops living
    (:mod:`pipeline.core.presence` knows how); ``counted``: the body without what no count of a
    person's only report depends on, where many reports then are alike, else ``None``.
    """

    body: Callable[[Document], Body]
    count: Callable[[Tally, Fact], None]
    once: bool = False
    grace: int = 0
    evidence: Callable[[Fact], bool] = lambda _: False
    counted: Callable[[Body], Body | None] = lambda _: None
