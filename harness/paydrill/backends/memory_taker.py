"""A process of ours that goes into a group of the kernel and asks for memory there, to see what becomes of it.

Nothing is run in the node for it: where memory is short, starting a program could be what kills the node.
What it had before does not count for the group, and of all in the group the kernel is to choose this one.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
from pathlib import Path

PIECE = 1 << 20


def is_killed(members: Path, wanted_bytes: int, within_s: float) -> bool:
    """Whether the kernel killed it before it had all. False also when it could not go in, or took too long.

    members: the group's cgroup.procs
    """
    child = os.fork()
    if child == 0:
        _take(members, wanted_bytes)
    fd = os.pidfd_open(child)
    try:
        in_time = bool(select.select([fd], [], [], within_s)[0])
    finally:
        os.close(fd)
    if not in_time:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return in_time and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _take(members: Path, wanted_bytes: int) -> None:
    """Never returns."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
        members.write_text("0", encoding="ascii")
        with mmap.mmap(-1, wanted_bytes // PIECE * PIECE + PIECE) as taken:
            piece = b"\1" * PIECE
            for start in range(0, len(taken), PIECE):
                taken[start : start + PIECE] = piece
    finally:
        os._exit(0)
