"""restart: a node is stopped and started again at once, as an operator or a supervisor does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Looks, Scene, Witness
from paydrill.faults.ending import Restart, Signal, brought_round, step_together
from paydrill.faults.node_fault import NodeFault, nodes_of_target


@dataclass(frozen=True)
class Restarting:
    """All nodes at the same time."""

    restarts: Sequence[Restart]

    def step(self) -> float:
        return step_together(self.restarts)

    def witness(self) -> Witness:
        anew = [one for one in self.restarts if one.another_runs]
        away = [one.healthy_after_s for one in self.restarts if one.healthy_after_s is not None]
        measured = {"nodes": float(len(self.restarts)), "nodes_restarted": float(len(anew))}
        measured["nodes_killed"] = float(sum(one.killed for one in self.restarts))
        if away:
            measured["healthy_after_s"] = round(max(away), 3)
        told = "; ".join(one.told() for one in self.restarts)
        return Witness("process", len(anew) == len(self.restarts), told, measured)


@dataclass(frozen=True, kw_only=True)
class RestartNode(NodeFault):
    """SIG`signal`, SIGKILL when it still runs after `grace_ms`, and started in the same moment.

    A service name restarts all its nodes at once; `rolling_restart` does one after the other.
    """

    name: ClassVar[str] = "restart"
    summary: ClassVar[str] = "a node is stopped and started again at once"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    looks: ClassVar[Looks] = "at its end"
    undo: ClassVar[str] = "nothing is left to undo once it runs again; one that does not is started"
    example: ClassVar[Mapping[str, object]] = {"node": "payments-1", "grace_ms": 2000}

    node: str
    signal: Signal = "TERM"
    grace_ms: int = 5000

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
        with brought_round(stack, nodes, self.signal, self.grace_ms / 1000) as restarts:
            restarting = Restarting(restarts)
            restarting.step()
            yield restarting


FAULT = RestartNode
