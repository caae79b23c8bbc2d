"""What a node may use of its machine: CPU time, memory, open files; the same questions for both backends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from paydrill.backends import memory_taker
from paydrill.backends.cgroups import MEMBERS, Tree
from paydrill.errors import FaultNotApplied
from paydrill.topology import Node

SHARE_OFF_BY = 0.005  # the kernel counts in whole microseconds
PAGE = 4096
TRY_AGAIN_S = 0.05
BUSY_WITHIN_S = 0.8


def until_not_busy(deed: Callable[[], None], is_busy: Callable[[Exception], bool]) -> None:
    """Cached files that have to be written first are not taken back at once: the kernel says that it is busy."""
    give_up = time.monotonic() + BUSY_WITHIN_S
    while True:
        try:
            return deed()
        except Exception as problem:
            if not is_busy(problem) or time.monotonic() > give_up:
                raise
        time.sleep(TRY_AGAIN_S)


class Limits(Protocol):
    """Each holds for all processes of the node, also for those to come; each raises FaultNotApplied."""

    def cpu(self, node: Node, share: float | None) -> None:
        """So much of one CPU, None for no limit."""
        ...

    def throttled(self, node: Node) -> int:
        """In how many periods (of 0.1 s) the kernel has held the node back so far."""
        ...

    def memory(self, node: Node, limit_bytes: int | None) -> None:
        """So much at most, None for no limit. Only of a node in StackSetup.memory_of."""
        ...

    def memory_used(self, node: Node) -> int:
        """Bytes that it has now and that the kernel could not take back: without cached files."""
        ...

    def oom_kills(self, node: Node) -> int:
        """How many processes of the node the kernel has killed for want of memory so far."""
        ...

    def asks_for_more(self, node: Node, more_bytes: int, within_s: float) -> bool:
        """Whether the kernel kills a process of ours that wants so much beside the node's; it changes nothing."""
        ...

    def exhaust_files(self, node: Node) -> None:
        """No process of the node can open one more file or connection than it has now."""
        ...

    def give_files_back(self, node: Node) -> None:
        """What the processes could open before, they can again; nothing to give back is no error."""
        ...


@dataclass(frozen=True)
class Group:
    """One group of the kernel. Raises FaultNotApplied where it cannot be read."""

    tree: Tree
    folder: Path

    def throttled(self) -> int:
        return self.tree.knobs.read_throttled(self.read(self.tree.knobs.cpu_stat_file))

    def memory_used(self) -> int:
        knobs = self.tree.knobs
        cached = knobs.read_cached(self.read(knobs.memory_stat_file))
        return max(0, int(self.read(knobs.memory_used_file)) - cached)

    def oom_kills(self) -> int:
        return self.tree.knobs.read_oom_kills(self.read(self.tree.knobs.oom_file))

    def kills_who_wants(self, more_bytes: int, within_s: float) -> bool:
        return memory_taker.is_killed(self.folder / MEMBERS, more_bytes, within_s)

    def require_cpu(self, share: float | None) -> None:
        """Raises FaultNotApplied when the kernel has another limit."""
        now = self.tree.knobs.read_cpu_quota(self.read(self.tree.knobs.cpu_quota_file))
        same = now == share or (now is not None and share is not None and abs(now - share) < SHARE_OFF_BY)
        if not same:
            raise FaultNotApplied(f"{share or 'no limit'} of a CPU was asked for, the kernel has {now}")

    def require_memory(self, limit_bytes: int | None, no_limit_from: int | None = None) -> None:
        """The kernel rounds down to whole pages. `no_limit_from`: so much counts as none."""
        now = self.tree.knobs.read_memory_limit(self.read(self.tree.knobs.memory_limit_file))
        if no_limit_from is not None and now is not None and now // PAGE >= no_limit_from // PAGE:
            now = None
        if now != (None if limit_bytes is None else limit_bytes // PAGE * PAGE):
            raise FaultNotApplied(
                f"a limit of {limit_bytes or 'no'} bytes was asked for, the kernel has {now}"
            )

    def read(self, file: str) -> str:
        try:
            return (self.folder / file).read_text(encoding="ascii")
        except OSError as problem:
            raise FaultNotApplied(f"{self.folder / file} cannot be read: {problem}") from problem
