"""thundering_herd: many customers begin in one moment, and again after a pause."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Arrivals, InForce, Scene, Shape, Witness
from paydrill.faults.load_fault import Arriving, LoadFault, arriving

FIRST_AFTER_S = 0.4
"""So late that the first herd is seen to come: the count is 0.3 s old at most."""
MOST_CUSTOMERS = 400
SHORTEST_PAUSE_MS = 1000
LEAST_SHARE = 0.7
WITHIN_S = 0.5
"""A herd shows whole in so long a time: the count is told four times a second."""


@dataclass
class Stampeding(Arriving):
    customers: int = 0

    def witness(self) -> Witness:
        """Moments in which as many arrived as a herd has, above what arrives at other times.

        Herds that follow soon on each other show in more than half of all looks: the least quarter are other times.
        """
        jumps = _jumps(self.counts)
        usual = sorted(jump for _, jump in jumps)[len(jumps) // 4] if jumps else 0
        herds, index = 0, 0
        while index < len(jumps):
            end, jump = jumps[index]
            is_herd = jump - usual >= LEAST_SHARE * self.customers
            herds += is_herd
            # What one herd did is in every jump over it.
            index = end if is_herd else index + 1
        most = max((jump for _, jump in jumps), default=0)
        told = f"{herds} times {self.customers} customers came at once: up to {most} arrivals within {WITHIN_S:g} s, {usual:g} usually"
        return Witness("load", herds > 0, told, {"herds": float(herds), "most_at_once": float(most)})


def _jumps(counts: Sequence[Arrivals]) -> list[tuple[int, int]]:
    """From each count to the last within the time, or to the next one: which that is, and how many came between."""
    times = [count.at_s for count in counts]
    ends = [max(first + 1, bisect_right(times, at_s + WITHIN_S) - 1) for first, at_s in enumerate(times[:-1])]
    return [(end, counts[end].started - counts[first].started) for first, end in enumerate(ends)]


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
