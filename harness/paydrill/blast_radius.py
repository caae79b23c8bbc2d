"""What a drill may break: what its run creates, and what the target's `allow` names (pure).

A run creates every node, volume and edge of a target that it starts. Of a stack that somebody else runs it
creates the proxies, so the edges, and the PSP; its nodes and volumes are somebody else's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from paydrill.faults import Fault, Hits
from paydrill.plan import Plan
from paydrill.target import Allow, Target
from paydrill.topology import CLIENT, PSPS, Topology, UnknownPlace

ATTACHED = "attached"
What = Literal["nodes", "volumes", "edges"]


@dataclass(frozen=True)
class Thing:
    """One object of a drill. A volume is named after its node: `db-1`."""

    what: What
    name: str

    def __str__(self) -> str:
        return f"the {self.what[:-1]} {self.name}"


def check(fault: Fault, places: Sequence[str], target: Target, topology: Topology) -> None:
    """Raises ValueError, naming what may not be hit."""
    if beyond := _beyond(type(fault), places, target, topology):
        raise ValueError(_refusal(fault.name, beyond, target))


def refused(
    plan: Plan, faults: Mapping[str, type[Fault]], target: Target, topology: Topology
) -> Sequence[str]:
    """A sentence for every fault of a plan that hits what it may not, also for places that only a file names."""
    found = (
        (fault.name, _beyond(faults[fault.name], fault.places, target, topology))
        for fault in plan.faults
        if fault.name in faults
    )
    return [_refusal(name, beyond, target) for name, beyond in found if beyond]


def things(hits: Hits, places: Sequence[str], topology: Topology) -> tuple[Thing, ...]:
    """What is hit by a fault at those places."""
    if hits == "target":
        return tuple(dict.fromkeys(Thing("nodes", _asked(place, topology)) for place in places))
    word: What = "volumes" if hits == "disk" else "nodes"
    return tuple(Thing("edges" if "->" in place else word, place) for place in places)


def _asked(place: str, topology: Topology) -> str:
    """Requests go through an edge; who is hit is who answers them."""
    if "->" in place:
        return place.partition("->")[2]
    return topology.entrance().server if place == CLIENT else place


def _beyond(fault: type[Fault], places: Sequence[str], target: Target, topology: Topology) -> list[Thing]:
    """Nothing where the fault cannot be brought about at all: then the drill is `not_run` (backend_cannot)."""
    if target.attached and ATTACHED not in fault.backends:
        return []
    return [
        thing
        for thing in things(fault.hits, places, topology)
        if not _created(thing, target, topology) and not _allowed(thing, target.allow, topology)
    ]


def _created(thing: Thing, target: Target, topology: Topology) -> bool:
    if thing.what == "edges":
        return thing.name in topology.edge_names()
    nodes = {node.name: node.service for node in topology.nodes if node.name != CLIENT}
    return thing.name in nodes and (target.attached is None or nodes[thing.name] in PSPS)


def _allowed(thing: Thing, allow: Allow, topology: Topology) -> bool:
    named: Collection[str] = getattr(allow, thing.what)
    return any(thing.name == word or thing.name in _names(word, topology) for word in named)


def _names(word: str, topology: Topology) -> Collection[str]:
    """A service stands for its nodes, on either side of an edge too."""
    try:
        if "->" in word:
            return [edge.name for edge in topology.edges_at(word)]
        return [node.name for node in topology.nodes_at(word)]
    except UnknownPlace:
        return ()


def _refusal(name: str, beyond: Sequence[Thing], target: Target) -> str:
    words = ", ".join(str(thing) for thing in beyond)
    what = beyond[0].what
    mend = f"allow: {{{what}: [{', '.join(thing.name for thing in beyond if thing.what == what)}]}}"
    return (
        f"{name} would hit {words}: not created by the run, and not named by `allow` in the target.yaml of "
        f"{target.name}; if it is yours to break, add {mend}"
    )
