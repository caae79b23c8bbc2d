"""What the faults made of one toxic share: put it on every edge, read it back, take it off again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from paydrill.backends import Stack
from paydrill.faults import Scene, Witness
from paydrill.faults.probe import Seen, probe_edges
from paydrill.topology import Edge, Topology
from paydrill.toxiproxy.toxic import Toxic


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
def toxic_on_edges(
    scene: Scene, place: str, toxic: Toxic, patience_s: float, shows: Callable[[Seen], bool]
) -> Iterator[OnEdges]:
    """Raises FaultNotApplied, after taking off what had been put on."""
    stack = scene.stack
    edges = stack.topology.edges_at(place)
    with ExitStack() as heal:
        for edge in edges:
            # Registered before it is added: an addition that failed half-way is removed as well.
            heal.callback(stack.toxiproxy.remove, edge, toxic)
            stack.toxiproxy.add(edge, toxic)
        yield OnEdges(stack, edges, patience_s, shows)


def names_of_edges(topology: Topology, place: str) -> tuple[str, ...]:
    """Raises UnknownPlace."""
    return tuple(edge.name for edge in topology.edges_at(place))
