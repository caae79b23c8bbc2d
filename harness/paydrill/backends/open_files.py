"""How many files a process may have open: lowered to what it has, and given back.

Another user's process can be limited only by that user (or with CAP_SYS_RESOURCE, which containers of
ours have not): it is done in a child that becomes that user.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path

from paydrill.errors import FaultNotApplied


def exhaust(pids: Iterable[int]) -> dict[int, int]:
    """Every number that a process has free is out of its reach; what it could open before, by its pid.

    Processes that have ended meanwhile are left out. Raises FaultNotApplied when a limit reads back differently.
    """
    before: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            soft = _soft(pid)
            _set_and_require(pid, _lowest_free(pid))
            before[pid] = soft
    return before


def give_back(pids: Iterable[int], before: Mapping[int, int]) -> None:
    """Processes that were made meanwhile inherited the low limit: they get the highest that was known."""
    if not before:
        return
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            _set_and_require(pid, before.get(pid, max(before.values())))


def _lowest_free(pid: int) -> int:
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _soft(pid: int) -> int:
    return _limits(pid)[0]


def _limits(pid: int) -> tuple[int, int]:
    """(soft, hard), as the kernel shows them."""
    for line in Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines():
        if line.startswith("Max open files"):
            soft, hard = line.split()[3:5]
            return int(soft), int(hard)
    raise ProcessLookupError(f"process {pid} has ended")


def _set_and_require(pid: int, soft: int) -> None:
    owner = os.stat(f"/proc/{pid}")
    hard = _limits(pid)[1]
    _as_user(owner.st_uid, owner.st_gid, pid, (min(soft, hard), hard))
    if (now := _soft(pid)) != min(soft, hard):
        raise FaultNotApplied(f"{soft} open files were asked for process {pid}, the kernel has {now}")


def _as_user(uid: int, gid: int, pid: int, limits: tuple[int, int]) -> None:
    """What it brought about is read back by the caller."""
    child = os.fork()
    if child == 0:
        try:
            if uid != os.geteuid():
                os.setresgid(gid, gid, gid)
                os.setresuid(uid, uid, uid)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
