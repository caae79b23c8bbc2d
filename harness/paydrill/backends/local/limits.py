"""What a local node may use: groups of the kernel made for it, in which its processes are.

A group is made when it is first asked for; the memory's when the node starts, for what a process had
before it came into a group does not count there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from paydrill.backends import groups, open_files
from paydrill.backends.cgroups import CONTROLLERS, MEMBERS, Controller, Tree
from paydrill.backends.limits import Group, until_not_busy
from paydrill.backends.local.node_process import NodeProcess
from paydrill.errors import EnvironmentNotReady, FaultNotApplied
from paydrill.topology import Node

USED: tuple[Controller, ...] = ("cpu", "memory")
ALL_IN_WITHIN_S = 2.0
FORGET_WITHIN_S = 2.0


class LocalLimits:
    """See paydrill.backends.limits.Limits. `nodes` may be filled later; `counted` are StackSetup.memory_of."""

    def __init__(self, run_id: str, nodes: Mapping[str, NodeProcess], counted: Sequence[str]) -> None:
        self._run_id = run_id
        self._nodes = nodes
        self._counted = counted
        self._files: dict[str, dict[int, int]] = {}

    def cpu(self, node: Node, share: float | None) -> None:
        group = self._made("cpu", node)
        self._have_all_in(group, node.name)
        _turn(group, group.tree.knobs.cpu_quota(share))
        group.require_cpu(share)

    def throttled(self, node: Node) -> int:
        return self._group("cpu", node.name).throttled()

    def memory(self, node: Node, limit_bytes: int | None) -> None:
        group = self._memory_of(node)
        writes = group.tree.knobs.memory_limit(limit_bytes)
        until_not_busy(partial(_turn, group, writes), _is_busy)
        group.require_memory(limit_bytes)

    def memory_used(self, node: Node) -> int:
        return self._memory_of(node).memory_used()

    def oom_kills(self, node: Node) -> int:
        return self._memory_of(node).oom_kills()

    def asks_for_more(self, node: Node, more_bytes: int, within_s: float) -> bool:
        return self._memory_of(node).kills_who_wants(more_bytes, within_s)

    def exhaust_files(self, node: Node) -> None:
        self._files[node.name] = open_files.exhaust(self._nodes[node.name].pids())

    def give_files_back(self, node: Node) -> None:
        open_files.give_back(self._nodes[node.name].pids(), self._files.pop(node.name, {}))

    def started(self, name: str) -> None:
        """A node has just been started: it belongs into its groups. Raises FaultNotApplied."""
        if name in self._counted and not self._group("memory", name).folder.exists():
            self._made("memory", self._nodes[name].node)
        for group in self._there(name):
            self._have_all_in(group, name)

    def joining(self, name: str) -> list[str]:
        """What makes a command one of the limited node's processes; empty where it never was limited."""
        found = [group.folder / MEMBERS for group in self._there(name)]
        into = "".join(f"echo $$ >{procs} && " for procs in found)
        return ["/bin/sh", "-c", f'{into}exec "$@"', "sh"] if found else []

    def _memory_of(self, node: Node) -> Group:
        if node.name not in self._counted:
            raise FaultNotApplied(f"{node.name} was not started in a group that counts its memory")
        return self._group("memory", node.name)

    def _group(self, controller: Controller, name: str) -> Group:
        tree = groups.require(controller)
        return Group(tree, tree.home / group_name(self._run_id, name))

    def _there(self, name: str) -> list[Group]:
        found = [
            Group(tree, tree.home / group_name(self._run_id, name)) for tree in map(groups.tree, USED) if tree
        ]
        return [group for group in found if group.folder.is_dir()]

    def _made(self, controller: Controller, node: Node) -> Group:
        if lacks := missing(controller):
            raise FaultNotApplied(f"{node.name} cannot be limited: {lacks}")
        group = self._group(controller, node.name)
        try:
            group.folder.mkdir(exist_ok=True)
            # See `joining`; everybody may move only their own processes.
            (group.folder / MEMBERS).chmod(0o666)
        except OSError as problem:
            raise FaultNotApplied(f"{group.folder} cannot be made: {problem}") from problem
        return group

    def _have_all_in(self, group: Group, name: str) -> None:
        """Those that are made while the others are moved are born outside: until all are in."""
        give_up = time.monotonic() + ALL_IN_WITHIN_S
        while outside := set(self._nodes[name].pids()) - {int(pid) for pid in group.read(MEMBERS).split()}:
            for pid in outside:
                with contextlib.suppress(ProcessLookupError):
                    _turn(group, [(MEMBERS, str(pid))])
            if time.monotonic() > give_up:
                raise FaultNotApplied(f"processes {sorted(outside)} of {name} do not come into their group")


def missing(controller: Controller) -> str:
    """Why groups of it cannot be made here; empty when they can."""
    tree = groups.tree(controller)
    if tree is None:
        return f"this machine has no {controller} control groups mounted"
    if not os.access(tree.home, os.W_OK):
        return f"{tree.home} cannot be written: root is needed"
    offered = tree.home / "cgroup.subtree_control"
    if offered.exists() and controller not in offered.read_text(encoding="ascii").split():
        return f"{offered} does not have {controller}, and nothing of the host is changed"
    return ""


def require_memory_groups(nodes: Sequence[str]) -> None:
    """Raises EnvironmentNotReady when the memory of these nodes cannot be limited."""
    if nodes and (lacks := missing("memory")):
        raise EnvironmentNotReady(f"memory_limit of {', '.join(nodes)}: {lacks}")


def forget(run_id: str) -> None:
    """Remove the groups of a run whose processes are gone; one that is still busy after 2 s stays."""
    give_up = time.monotonic() + FORGET_WITHIN_S
    while found := [
        folder for tree in map(groups.tree, CONTROLLERS) if tree for folder in _left(tree, run_id)
    ]:
        for folder in found:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if time.monotonic() > give_up:
            return
        time.sleep(0.02)


def _left(tree: Tree, run_id: str) -> list[Path]:
    """Anywhere in the tree: a run that is cleaned by another session was started in another group."""
    return [
        Path(folder)
        for folder, _, _ in os.walk(tree.root)
        if Path(folder).name.startswith(group_name(run_id, ""))
    ]


def _is_busy(problem: Exception) -> bool:
    return isinstance(problem.__cause__, OSError) and problem.__cause__.errno == errno.EBUSY


def _turn(group: Group, writes: Sequence[tuple[str, str]]) -> None:
    for file, text in writes:
        try:
            (group.folder / file).write_text(text, encoding="ascii")
        except ProcessLookupError:
            raise
        except OSError as problem:
            raise FaultNotApplied(f"{group.folder / file} does not take {text!r}: {problem}") from problem


def group_name(run_id: str, node: str) -> str:
    """The same for every controller: by it `forget` finds them all."""
    return f"paydrill-{run_id}-{node}"
