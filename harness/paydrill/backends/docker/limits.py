"""What a node's container may use: set through the engine, read back from the kernel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from docker.errors import APIError
from docker.models.containers import Container

from paydrill.backends import groups, open_files, processes
from paydrill.backends.cgroups import Controller
from paydrill.backends.cgroups_v1 import PERIOD_US
from paydrill.backends.docker import engine
from paydrill.backends.docker.run_files import User
from paydrill.backends.limits import Group, until_not_busy
from paydrill.errors import FaultNotApplied
from paydrill.topology import Node


class DockerLimits:
    """See paydrill.backends.limits.Limits. container: finds a node's container by the node's name."""

    def __init__(self, container: Callable[[str], Container], user: User) -> None:
        self._container = container
        self._user = user
        self._files: dict[str, dict[int, int]] = {}

    def cpu(self, node: Node, share: float | None) -> None:
        quota = -1 if share is None else round(share * PERIOD_US)
        self._update(node, cpu_period=PERIOD_US, cpu_quota=quota)
        self._group("cpu", node).require_cpu(share)

    def throttled(self, node: Node) -> int:
        return self._group("cpu", node).throttled()

    def memory(self, node: Node, limit_bytes: int | None) -> None:
        """The engine cannot take a limit away again: all that the machine has is none."""
        whole = int(engine.client().info()["MemTotal"])
        asked = whole if limit_bytes is None else limit_bytes
        update = partial(self._update, node, mem_limit=asked, memswap_limit=asked)
        until_not_busy(update, lambda problem: "resource busy" in str(problem))
        self._group("memory", node).require_memory(limit_bytes, no_limit_from=whole)

    def memory_used(self, node: Node) -> int:
        return self._group("memory", node).memory_used()

    def oom_kills(self, node: Node) -> int:
        return self._group("memory", node).oom_kills()

    def asks_for_more(self, node: Node, more_bytes: int, within_s: float) -> bool:
        return self._group("memory", node).kills_who_wants(more_bytes, within_s)

    def exhaust_files(self, node: Node) -> None:
        self._files[node.name] = open_files.exhaust(self._pids(node))

    def give_files_back(self, node: Node) -> None:
        open_files.give_back(self._pids(node), self._files.pop(node.name, {}))

    def _update(self, node: Node, **changes: Any) -> None:
        try:
            self._container(node.name).update(**changes)
        except APIError as problem:
            raise FaultNotApplied(f"{node.name} does not take {changes}: {problem.explanation}") from problem

    def _group(self, controller: Controller, node: Node) -> Group:
        tree = groups.require(controller)
        return Group(tree, groups.of_process(tree, self._first_pid(node)))

    def _first_pid(self, node: Node) -> int:
        """The container's own first process: it outlives the node's."""
        inspected = engine.client().api.inspect_container(str(self._container(node.name).id))
        return int(inspected["State"]["Pid"])

    def _pids(self, node: Node) -> list[int]:
        """The node's processes, all below the container's first."""
        first = self._first_pid(node)
        below = {first}
        everybody = sorted(processes.all_processes(), key=lambda process: int(process.started))
        for _ in range(2):  # two that started in the same tick may stand the wrong way round
            below |= {process.pid for process in everybody if process.parent in below}
        of_user = {process.pid for process in processes.of_user(self._user.uid)}
        return sorted(below & of_user)
