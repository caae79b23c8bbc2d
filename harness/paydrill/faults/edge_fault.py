"""What the faults of an edge share: whom they hit, and a toxic put on, read back and taken off again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

from paydrill.backends import Stack
from paydrill.faults import Family, Hits, Looks, Scene, Witness, WitnessKind
from paydrill.faults.probe import Seen, probe_edges
from paydrill.topology import Edge, Topology
from paydrill.toxiproxy.toxic import Toxic

Existing = Literal["keep", "cut"]
"""`cut` closes the connections that are open at the injection, as a pool would otherwise keep them."""


class EdgeFault:
    """Declared by every fault whose place is one edge; a service name on either side means all its nodes."""

    family: ClassVar[Family] = "network"
    hits: ClassVar[Hits] = "edge"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker", "attached")
    needs: ClassVar[tuple[str, ...]] = ()
    witnessed_by: ClassVar[WitnessKind] = "path"
    looks: ClassVar[Looks] = "at once"
    undo: ClassVar[str] = "the toxic is taken off"

    edge: str

    def places(self, topology: Topology) -> tuple[str, ...]:
        return tuple(edge.name for edge in topology.edges_at(self.edge))


@dataclass(frozen=True)
class OnEdges:
    """A fault of the path, in force on `edges`. `shows` says whether what a probe saw is its effect."""

    stack: Stack
    edges: Sequence[Edge]
    patience_s: float
    shows: Callable[[Seen], bool]

    def witness(self) -> Witness:
        seen = probe_edges(self.stack, self.edges, self.patience_s)
        proven = [one for one in seen if self.shows(one)]
        told = "; ".join(f"{one.edge}: {one.saw} after {one.elapsed_s * 1000:.0f} ms" for one in seen)
        measured = {
            "edges": float(len(seen)),
            "edges_witnessed": float(len(proven)),
            "probe_bytes_per_edge": float(max(one.sent_bytes for one in seen)),
        }
        return Witness("path", len(proven) == len(seen), f"probes through the proxies saw {told}", measured)


@contextmanager
def toxics_on(
    scene: Scene, toxics: Sequence[tuple[Edge, Toxic]], existing: Existing = "keep"
) -> Iterator[None]:
    """Raises FaultNotApplied, after taking off what had been put on."""
    server = scene.stack.toxiproxy
    with ExitStack() as heal:
        for edge, toxic in toxics:
            # Registered before it is added: an addition that failed half-way is removed as well.
            heal.callback(server.remove, edge, toxic)
            server.add(edge, toxic)
        if existing == "cut":
            # After the toxics, so that no new connection escapes them.
            for edge in dict.fromkeys(edge for edge, _ in toxics):
                server.cut(edge)
        yield


@contextmanager
def toxic_on_edges(
    scene: Scene,
    place: str,
    toxic: Toxic,
    patience_s: float,
    shows: Callable[[Seen], bool],
    existing: Existing = "keep",
) -> Iterator[OnEdges]:
    """The same toxic on every edge that `place` means, witnessed by one short question through each."""
    edges = scene.stack.topology.edges_at(place)
    with toxics_on(scene, [(edge, toxic) for edge in edges], existing):
        yield OnEdges(scene.stack, edges, patience_s, shows)
