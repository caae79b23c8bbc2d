"""terminate: a node is asked to end, drains by itself, and is started again when the fault is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import FOR_EVER_S, Carries, Effect, Expects, InForce, Looks, Scene, Witness
from paydrill.faults.ending import LOOK_EVERY_S, Ending, Signal
from paydrill.faults.node_fault import NodeFault, nodes_of_target, running_again


@dataclass(frozen=True)
class Terminating:
    endings: Sequence[Ending]
    how: Signal

    def step(self) -> float:
        gone = [one.is_gone() for one in self.endings]
        return FOR_EVER_S if all(gone) else LOOK_EVERY_S

    def witness(self) -> Witness:
        self.step()
        gone = [one.gone_after_s for one in self.endings if one.gone_after_s is not None]
        measured = {"nodes": float(len(self.endings)), "nodes_gone": float(len(gone))}
        if gone:
            measured["drain_s"] = round(max(gone), 3)
        told = ", ".join(one.told(self.how) for one in self.endings)
        return Witness("process", len(gone) == len(self.endings), told, measured)


@dataclass(frozen=True, kw_only=True)
class Terminate(NodeFault):
    """Sends SIG`signal` to the node's main process and nothing after it: it ends by itself or not at all.

    It stays away until the fault is over. TERM makes PostgreSQL wait for its clients, INT drops them;
    nginx lets its connections finish on QUIT.
    """

    name: ClassVar[str] = "terminate"
    summary: ClassVar[str] = "a node is asked to end, drains and goes; later it is started again"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    looks: ClassVar[Looks] = "at its end"
    undo: ClassVar[str] = "the node is started again; one that has not ended by then is killed before"
    example: ClassVar[Mapping[str, object]] = {"node": "orders-1"}

    node: str
    signal: Signal = "TERM"

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
        with running_again(stack, nodes), ExitStack() as heal:
            endings = [Ending.ask(stack, node, self.signal) for node in nodes]
            for one in endings:
                heal.callback(one.finish)
            yield Terminating(endings, self.signal)


FAULT = Terminate
