"""When customers arrive: a Poisson process of piecewise constant rate, from the seed (pure)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from paydrill.plan import Crowd, PlannedLoad, Segment

NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Arrivals:
    """Offsets in nanoseconds after the load began, ascending. `of_crowd`: which of them are a crowd's."""

    offsets: array[int]
    of_crowd: dict[int, Crowd]


def arrivals_of(load: PlannedLoad, seed: int) -> Arrivals:
    """Everybody who comes: the mix, its herds, and the crowds besides."""
    mix = arrivals(load.segments, seed)
    for herd in load.herds:
        mix.extend([int(herd.at_s * NS_PER_S)] * herd.customers)
    everybody: list[tuple[int, Crowd | None]] = [(offset, None) for offset in mix]
    for index, crowd in enumerate(load.crowds):
        alone = Segment(crowd.at_s, crowd.end_s, crowd.rate_per_s)
        everybody += [(offset, crowd) for offset in arrivals((alone,), seed, f"crowd:{index}:")]
    everybody.sort(key=lambda one: one[0])
    return Arrivals(
        array("q", (offset for offset, _ in everybody)),
        {index: crowd for index, (_, crowd) in enumerate(everybody) if crowd is not None},
    )


def arrivals(segments: Iterable[Segment], seed: int, of: str = "") -> array[int]:
    """Offsets in nanoseconds after the load began, ascending; equal bytes for equal input.

    Every segment has a generator of its own, so that changing one leaves the others as they were;
    `of` tells those of several streams apart.
    """
    offsets = array("q")
    for index, segment in enumerate(segments):
        if segment.rate_per_s <= 0:
            continue
        random = Random(f"{seed}:arrivals:{of}{index}")
        t_s = segment.at_s + random.expovariate(segment.rate_per_s)
        while t_s < segment.end_s:
            offsets.append(int(t_s * NS_PER_S))
            t_s += random.expovariate(segment.rate_per_s)
    return array("q", sorted(offsets))
