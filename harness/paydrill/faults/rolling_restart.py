"""rolling_restart: the nodes of a service are restarted one after the other, as a deployment does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import FOR_EVER_S, Carries, Effect, Expects, InForce, Looks, Scene, Witness
from paydrill.faults.ending import LOOK_EVERY_S, Restart, Signal, brought_round
from paydrill.faults.node_fault import NodeFault, nodes_of_target


@dataclass
class Rolling:
    """`done` of the restarts are over; the next begins when the one before it is healthy again."""

    restarts: Sequence[Restart]
    done: int = 0

    def step(self) -> float:
        while self.done < len(self.restarts):
            if not self.restarts[self.done].step():
                return LOOK_EVERY_S
            self.done += 1
        return FOR_EVER_S

    def witness(self) -> Witness:
        told = "; ".join(one.told() for one in self.restarts)
        anew = [one for one in self.restarts if one.another_runs]
        measured = {
            "nodes": float(len(self.restarts)),
            "nodes_restarted": float(len(anew)),
            "nodes_killed": float(sum(one.killed for one in self.restarts)),
        }
        if self.done == len(self.restarts):
            measured["rolled_in_s"] = round(sum(one.healthy_after_s or 0 for one in self.restarts), 3)
        else:
            told = f"only {self.done} of {len(self.restarts)} nodes were through, `for` was too short: {told}"
        return Witness("process", self.done == len(self.restarts) == len(anew), told, measured)


@dataclass(frozen=True, kw_only=True)
class RollingRestart(NodeFault):
    """Each node of `node` (a service name): SIG`signal`, SIGKILL after `grace_ms`, started, healthy, next."""

    name: ClassVar[str] = "rolling_restart"
    summary: ClassVar[str] = "all nodes of a service are restarted, each healthy before the next"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    looks: ClassVar[Looks] = "at its end"
    undo: ClassVar[str] = "no further node is restarted; one that is away just then is started"
    example: ClassVar[Mapping[str, object]] = {"node": "orders", "grace_ms": 2000}

    node: str
    signal: Signal = "TERM"
    grace_ms: int = 5000

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
        with brought_round(stack, nodes, self.signal, self.grace_ms / 1000) as restarts:
            rolling = Rolling(restarts)
            rolling.step()
            yield rolling


FAULT = RollingRestart
