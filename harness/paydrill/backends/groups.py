"""This machine's control groups, read through /proc: see cgroups.py for what is pure about them."""

from __future__ import annotations

from pathlib import Path

from paydrill.backends import cgroups
from paydrill.backends.cgroups import Controller, Tree
from paydrill.errors import FaultNotApplied

PROC = Path("/proc")


def tree(controller: Controller, proc: Path = PROC) -> Tree | None:
    """None where the kernel does not offer it."""
    mounts, offered, own = (_told(name, proc) for name in ("self/mountinfo", "cgroups", "self/cgroup"))
    return cgroups.tree_of(controller, mounts, offered, own)


def require(controller: Controller) -> Tree:
    """Raises FaultNotApplied where the kernel does not offer it."""
    if (found := tree(controller)) is None:
        raise FaultNotApplied(f"this machine has no {controller} control groups mounted")
    return found


def of_process(of: Tree, pid: int) -> Path:
    """The folder of the group that a process is in. Raises FaultNotApplied when there is no such process."""
    try:
        whose = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    except OSError as problem:
        raise FaultNotApplied(f"the group of process {pid} cannot be read: {problem}") from problem
    return cgroups.group_of(of, _told("self/mountinfo"), _told("cgroups"), whose)


def _told(name: str, proc: Path = PROC) -> str:
    """Empty where the kernel does not tell."""
    try:
        return (proc / name).read_text(encoding="utf-8")
    except OSError:
        return ""
