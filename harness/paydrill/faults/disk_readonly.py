"""disk_readonly: the kernel finds an error in a disk's file system and takes no write any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Disk, DiskName, Stack, disks
from paydrill.errors import FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, InForce, Scene, Witness
from paydrill.faults.disk_fault import DiskFault, refuses_writes, told
from paydrill.faults.node_fault import running_again

READ_ONLY = b"Read-only file system"


@dataclass(frozen=True)
class ReadOnly:
    stack: Stack
    read_only: Sequence[Disk]

    def witness(self) -> Witness:
        """The node's own user cannot write there any more."""
        refused = [disk for disk in self.read_only if refuses_writes(self.stack, disk, READ_ONLY)]
        detail = (
            f"{told(self.read_only)}: {len(refused)} of {len(self.read_only)} answered a write with EROFS"
        )
        measured = {"disks": float(len(self.read_only)), "disks_read_only": float(len(refused))}
        return Witness("kernel", len(refused) == len(self.read_only), detail, measured)


@dataclass(frozen=True, kw_only=True)
class DiskReadonly(DiskFault):
    """What ext4 with `errors=remount-ro` does at an error: reads go on, every write is refused.

    data: new sessions cannot open their files, and the next checkpoint is fatal. wal: the server panics,
    cannot recover and exits. What was acknowledged is flushed and stays. No such file system can be
    written again before it has been unmounted and checked, so healing ends the server, as an operator does.
    """

    name: ClassVar[str] = "disk_readonly"
    summary: ClassVar[str] = "a database's disk takes no write any more, after an error of its file system"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    undo: ClassVar[str] = "its server is killed, the disk is checked and mounted anew, and the server started"
    example: ClassVar[Mapping[str, object]] = {"node": "db-1", "disk": "data"}

    node: str
    disk: DiskName = "data"

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack, struck = scene.stack, self.disks(scene.stack, [self.disk])
        with running_again(stack, [disk.node for disk in struck]), ExitStack() as heal:
            for disk in struck:
                heal.callback(_mend, stack, disk)
                disks.go_read_only(disk.mount)
                if not disks.is_read_only(disk.mount):
                    raise FaultNotApplied(f"{told([disk])} was told of an error and still takes writes")
            yield ReadOnly(stack, struck)


def _mend(stack: Stack, disk: Disk) -> None:
    if stack.process(disk.node) is not None:
        stack.kill(disk.node)
    stack.mount_anew(disk, mend=True)
    if disks.is_read_only(disk.mount):
        raise FaultNotApplied(f"{told([disk])} was checked and mounted anew and still refuses writes")


FAULT = DiskReadonly
