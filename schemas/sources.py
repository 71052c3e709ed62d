"""The registry of publishers: who may send, and whose word holds when two report one act."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.events import KINDS

SECTORS = ("health", "police")
NAME = re.compile(r"^(health|police)\.\S{1,64}$")

LEADING_SECTOR = {kind: model.leading_sector for kind, model in KINDS.items()}
"""Sector whose standing report gives a fact its content, by kind (CONTRACT section 2)."""

Priorities = Mapping[str, int]
"""Registered sources with their priority; the smallest number is heard first."""


@dataclass(frozen=True)
class Source:
    """One publisher of the registry."""

    name: str
    priority: int

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise ValueError(
                f"{self.name!r} is no source name: write <sector>.<name> with the sector "
                "health or police, for example health.hospital-one"
            )
        if self.priority < 1:
            raise ValueError(f"priority of {self.name} is {self.priority}: it starts at 1")

    @property
    def sector(self) -> str:
        """``health`` or ``police``."""
        return self.name.partition(".")[0]


DEMONSTRATION = (
    Source("health.birth-certificates", 1),
    Source("health.death-certificates", 1),
    Source("health.hospitals", 2),
    Source("police.household", 1),
    Source("police.permits", 2),
)
"""The publishers of the simulated city; all that a fresh stack knows."""
