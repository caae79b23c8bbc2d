"""disk_hang: every write to a disk waits, without an error, until it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Disk, DiskName, Stack, disks
from paydrill.errors import FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, InForce, Scene, Witness
from paydrill.faults.disk_fault import DiskFault, told


@dataclass(frozen=True)
class Hanging:
    stack: Stack
    hanging: Sequence[Disk]

    def witness(self) -> Witness:
        """The kernel refuses to freeze what is frozen. Nothing is written: the writer could not be ended."""
        frozen = [disk for disk in self.hanging if disks.is_frozen(disk.mount)]
        return Witness(
            "kernel",
            len(frozen) == len(self.hanging),
            f"{told(self.hanging)}: {len(frozen)} of {len(self.hanging)} frozen, says the kernel",
            {"disks": float(len(self.hanging)), "disks_frozen": float(len(frozen))},
        )


@dataclass(frozen=True, kw_only=True)
class DiskHang(DiskFault):
    """Freezes a disk, as a stalled storage does: commits wait for the WAL, everything else for the data."""

    name: ClassVar[str] = "disk_hang"
    summary: ClassVar[str] = "a database's disk stalls, and later goes on as if nothing had been"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "none"
    carries: ClassVar[Carries] = "bytes"
    undo: ClassVar[str] = "the disk is thawed"
    example: ClassVar[Mapping[str, object]] = {"node": "db-1", "disk": "wal"}

    node: str
    disk: DiskName = "wal"

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        hanging = self.disks(scene.stack, [self.disk])
        with ExitStack() as heal:
            for disk in hanging:
                heal.callback(_go_on, disk)
                disks.freeze(disk.mount)
            yield Hanging(scene.stack, hanging)


def _go_on(disk: Disk) -> None:
    disks.thaw(disk.mount)
    if disks.is_frozen(disk.mount):
        raise FaultNotApplied(f"{told([disk])} was thawed and is still frozen")


FAULT = DiskHang
