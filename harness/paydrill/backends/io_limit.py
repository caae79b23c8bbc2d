"""How much a control group's processes may write to one device each second; version 1 or 2 of the kernel's.

Version 2 was not tried live: its files are tried by recorded trees.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from paydrill.backends import groups
from paydrill.backends.cgroups import Tree
from paydrill.backends.groups import PROC
from paydrill.errors import FaultNotApplied

if TYPE_CHECKING:
    from paydrill.backends import WriteUnit


def missing(proc: Path = PROC) -> str:
    """Why it cannot be had here; empty when it can."""
    tree = groups.tree("io", proc)
    if tree is None:
        return "the kernel has no control groups for block devices (`blkio` of version 1, `io` of version 2)"
    if not os.access(tree.home, os.W_OK):
        return f"no control group can be made in {tree.home}"
    return ""


def tree(proc: Path = PROC) -> Tree:
    """Raises FaultNotApplied where there is none."""
    found = groups.tree("io", proc)
    if found is None:
        raise FaultNotApplied(f"writes cannot be limited: {missing(proc)}")
    return found


def set_limit(where: Tree, group: Path, device: str, per_s: int, unit: WriteUnit) -> None:
    """`device`: its path; 0 takes the limit away. Raises FaultNotApplied when it reads back differently."""
    found = os.stat(device).st_rdev
    set_by_number(where, group, f"{os.major(found)}:{os.minor(found)}", per_s, unit)


def set_by_number(where: Tree, group: Path, number: str, per_s: int, unit: WriteUnit) -> None:
    """`number`: MAJOR:MINOR of the device."""
    file = where.knobs.write_limit_file(unit)
    if not (group / file).exists():
        raise FaultNotApplied(
            f"writes cannot be limited: {group} has no {file}; groups get it where their parent's "
            "cgroup.subtree_control has `io`"
        )
    try:
        for name, text in where.knobs.write_limit(number, per_s, unit):
            (group / name).write_text(text, encoding="ascii")
        now = where.knobs.read_write_limit((group / file).read_text(encoding="ascii"), number, unit)
    except OSError as problem:
        raise FaultNotApplied(f"writes cannot be limited in {group}: {problem}") from problem
    if now != per_s:
        raise FaultNotApplied(f"a limit of {per_s} {unit}/s was asked for, the kernel has {now}")
