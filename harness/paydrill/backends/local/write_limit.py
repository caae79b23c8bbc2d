"""How much a node may write to one disk each second: the kernel's blkio throttle (cgroup v1).

The node's processes are moved into a cgroup of their own; those that they start are born in it.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from paydrill.errors import FaultNotApplied

if TYPE_CHECKING:
    from paydrill.backends import WriteUnit
    from paydrill.backends.local.node_process import NodeProcess

ROOT = Path("/sys/fs/cgroup/blkio")
FILES = {
    "operations": "blkio.throttle.write_iops_device",
    "bytes": "blkio.throttle.write_bps_device",
}
FORGET_WITHIN_S = 2.0


def missing() -> str:
    """Why it cannot be had here; empty when it can."""
    if not (ROOT / FILES["operations"]).exists():
        return f"the blkio throttle of cgroup v1 is not at {ROOT} (cgroup v2 is not supported)"
    if not os.access(ROOT, os.W_OK):
        return f"{ROOT} cannot be written"
    return ""


def set_limit(run_id: str, node: NodeProcess, device: str, per_s: int, unit: WriteUnit) -> None:
    """0 takes the limit away. Raises FaultNotApplied when it reads back differently."""
    if lacks := missing():
        raise FaultNotApplied(f"writes cannot be limited: {lacks}")
    group, number = _group(run_id, node.node.name), _number(device)
    try:
        group.mkdir(exist_ok=True)
        (group / "cgroup.procs").chmod(0o666)  # see `joining`; everybody may move only their own processes
        if per_s:
            for pid in node.pids():
                with contextlib.suppress(ProcessLookupError):
                    (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
        (group / FILES[unit]).write_text(f"{number} {per_s}", encoding="ascii")
        lines = (group / FILES[unit]).read_text(encoding="ascii").splitlines()
    except OSError as problem:
        raise FaultNotApplied(f"writes of {node.node.name} cannot be limited: {problem}") from problem
    now = next((line.split()[1] for line in lines if line.startswith(f"{number} ")), "0")
    if now != str(per_s):
        raise FaultNotApplied(f"a limit of {per_s} {unit}/s was asked for, the kernel has {now}")


def joining(run_id: str, name: str) -> list[str]:
    """What makes a command one of the limited node's processes; empty where it never was limited."""
    procs = _group(run_id, name) / "cgroup.procs"
    return ["/bin/sh", "-c", f'echo $$ >{procs} && exec "$@"', "sh"] if procs.exists() else []


def forget(run_id: str) -> None:
    """Remove the cgroups of a run whose processes are gone; one that is still busy after 2 s stays."""
    give_up = time.monotonic() + FORGET_WITHIN_S
    while groups := list(ROOT.glob(f"paydrill-{run_id}-*")):
        for group in groups:
            with contextlib.suppress(OSError):
                group.rmdir()
        if time.monotonic() > give_up:
            return
        time.sleep(0.02)


def _group(run_id: str, name: str) -> Path:
    return ROOT / f"paydrill-{run_id}-{name}"


def _number(device: str) -> str:
    found = os.stat(device).st_rdev
    return f"{os.major(found)}:{os.minor(found)}"
