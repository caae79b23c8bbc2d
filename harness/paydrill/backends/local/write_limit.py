"""How much a node may write to one disk each second.

The node's processes are moved into a control group of their own; those that they start are born in it.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from paydrill.backends import io_limit
from paydrill.backends.cgroups import MEMBERS
from paydrill.errors import FaultNotApplied

if TYPE_CHECKING:
    from paydrill.backends import WriteUnit
    from paydrill.backends.local.node_process import NodeProcess

FORGET_WITHIN_S = 2.0


def set_limit(run_id: str, node: NodeProcess, device: str, per_s: int, unit: WriteUnit) -> None:
    """0 takes the limit away. Raises FaultNotApplied when it reads back differently."""
    tree = io_limit.tree()
    group = _group(tree.home, run_id, node.node.name)
    try:
        group.mkdir(exist_ok=True)
        (group / MEMBERS).chmod(0o666)  # see `joining`; everybody may move only their own processes
        for pid in node.pids() if per_s else []:
            with contextlib.suppress(ProcessLookupError):
                (group / MEMBERS).write_text(str(pid), encoding="ascii")
    except OSError as problem:
        raise FaultNotApplied(f"writes of {node.node.name} cannot be limited: {problem}") from problem
    io_limit.set_limit(tree, group, device, per_s, unit)


def joining(run_id: str, name: str) -> list[str]:
    """What makes a command one of the limited node's processes; empty where it never was limited."""
    if io_limit.missing():
        return []
    members = _group(io_limit.tree().home, run_id, name) / MEMBERS
    return ["/bin/sh", "-c", f'echo $$ >{members} && exec "$@"', "sh"] if members.exists() else []


def forget(run_id: str) -> None:
    """Remove the groups of a run whose processes are gone; one that is still busy after 2 s stays.

    They are looked for in the whole tree: the run may have been started in another group than `clean`.
    """
    if io_limit.missing():
        return
    root = io_limit.tree().root
    give_up = time.monotonic() + FORGET_WITHIN_S
    while groups := list(root.rglob(f"paydrill-{run_id}-*")):
        for group in groups:
            with contextlib.suppress(OSError):
                group.rmdir()
        if time.monotonic() > give_up:
            return
        time.sleep(0.02)


def _group(home: Path, run_id: str, name: str) -> Path:
    return home / f"paydrill-{run_id}-{name}"
