"""power_cut: a database's machine loses its power; what was not flushed to its disks is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import DISKS, Disk, Stack, disks
from paydrill.errors import FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, InForce, Scene, Witness
from paydrill.faults.disk_fault import DiskFault, told
from paydrill.faults.node_fault import running_again, who_runs


@dataclass(frozen=True)
class PowerIsOff:
    stack: Stack
    dark: Sequence[Disk]

    def witness(self) -> Witness:
        dead = [disk for disk in self.dark if disks.is_dead(disk.mount)]
        nodes = {disk.node for disk in self.dark}
        gone = [node for node in nodes if self.stack.process(node) is None]
        measured = {"disks": float(len(self.dark)), "disks_dead": float(len(dead))}
        return Witness(
            "kernel",
            len(dead) == len(self.dark) and len(gone) == len(nodes),
            f"{told(self.dark)}: {len(dead)} of {len(self.dark)} answer with EIO, "
            f"{len(gone)} of {len(nodes)} servers are gone",
            {**measured, "nodes": float(len(nodes)), "nodes_gone": float(len(gone))},
        )


@dataclass(frozen=True, kw_only=True)
class PowerCut(DiskFault):
    """All processes of the node are killed, and both its disks drop every write that was not flushed.

    Later the disks are mounted anew and the server recovers from what they hold. A server that flushes
    what it acknowledges loses nothing.
    """

    name: ClassVar[str] = "power_cut"
    summary: ClassVar[str] = "a database loses its power, and every write that was not flushed"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "none"
    carries: ClassVar[Carries] = "nothing"
    undo: ClassVar[str] = "its disks are mounted anew and it is started"
    example: ClassVar[Mapping[str, object]] = {"node": "db-1"}

    node: str

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        dark = self.disks(stack, DISKS)
        nodes = list(dict.fromkeys(disk.node for disk in dark))
        for node in nodes:
            who_runs(stack, node)
        with running_again(stack, nodes), ExitStack() as heal:
            for disk in dark:
                heal.callback(_light, stack, disk)
            # The processes first: a flush that is under way while ext4 goes dark can report success although
            # its transaction is dropped, and a server that lives on would acknowledge what no disk ever had.
            for node in nodes:
                stack.kill(node)
            for disk in dark:
                disks.cut_power(disk.mount)
            yield PowerIsOff(stack, dark)


def _light(stack: Stack, disk: Disk) -> None:
    """Its server is killed first, in case that the cut went wrong half-way."""
    if stack.process(disk.node) is not None:
        stack.kill(disk.node)
    stack.mount_anew(disk)
    if disks.is_dead(disk.mount):
        raise FaultNotApplied(f"{told([disk])} was mounted anew and still fails")


FAULT = PowerCut
