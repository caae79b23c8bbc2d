"""How much a node may write to one disk each second.

The node's processes are moved into a control group of their own; those that they start are born in it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from paydrill.backends import io_limit
from paydrill.backends.cgroups import MEMBERS
from paydrill.backends.local.limits import group_name
from paydrill.errors import FaultNotApplied

if TYPE_CHECKING:
    from paydrill.backends import WriteUnit
    from paydrill.backends.local.node_process import NodeProcess


def set_limit(run_id: str, node: NodeProcess, device: str, per_s: int, unit: WriteUnit) -> None:
    """0 takes the limit away. Raises FaultNotApplied when it reads back differently."""
    tree = io_limit.tree()
    group = tree.home / group_name(run_id, node.node.name)
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
    members = io_limit.tree().home / group_name(run_id, name) / MEMBERS
    return ["/bin/sh", "-c", f'echo $$ >{members} && exec "$@"', "sh"] if members.exists() else []
