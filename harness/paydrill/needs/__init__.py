"""What faults need of the machine, each found by using it: the words of a fault's `needs`, and their probes.

To add one: a `Need` in `catalogue.py`, whose probe tries the thing and says what is in the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from paydrill.faults import Fault
from paydrill.plan import Plan

Probe = Callable[[str], str]
"""Backend -> what is in the way of it there, in the system's own words; empty when it can be had."""


@dataclass(frozen=True)
class Need:
    """name: the word in a fault's `needs`; install: a command that mends it, empty where none does."""

    name: str
    probe: Probe
    install: str = ""


@dataclass(frozen=True)
class Lack:
    """What one fault of a plan needs and this machine does not have."""

    fault: str
    need: str
    why: str
    install: str

    def __str__(self) -> str:
        mend = f" ({self.install})" if self.install else ""
        return f"{self.fault} needs {self.need}: {self.why}{mend}"


def known() -> Mapping[str, Need]:
    """Every need by its name."""
    from paydrill.needs.catalogue import NEEDS

    return {need.name: need for need in NEEDS}


@cache
def in_the_way(name: str, backend: str) -> str:
    """What keeps this machine from it, empty when nothing does; tried once. Raises KeyError without a probe."""
    return known()[name].probe(backend)


def lacking(plan: Plan, backend: str, faults: Mapping[str, type[Fault]]) -> tuple[Lack, ...]:
    """What the plan's faults need and this machine lacks, once a fault's name and need."""
    return tuple(
        Lack(fault, need, why, known()[need].install)
        for fault, need in _asked(plan, faults)
        if (why := in_the_way(need, backend))
    )


def of_plan(plan: Plan, backend: str, faults: Mapping[str, type[Fault]]) -> Mapping[str, str]:
    """For run.json: what the plan's faults need, by name: `ok`, or what is in the way."""
    names = sorted({need for _, need in _asked(plan, faults)})
    return {name: in_the_way(name, backend) or "ok" for name in names}


def _asked(plan: Plan, faults: Mapping[str, type[Fault]]) -> Iterable[tuple[str, str]]:
    """(fault, need), each once, in the plan's order."""
    return dict.fromkeys(
        (fault.name, need)
        for fault in plan.faults
        if fault.name in faults
        for need in faults[fault.name].needs
    )
