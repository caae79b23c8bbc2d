"""The processes of a node, seen from this machine: children of its container's first process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from paydrill.backends import ProcessIdentity, processes
from paydrill.backends.docker.run_files import User


@dataclass(frozen=True)
class NodeState:
    """What the container's first process wrote (enter.sh). `code` is None while the node runs.

    starts: how often it was started; 0 before the first time.
    """

    starts: int
    code: int | None

    @staticmethod
    def read(path: Path) -> NodeState:
        words = path.read_text(encoding="ascii").split()
        if len(words) == 2 and words[0] == "running":
            return NodeState(int(words[1]), None)
        if len(words) == 3 and words[0] == "ended":
            return NodeState(int(words[1]), int(words[2]))
        return NodeState(0, None)


def main_process(first_pid: int, user: User) -> ProcessIdentity | None:
    """The oldest living child that has the node's user; None when there is none (yet)."""
    alive = [found for pid in _children(first_pid) if (found := _of_user(pid, user)) is not None]
    oldest = min(alive, key=lambda found: (int(found.started), found.pid), default=None)
    return None if oldest is None else ProcessIdentity(oldest.pid, oldest.started)


def pid_inside(pid: int) -> int | None:
    """What the container itself calls the process; None when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[-1]) for line in lines if line.startswith("NSpid:")), None)


def _of_user(pid: int, user: User) -> processes.ProcessStat | None:
    try:
        owner = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    found = processes.stat(pid)
    return found if found is not None and found.alive and owner == user.uid else None


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]
