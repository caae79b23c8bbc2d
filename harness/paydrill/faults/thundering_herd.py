"""thundering_herd: many customers begin in one moment, and again after a pause."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from paydrill.faults import InForce, Scene, Shape, Witness
from paydrill.faults.load_fault import LOOK_EVERY_S, Arriving, LoadFault, arriving

FIRST_AFTER_S = 0.4
"""So late that the first herd is seen to come: the count is 0.3 s old at most."""
MOST_CUSTOMERS = 400
SHORTEST_PAUSE_MS = 1000
LEAST_SHARE = 0.7
WITHIN = round(0.5 / LOOK_EVERY_S)
"""Looks at the count in which a herd shows: it is told four times a second."""


@dataclass
class Stampeding(Arriving):
    customers: int = 0

    def witness(self) -> Witness:
        """Moments in which as many arrived as a herd has, above what arrives at other times."""
        counts = [count.all for count in self.counts]
        jumps = [late - early for early, late in zip(counts, counts[WITHIN:], strict=False)]
        usual = median(jumps) if jumps else 0
        herds, index = 0, 0
        while index < len(jumps):
            if jumps[index] - usual >= LEAST_SHARE * self.customers:
                herds += 1
                # What one herd did is in every jump over it.
                index += WITHIN
            index += 1
        most = max(jumps, default=0)
        told = f"{herds} times {self.customers} customers came at once: up to {most} arrivals within {WITHIN * LOOK_EVERY_S:g} s, {usual:g} usually"
        return Witness("load", herds > 0, told, {"herds": float(herds), "most_at_once": float(most)})


@dataclass(frozen=True, kw_only=True)
class ThunderingHerd(LoadFault):
    """So many `customers` of the mix arrive at one instant, 0.4 s after its begin and after each `pause_ms` again.

    As after an outage that everybody waited out, or when a sale opens. At most 400, and no more than the
    scenario's `max_in_flight`: whoever finds no place is dropped, and dropped is not served.
    """

    name: ClassVar[str] = "thundering_herd"
    summary: ClassVar[str] = "many customers in one instant"
    undo: ClassVar[str] = "no more herds come"
    example: ClassVar[Mapping[str, object]] = {"customers": 40, "pause_ms": 2000}

    customers: int
    pause_ms: int = 2000

    def __post_init__(self) -> None:
        if not 1 <= self.customers <= MOST_CUSTOMERS:
            raise ValueError(f"customers: at least 1 and at most {MOST_CUSTOMERS}, got {self.customers}")
        if self.pause_ms < SHORTEST_PAUSE_MS:
            raise ValueError(
                f"pause_ms: at least {SHORTEST_PAUSE_MS} between two herds, so that each is seen, got {self.pause_ms}"
            )

    def shape(self, usual_per_s: float, length_s: float) -> Shape:
        # One that is shorter than the first pause has its herd all the same.
        first_s = min(FIRST_AFTER_S, length_s / 2)
        times = range(1 + int((length_s - first_s) * 1000 / self.pause_ms))
        return Shape(
            herds=tuple((first_s + number * self.pause_ms / 1000, self.customers) for number in times)
        )

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        return arriving(Stampeding(scene.load, customers=self.customers))


FAULT = ThunderingHerd
