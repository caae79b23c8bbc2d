"""When customers arrive: a Poisson process of piecewise constant rate, from the seed (pure)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from random import Random

from paydrill.plan import Segment

NS_PER_S = 1_000_000_000


def arrivals(segments: Iterable[Segment], seed: int) -> array[int]:
    """Offsets in nanoseconds after the load began, ascending; equal bytes for equal input.

    Every segment has a generator of its own, so that changing one leaves the others as they were.
    """
    offsets = array("q")
    for index, segment in enumerate(segments):
        if segment.rate_per_s <= 0:
            continue
        random = Random(f"{seed}:arrivals:{index}")
        t_s = segment.at_s + random.expovariate(segment.rate_per_s)
        while t_s < segment.end_s:
            offsets.append(int(t_s * NS_PER_S))
            t_s += random.expovariate(segment.rate_per_s)
    return array("q", sorted(offsets))
