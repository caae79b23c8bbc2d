"""disk_full: the last byte of a disk is taken; later it is given back."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from paydrill.backends import Disk, DiskName, Stack, disks, namespaces
from paydrill.errors import FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, InForce, Scene, Witness
from paydrill.faults.disk_fault import DiskFault, refuses_writes, told
from paydrill.faults.node_fault import running_again

FILLER = "paydrill-filler"
NO_ROOM = b"No space left"
LEAST_FREE_BYTES = 1 << 20


@dataclass(frozen=True)
class Full:
    stack: Stack
    full: Sequence[Disk]

    def witness(self) -> Witness:
        """The node's own user cannot write there any more."""
        refused = [disk for disk in self.full if refuses_writes(self.stack, disk, NO_ROOM)]
        free = max(disks.free_bytes(disk.mount) for disk in self.full)
        detail = f"{told(self.full)}: {len(refused)} of {len(self.full)} answered a write with ENOSPC"
        measured = {
            "disks": float(len(self.full)),
            "disks_full": float(len(refused)),
            "free_bytes": float(free),
        }
        return Witness("kernel", len(refused) == len(self.full), detail, measured)


@dataclass(frozen=True, kw_only=True)
class DiskFull(DiskFault):
    """Fills a disk to its last block.

    data: statements that need room fail, the server stays up and goes on by itself afterwards. wal: the
    server panics, cannot recover and exits; it is started again when there is room. Segments that it has
    already may hide it for a while.
    """

    name: ClassVar[str] = "disk_full"
    summary: ClassVar[str] = "a database's disk has no room left"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    undo: ClassVar[str] = "the room is given back, and a server that has exited is started"
    example: ClassVar[Mapping[str, object]] = {"node": "db-1", "disk": "data"}

    node: str
    disk: DiskName = "data"

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        full = self.disks(scene.stack, [self.disk])
        with running_again(scene.stack, [disk.node for disk in full]), ExitStack() as heal:
            for disk in full:
                heal.callback(_give_back, disk)
                _fill(disk.mount / FILLER)
            yield Full(scene.stack, full)


def _fill(filler: Path) -> None:
    """Blocks are taken without being written: it takes no time."""
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        taken, piece = 0, disks.free_bytes(filler.parent)
        while piece >= 1:
            try:
                os.posix_fallocate(fd, taken, piece)
                taken += piece
            except OSError as problem:
                if problem.errno != errno.ENOSPC:
                    raise FaultNotApplied(f"{filler}: {problem}") from problem
                piece //= 2
    finally:
        os.close(fd)


def _give_back(disk: Disk) -> None:
    (disk.mount / FILLER).unlink(missing_ok=True)
    # A power cut soon after must not bring the filler back.
    namespaces.flush(str(disk.mount))
    if disks.free_bytes(disk.mount) < LEAST_FREE_BYTES:
        raise FaultNotApplied(f"{told([disk])} was given its room back and has none")


FAULT = DiskFull
