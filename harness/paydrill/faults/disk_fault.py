"""What the faults of a disk share: whom they hit, and the disk itself.

A drill whose plan has one gives the data and the WAL of that PostgreSQL node a disk each: an ext4 of half a
gigabyte on a loop device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from paydrill.backends import Disk, DiskName, Stack
from paydrill.errors import FaultNotApplied
from paydrill.faults import Family, Hits, Looks, WitnessKind
from paydrill.faults.node_fault import nodes_of_target
from paydrill.topology import Topology

PROBE = "paydrill-probe"
PROBE_WITHIN_S = 2.0


class DiskFault:
    """Declared by every fault of a disk of a PostgreSQL node."""

    family: ClassVar[Family] = "disk"
    hits: ClassVar[Hits] = "disk"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker")
    needs: ClassVar[tuple[str, ...]] = ("root", "loop devices")
    witnessed_by: ClassVar[WitnessKind] = "kernel"
    looks: ClassVar[Looks] = "at once"

    node: str

    def places(self, topology: Topology) -> tuple[str, ...]:
        return tuple(node.name for node in nodes_of_target(topology, self.node))

    def disks(self, stack: Stack, names: Sequence[DiskName]) -> list[Disk]:
        """Raises FaultNotApplied where a node is no PostgreSQL or has no disks of its own."""
        nodes = nodes_of_target(stack.topology, self.node)
        for node in nodes:
            runtime = stack.setup.target.services[node.service].runtime
            if runtime != "postgres":
                raise FaultNotApplied(f"{node.name} is a {runtime} node; disk faults are for postgres nodes")
        return [stack.disk(node, name) for node in nodes for name in names]


def told(disks: Sequence[Disk]) -> str:
    return ", ".join(f"the {disk.name} disk of {disk.node.name}" for disk in disks)


def refuses_writes(stack: Stack, disk: Disk, saying: bytes) -> bool:
    """Whether the node's own user cannot write there; `saying`: what the system says then."""
    probe = disk.inside / PROBE
    write = f"head -c 1048576 /dev/zero >{probe}; code=$?; rm -f {probe}; exit $code"
    done = stack.run_in(disk.node, ["/bin/sh", "-c", write], PROBE_WITHIN_S)
    return done.code != 0 and saying in done.stderr
