"""Scenario + seed -> Plan: everything that will happen, resolved (pure).

The same scenario, topology and seed give the same plan, byte for byte. `plan.json` is one of the
two narrow waists of a drill; the other is the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """Arrivals at `rate_per_s` from `at_s` (inclusive) to `end_s` (exclusive), after the load began."""

    at_s: float
    end_s: float
    rate_per_s: float


@dataclass(frozen=True)
class PlannedFault:
    """One fault with the places that it hits. `fields` are the fault's own, as in the scenario."""

    id: int
    name: str
    at_s: float
    end_s: float
    fields: Mapping[str, object]
    places: tuple[str, ...]


@dataclass(frozen=True)
class PlannedLoad:
    """What the load child needs besides the target's client description."""

    segments: tuple[Segment, ...]
    mix: Mapping[str, float]
    max_in_flight: int

    @property
    def duration_s(self) -> float:
        return max(segment.end_s for segment in self.segments)


@dataclass(frozen=True)
class Plan:
    """`psp` maps a PSP behaviour to its share of operations (0…1)."""

    scenario: str
    topology: str
    target: str
    seed: int
    load: PlannedLoad
    faults: tuple[PlannedFault, ...]
    psp: Mapping[str, float]
    timing: Mapping[str, float]
