"""Faults: one file each; the file's name is the word in a scenario.

A fault is a frozen, keyword-only dataclass. Its fields are its YAML keys, with units in their names
(`latency_ms`). It names its effect, how many definite answers to expect while it is on, and how its
effect is witnessed. Injecting it is a context manager, so that healing cannot be forgotten.

To add one: write `faults/<name>.py` with a class and a last line `FAULT = <class>`; nothing else.
What the faults of an edge, of a node and of the PSP have in common is in `edge_fault.py`, `node_fault.py`
and `psp_fault.py`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from paydrill.target import Target
from paydrill.topology import Topology

if TYPE_CHECKING:
    from paydrill.backends import Stack

Family = Literal[
    "network", "process", "disk", "clock", "resource", "load", "psp", "webhook", "operator", "attack"
]
Hits = Literal["edge", "sets of nodes", "node", "database", "disk", "load", "psp", "target"]
Effect = Literal["money", "availability", "none"]
Expects = Literal["none", "some", "most"]
Carries = Literal["bytes", "silence", "nothing", "arrivals"]
WitnessKind = Literal["path", "process", "kernel", "store", "answer", "load", "journal"]
Looks = Literal["at once", "at its end"]
Prepared = Literal["clock", "memory", "io"]

FOR_EVER_S = float("inf")


@dataclass(frozen=True)
class Witness:
    """What was observed of a fault while it was in force, and its state after healing.

    `measured` holds small numbers for the report (seconds, counts), by name with unit.
    """

    kind: WitnessKind
    witnessed: bool
    detail: str
    measured: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The arrivals by one moment: those that the plan has up to it, and those that had begun.

    at_s: on the monotonic clock, when the load counted them; 0 before it ever did
    of:   those that had begun, by their traffic class
    """

    at_s: float
    due: int
    started: int
    of: Mapping[str, int] = field(default_factory=dict)


class LoadGauge(Protocol):
    """What a fault may see of the load, at most 0.3 s old."""

    def arrivals(self) -> Arrivals:
        """Of all traffic classes, so far."""
        ...


@dataclass(frozen=True)
class Scene:
    """Where a fault acts. `seed` is the plan's, `fault_id` the fault's number in the plan."""

    stack: Stack
    load: LoadGauge
    seed: int
    fault_id: int

    def chance(self, about: str) -> random.Random:
        """Numbers that depend on the plan's seed, the fault and `about` alone."""
        return random.Random(f"{self.seed}/{self.fault_id}/{about}")


class InForce(Protocol):
    """A fault that has been injected and read back."""

    def witness(self) -> Witness:
        """Look, while the fault is in force, whether it takes effect.

        Called from a thread of its own, once; takes two seconds at most and changes nothing.
        """
        ...


@runtime_checkable
class Unfolds(Protocol):
    """A fault in force that goes on doing things: a schedule, a rhythm, one node after the other."""

    def step(self) -> float:
        """Do what is due; the seconds until something is due again (FOR_EVER_S: nothing any more).

        Called from the conductor's thread, which has other faults to see to: it never waits.
        """
        ...


class Fault(Protocol):
    """What every fault file's class offers. `name` is the file's name.

    carries: what moves through the places that are hit while the fault is on: `bytes`; `silence`, since
    open connections are kept and whoever waits for an answer on them says nothing more; `nothing`, since
    connections are refused or cut; or the `arrivals` themselves. A guard asks for it.
    needs: what the machine must offer besides a running stack, in words.
    looks: when its witness looks: as soon as it is in force, or just before it is healed.
    undo: what healing does, as `--dry-run` tells it.
    example: its fields in a scenario of the reference target.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    family: ClassVar[Family]
    hits: ClassVar[Hits]
    effect: ClassVar[Effect]
    expects: ClassVar[Expects]
    carries: ClassVar[Carries]
    backends: ClassVar[tuple[str, ...]]
    needs: ClassVar[tuple[str, ...]]
    witnessed_by: ClassVar[WitnessKind]
    looks: ClassVar[Looks]
    undo: ClassVar[str]
    example: ClassVar[Mapping[str, object]]

    def places(self, topology: Topology) -> tuple[str, ...]:
        """The node or edge names that are hit. Pure.

        Raises UnknownPlace for what the topology does not have, ValueError for what may not be hit.
        """
        ...

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        """Put it in force and read it back; heal at exit and read that back too.

        Raises FaultNotApplied when it is refused or reads back differently.
        """
        ...


@dataclass(frozen=True)
class Shape:
    """What a fault makes of the arrivals while it is on. Times are seconds after its begin.

    rates:  (from when, arrivals per second in place of the scenario's), each until the next one
    herds:  (when, how many of the mix arrive at that instant besides the others)
    crowd_per_s, crowd_of, crowd_units: besides the mix so many customers of a traffic class arrive, each of
            whom wants so many units of the one product that is scarce
    """

    rates: tuple[tuple[float, float], ...] = ()
    herds: tuple[tuple[float, int], ...] = ()
    crowd_per_s: float = 0.0
    crowd_of: str = ""
    crowd_units: int = 1


@runtime_checkable
class ShapesLoad(Protocol):
    """A fault that is extra load: it changes the arrivals of the plan."""

    def shape(self, usual_per_s: float, length_s: float) -> Shape:
        """What becomes of the scenario's `usual_per_s` while it is on for `length_s`. Pure."""
        ...


@runtime_checkable
class Claims(Protocol):
    """A fault that takes for itself what another fault takes: both cannot hit one place at once."""

    claims: ClassVar[str]
    """The name of that other fault."""


@runtime_checkable
class AsksTarget(Protocol):
    """A fault that fits some targets only."""

    def check(self, target: Target, topology: Topology) -> None:
        """Before anything is started. Raises ValueError, saying what was expected."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A fault whose nodes have to be started with something: a `clock` that can be stepped, or their
    `memory` counted. See StackSetup.clocks_of and memory_of."""

    prepared: ClassVar[Prepared]


def known() -> dict[str, type[Fault]]:
    """Every fault class by name, found by looking at the files of this folder."""
    import importlib
    import pkgutil

    found: dict[str, type[Fault]] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        fault = getattr(importlib.import_module(f"{__name__}.{module.name}"), "FAULT", None)
        if fault is not None:
            found[fault.name] = fault
    return found
