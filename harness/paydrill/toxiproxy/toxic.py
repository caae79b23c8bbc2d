"""A toxic, checked before the server sees it.

The server takes misspelt attributes in silence (a fault that injects nothing), and some values end
it altogether, so that every attribute is checked here first and read back afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from paydrill.errors import FaultNotApplied

Direction = Literal["upstream", "downstream"]

LEAST: Mapping[str, Mapping[str, int]] = {
    "latency": {"latency": 0, "jitter": 0},
    "bandwidth": {"rate": 1},
    "slow_close": {"delay": 0},
    "timeout": {"timeout": 0},
    "slicer": {"average_size": 1, "size_variation": 0, "delay": 0},
    "limit_data": {"bytes": 0},
    "reset_peer": {"timeout": 0},
}
"""Toxic type -> its attributes with the least value that is safe for the server (2.12)."""

FIXED = frozenset({"bandwidth"})
"""Types that cannot be changed while they are on: the server would end while it cuts a packet by the old rate."""


@dataclass(frozen=True)
class Toxic:
    """`attributes` in Toxiproxy's own units: ms, kB/s, bytes, µs for the slicer's delay.

    `label` keeps toxics of one type apart that different faults have put on one edge and direction.
    """

    type: str
    direction: Direction
    attributes: Mapping[str, int] = field(default_factory=dict)
    toxicity: float = 1.0
    label: str = ""

    @property
    def name(self) -> str:
        return f"paydrill_{self.label or self.type}_{self.direction}"

    def check(self) -> None:
        """Raises FaultNotApplied when the server would ignore it, misread it or die of it."""
        known = LEAST.get(self.type)
        if known is None:
            raise FaultNotApplied(f"Toxiproxy has no toxic {self.type!r}; it has {', '.join(LEAST)}")
        for attribute, value in self.attributes.items():
            if attribute not in known:
                raise FaultNotApplied(f"toxic {self.type} has no attribute {attribute!r}: {', '.join(known)}")
            if value < known[attribute]:
                raise FaultNotApplied(f"{self.type}.{attribute} must be ≥ {known[attribute]}, not {value}")
        if not 0 < self.toxicity <= 1:
            raise FaultNotApplied(f"toxicity must be in (0, 1], not {self.toxicity}")
        if self.attributes.get("size_variation", 0) > max(0, self.attributes.get("average_size", 1) - 1):
            raise FaultNotApplied("slicer.size_variation must be less than average_size")

    def check_change(self) -> None:
        """As `check`, of attributes that are to take the place of others while the toxic is on."""
        self.check()
        if self.type in FIXED:
            raise FaultNotApplied(f"{self.name}: a {self.type} cannot be changed; take it off, add another")
