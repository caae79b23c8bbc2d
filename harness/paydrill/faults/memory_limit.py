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
MOST_HEADROOM_MB = 512
OVER_MB = 32
PROBE_WITHIN_S = 1.9
# Of all processes of the node the kernel is to choose this one: the look changes nothing. `tail` keeps what
# it gets in memory; how much of it came through is printed.
TAKE = 'echo 1000 >/proc/self/oom_score_adj; head -c "$1" /dev/zero | tail -c "$1" | wc -c'


@dataclass(frozen=True)
class Short:
    """`limits_bytes` are those of `nodes`."""

    stack: Stack
    nodes: Sequence[Node]
    limits_bytes: Sequence[int]

    def witness(self) -> Witness:
        """A process beside the node's asks for more than there is; the kernel counts whom it killed for it."""
        before = [self.stack.limits.oom_kills(node) for node in self.nodes]
        got = [self._got_all(node, limit) for node, limit in zip(self.nodes, self.limits_bytes, strict=True)]
        killed = [
            self.stack.limits.oom_kills(node) - count for node, count in zip(self.nodes, before, strict=True)
        ]
        proven = [one for one, count in zip(got, killed, strict=True) if not one and count > 0]
        dead = [node.name for node in self.nodes if self.stack.process(node) is None]
        told = ", ".join(node.name for node in self.nodes)
        detail = f"{told}: who asked for more was killed by the kernel in {len(proven)} of {len(got)}"
        if dead:
            detail += f"; {', '.join(dead)} died of it"
        measured = {
            "nodes": float(len(self.nodes)),
            "nodes_short": float(len(proven)),
            "nodes_died": float(len(dead)),
            "processes_killed_before": float(sum(before)),
        }
        return Witness("kernel", len(proven) == len(self.nodes), detail, measured)

    def _got_all(self, node: Node, limit: int) -> bool:
        room = max(0, limit - self.stack.limits.memory_used(node))
        wanted = str(room + OVER_MB * MB)
        within_s = PROBE_WITHIN_S / len(self.nodes)
        done = self.stack.run_in(node, ["/bin/sh", "-c", TAKE, "sh", wanted], within_s)
        return done.stdout.decode(errors="replace").strip() == wanted


@dataclass(frozen=True, kw_only=True)
class MemoryLimit(NodeFault):
    """Give `limit_mb`, or `headroom_mb` above what the node has when it begins, which is the default.

    Whoever makes the node grow past the limit brings about that the kernel kills its largest process: a
    service ends, PostgreSQL restarts all its sessions. A node that has more than `limit_mb` already is
    refused by the kernel (cgroup v1).
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
    example: ClassVar[Mapping[str, object]] = {"node": "payments-1", "headroom_mb": 16}

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
            limits = []
            for node in nodes:
                who_runs(stack, node)
                limits.append(self._limit_bytes(stack, node))
                heal.callback(stack.limits.memory, node, None)
                stack.limits.memory(node, limits[-1])
            yield Short(stack, nodes, limits)

    def _limit_bytes(self, stack: Stack, node: Node) -> int:
        """Raises FaultNotApplied for a limit that nobody could feel."""
        used = stack.limits.memory_used(node)
        if not self.limit_mb:
            return used + (self.headroom_mb or 2 * LEAST_HEADROOM_MB) * MB
        if self.limit_mb * MB - used > MOST_HEADROOM_MB * MB:
            raise FaultNotApplied(
                f"{node.name} has {used // MB} MB: a limit of {self.limit_mb} MB is more than "
                f"{MOST_HEADROOM_MB} MB away and would not be felt"
            )
        return self.limit_mb * MB


FAULT = MemoryLimit
