"""disk_slow: a database may write only so often, or so much, to a disk each second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Disk, DiskName, Stack, WriteUnit
from paydrill.faults import Carries, Effect, Expects, InForce, Scene, Witness
from paydrill.faults.disk_fault import DiskFault, told

BLOCK = 4096
PROBE = "paydrill-probe"
PROBE_WITHIN_S = 2.0
FELT_S = 0.4
SHARE_FELT = 0.5  # the kernel lets what has been saved up in a tenth of a second pass at once
# Flushed one by one, as commits are; what it takes is said in seconds.
WRITE = """
import os, sys, time
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
began = time.monotonic()
for number in range(int(sys.argv[2])):
    os.pwrite(fd, bytes(4096), number * 4096)
    os.fsync(fd)
print(time.monotonic() - began)
os.unlink(sys.argv[1])
"""


@dataclass(frozen=True)
class Slow:
    stack: Stack
    slow: Sequence[Disk]
    per_s: int
    unit: WriteUnit

    def witness(self) -> Witness:
        """One of the node's own processes writes and flushes some blocks."""
        count = max(2, int(FELT_S * self.per_s / self._of_a_block))
        needed_s = (count - 1) * self._of_a_block / self.per_s
        took = [self._write_s(disk, count) for disk in self.slow]
        proven = [one for one in took if one >= SHARE_FELT * needed_s]
        detail = f"{told(self.slow)}: {count} flushed blocks took {min(took) * 1000:.0f} ms at least"
        measured = {
            "disks": float(len(took)),
            "disks_slow": float(len(proven)),
            "block_ms": 1000 * min(took) / count,
        }
        return Witness("kernel", len(proven) == len(took), detail, measured)

    @property
    def _of_a_block(self) -> int:
        """What one block costs at least, in the limit's unit."""
        return 1 if self.unit == "operations" else BLOCK

    def _write_s(self, disk: Disk, count: int) -> float:
        """One that is not through in time has felt it."""
        argv = ["python3", "-c", WRITE, str(disk.inside / PROBE), str(count)]
        done = self.stack.run_in(disk.node, argv, PROBE_WITHIN_S)
        (disk.mount / PROBE).unlink(missing_ok=True)
        if done.code == 0:
            return float(done.stdout)
        return PROBE_WITHIN_S if done.code == 124 else 0.0


@dataclass(frozen=True, kw_only=True)
class DiskSlow(DiskFault):
    """Every commit waits for its turn. Give `write_per_s` (operations) or `write_bytes_per_s`, not both."""

    name: ClassVar[str] = "disk_slow"
    summary: ClassVar[str] = "a database's disk takes its time for every write"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    needs: ClassVar[tuple[str, ...]] = ("root", "loop devices", "cgroup (io)")
    undo: ClassVar[str] = "the limit is taken away"
    example: ClassVar[Mapping[str, object]] = {"node": "db-1", "disk": "wal", "write_per_s": 50}

    node: str
    disk: DiskName = "wal"
    write_per_s: int = 0
    write_bytes_per_s: int = 0

    def __post_init__(self) -> None:
        if bool(self.write_per_s) == bool(self.write_bytes_per_s):
            raise ValueError("one of write_per_s and write_bytes_per_s is to be given, and more than 0")
        if self.write_bytes_per_s and self.write_bytes_per_s < BLOCK:
            raise ValueError(f"write_bytes_per_s is at least {BLOCK}, one block: less is disk_hang")

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        slow = self.disks(scene.stack, [self.disk])
        per_s, unit = self.limit
        with ExitStack() as heal:
            for disk in slow:
                heal.callback(scene.stack.limit_writes, disk, 0, unit)
                scene.stack.limit_writes(disk, per_s, unit)
            yield Slow(scene.stack, slow, per_s, unit)

    @property
    def limit(self) -> tuple[int, WriteUnit]:
        return (self.write_per_s, "operations") if self.write_per_s else (self.write_bytes_per_s, "bytes")


FAULT = DiskSlow
