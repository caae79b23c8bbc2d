"""memory_limit: a node may have so much memory; what asks for more is killed by the kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Stack
from paydrill.errors import FaultNotApplied
from paydrill.faults import (
    Carries,
    Effect,
    Expects,
    Family,
    InForce,
    Prepared,
    Scene,
    Witness,
    WitnessKind,
)
from paydrill.faults.node_fault import NodeFault, nodes_of_target, running_again, who_runs
from paydrill.topology import Node

MB = 1 << 20
LEAST_HEADROOM_MB = 8
USUAL_HEADROOM_MB = 32
MOST_HEADROOM_MB = 256
OVER_MB = 32
PROBE_WITHIN_S = 1.9


@dataclass(frozen=True)
class Short:
    """`limits_bytes` are those of `nodes`; `kills_before` how many each had lost when they were limited."""

    stack: Stack
    nodes: Sequence[Node]
    limits_bytes: Sequence[int]
    kills_before: Sequence[int]

    def witness(self) -> Witness:
        """Whom the kernel has killed since. Where nobody, a process of ours asks for more than there is."""
        lost = self._killed()
        for node, limit, count in zip(self.nodes, self.limits_bytes, lost, strict=True):
            if not count:
                room = max(0, limit - self.stack.limits.memory_used(node))
                self.stack.limits.asks_for_more(node, room + OVER_MB * MB, PROBE_WITHIN_S / len(self.nodes))
        killed = self._killed()
        proven = [count for count in killed if count > 0]
        dead = [node.name for node in self.nodes if self.stack.process(node) is None]
        told = ", ".join(node.name for node in self.nodes)
        detail = f"{told}: who asked for more was killed by the kernel in {len(proven)} of {len(killed)}"
        if dead:
            detail += f"; {', '.join(dead)} died of it"
        measured = {
            "nodes": float(len(self.nodes)),
            "nodes_short": float(len(proven)),
            "nodes_died": float(len(dead)),
            "own_processes_killed": float(sum(lost)),
        }
        return Witness("kernel", len(proven) == len(self.nodes), detail, measured)

    def _killed(self) -> list[int]:
        now = [self.stack.limits.oom_kills(node) for node in self.nodes]
        return [count - before for count, before in zip(now, self.kills_before, strict=True)]


@dataclass(frozen=True, kw_only=True)
class MemoryLimit(NodeFault):
    """Give `limit_mb`, or `headroom_mb` above what the node has when it begins, 32 MB by default.

    Whoever makes the node grow past the limit brings about that the kernel kills its largest process: a
    service ends, PostgreSQL restarts all its sessions. What it reads from files has to share the room, which
    makes it slow. A node that has more than `limit_mb` already is refused: version 1 of cgroups could not
    take it away.
    """

    name: ClassVar[str] = "memory_limit"
    summary: ClassVar[str] = "a node has no more memory to grow into"
    family: ClassVar[Family] = "resource"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    prepared: ClassVar[Prepared] = "memory"
    needs: ClassVar[tuple[str, ...]] = ("cgroup (memory)",)
    witnessed_by: ClassVar[WitnessKind] = "kernel"
    undo: ClassVar[str] = "the limit is taken away, and a node that died is started"
    example: ClassVar[Mapping[str, object]] = {"node": "payments-1", "headroom_mb": 32}

    node: str
    limit_mb: int = 0
    headroom_mb: int = 0

    def __post_init__(self) -> None:
        if self.limit_mb and self.headroom_mb:
            raise ValueError("limit_mb and headroom_mb: at most one of them is given")
        if self.headroom_mb and not LEAST_HEADROOM_MB <= self.headroom_mb <= MOST_HEADROOM_MB:
            raise ValueError(f"headroom_mb is at least {LEAST_HEADROOM_MB} and at most {MOST_HEADROOM_MB}")

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
        with running_again(stack, nodes), ExitStack() as heal:
            limits: list[int] = []
            before: list[int] = []
            for node in nodes:
                who_runs(stack, node)
                before.append(stack.limits.oom_kills(node))
                limits.append(self._limit_bytes(stack, node))
                heal.callback(stack.limits.memory, node, None)
                stack.limits.memory(node, limits[-1])
            yield Short(stack, nodes, limits, before)

    def _limit_bytes(self, stack: Stack, node: Node) -> int:
        """Raises FaultNotApplied for a limit that nobody could feel."""
        used = stack.limits.memory_used(node)
        if not self.limit_mb:
            return used + (self.headroom_mb or USUAL_HEADROOM_MB) * MB
        if self.limit_mb * MB < used:
            raise FaultNotApplied(
                f"{node.name} has {used // MB} MB already: a limit of {self.limit_mb} MB cannot be set; "
                "headroom_mb is counted from what it has"
            )
        if self.limit_mb * MB - used > MOST_HEADROOM_MB * MB:
            raise FaultNotApplied(
                f"{node.name} has {used // MB} MB: a limit of {self.limit_mb} MB is more than "
                f"{MOST_HEADROOM_MB} MB away and would not be felt"
            )
        return self.limit_mb * MB


FAULT = MemoryLimit
