"""cpu_quota: a node gets only so much of a CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Stack
from paydrill.faults import Carries, Effect, Expects, Family, InForce, Scene, Witness, WitnessKind
from paydrill.faults.node_fault import NodeFault, nodes_of_target, who_runs
from paydrill.topology import Node

LEAST_SHARE, MOST_SHARE = 0.02, 0.8
PROBE_WITHIN_S = 1.9
FELT = 1.5  # the kernel gives a period's time at once, and the look may begin with a fresh one
# Busy for a while, in seconds of the wall; then what share of a CPU it got.
SPIN = """
import sys, time
began, used = time.monotonic(), time.process_time()
while time.monotonic() - began < float(sys.argv[1]):
    pass
print((time.process_time() - used) / (time.monotonic() - began))
"""
SPIN_S = 0.9


@dataclass(frozen=True)
class Scarce:
    stack: Stack
    nodes: Sequence[Node]
    share: float

    def witness(self) -> Witness:
        """One of the node's own processes wants a whole CPU; the kernel counts how often it held it back."""
        look_s = SPIN_S / len(self.nodes)
        before = [self.stack.limits.throttled(node) for node in self.nodes]
        got = [self._share_got(node, look_s) for node in self.nodes]
        held = [
            self.stack.limits.throttled(node) - count for node, count in zip(self.nodes, before, strict=True)
        ]
        most = self.share * FELT + 0.05
        proven = [one for one, count in zip(got, held, strict=True) if one <= most and count > 0]
        told = ", ".join(node.name for node in self.nodes)
        detail = f"{told}: a busy process got {max(got):.2f} of a CPU, held back {min(held)} times at least"
        measured = {
            "nodes": float(len(self.nodes)),
            "nodes_scarce": float(len(proven)),
            "cpu_share": round(max(got), 3),
            "periods_throttled": float(min(held)),
        }
        return Witness("kernel", len(proven) == len(self.nodes), detail, measured)

    def _share_got(self, node: Node, look_s: float) -> float:
        """One that did not get through in time got next to nothing."""
        done = self.stack.run_in(node, ["python3", "-c", SPIN, str(look_s)], PROBE_WITHIN_S)
        if done.code == 0:
            return float(done.stdout)
        return 0.0 if done.code == 124 else 1.0


@dataclass(frozen=True, kw_only=True)
class CpuQuota(NodeFault):
    """All processes of a node together get `cpu_share` of one CPU: 0.1 is 10 ms in every 100 ms."""

    name: ClassVar[str] = "cpu_quota"
    summary: ClassVar[str] = "a node gets only a share of a CPU"
    family: ClassVar[Family] = "resource"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    needs: ClassVar[tuple[str, ...]] = ("cgroup (cpu)",)
    witnessed_by: ClassVar[WitnessKind] = "kernel"
    undo: ClassVar[str] = "the limit is taken away"
    example: ClassVar[Mapping[str, object]] = {"node": "payments-1", "cpu_share": 0.1}

    node: str
    cpu_share: float = 0.1

    def __post_init__(self) -> None:
        if not LEAST_SHARE <= self.cpu_share <= MOST_SHARE:
            raise ValueError(f"cpu_share is at least {LEAST_SHARE} and at most {MOST_SHARE}")

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
        with ExitStack() as heal:
            for node in nodes:
                who_runs(stack, node)
                heal.callback(stack.limits.cpu, node, None)
                stack.limits.cpu(node, self.cpu_share)
            yield Scarce(stack, nodes, self.cpu_share)


FAULT = CpuQuota
