"""Faults: one file each; the file's name is the word in a scenario.

A fault is a frozen, keyword-only dataclass. Its fields are its YAML keys, with units in their names
(`latency_ms`). It names its effect, how many definite answers to expect while it is on, and how its
effect is witnessed. Injecting it is a context manager, so that healing cannot be forgotten.

To add one: write `faults/<name>.py` with a class and a last line `FAULT = <class>`; nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from paydrill.topology import Topology

if TYPE_CHECKING:
    from paydrill.backends import Stack

Effect = Literal["money", "availability", "none"]
Expects = Literal["none", "some", "most"]
Carries = Literal["bytes", "nothing", "arrivals"]
WitnessKind = Literal["path", "process", "kernel", "store", "answer", "load"]


@dataclass(frozen=True)
class Witness:
    """What was observed of a fault while it was in force, and its state after healing.

    `measured` holds small numbers for the report (seconds, counts), by name with unit.
    """

    kind: WitnessKind
    witnessed: bool
    detail: str
    measured: Mapping[str, float]


class LoadGauge(Protocol):
    """What a fault may see of the load."""

    def started(self) -> int:
        """Arrivals that have begun so far."""
        ...


@dataclass(frozen=True)
class Scene:
    """Where a fault acts."""

    stack: Stack
    load: LoadGauge


class InForce(Protocol):
    """A fault that has been injected and read back."""

    def witness(self) -> Witness:
        """Look, while the fault is in force, whether it takes effect.

        Called from a thread of its own, once; takes two seconds at most and changes nothing.
        """
        ...


class Fault(Protocol):
    """What every fault file's class offers. `name` is the file's name.

    carries: what moves through the places that are hit while the fault is on: `bytes`; `nothing`, since
    connections are refused or cut; or the `arrivals` themselves. A guard asks for it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    effect: ClassVar[Effect]
    expects: ClassVar[Expects]
    carries: ClassVar[Carries]
    backends: ClassVar[tuple[str, ...]]

    def places(self, topology: Topology) -> tuple[str, ...]:
        """The node or edge names that are hit. Raises UnknownPlace. Pure."""
        ...

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        """Put it in force and read it back; heal at exit and read that back too.

        Raises FaultNotApplied when it is refused or reads back differently.
        """
        ...


@runtime_checkable
class ShapesLoad(Protocol):
    """A fault that is extra load: it changes the arrivals of the plan."""

    @property
    def rate_per_s(self) -> float:
        """Arrivals per second while it is on, in place of the scenario's rate."""
        ...


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
