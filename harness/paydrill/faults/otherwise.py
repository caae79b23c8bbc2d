"""Nodes that are restarted one after the other to run otherwise than planned, and back again.

What the faults share that an operator brings about by a deployment: another source, other settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from paydrill.backends import Stack, Variant
from paydrill.errors import FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, Family, Hits, Looks, Witness, WitnessKind
from paydrill.faults.ending import LOOK_EVERY_S, Restart, Signal
from paydrill.faults.node_fault import have_running, nodes_of_target
from paydrill.faults.rolling_restart import Rolling
from paydrill.target import Target
from paydrill.topology import Node, Topology

BACK_GRACE_S = 0.5
BACK_HEALTHY_WITHIN_S = 1.0
"""For all nodes together: those that are left then are restarted without waiting for the one before."""

Shows = Callable[[int], str]
"""A process (its pid) -> what the kernel tells of it that is not otherwise; empty when it runs otherwise."""


class OtherwiseFault:
    """Declared by every fault that has nodes run otherwise. `nodes`: nodes, or services for all their nodes."""

    family: ClassVar[Family] = "operator"
    hits: ClassVar[Hits] = "node"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker")
    needs: ClassVar[tuple[str, ...]] = ()
    witnessed_by: ClassVar[WitnessKind] = "process"
    looks: ClassVar[Looks] = "at its end"
    undo: ClassVar[str] = "one after the other is restarted as planned"

    nodes: tuple[str, ...]

    def places(self, topology: Topology) -> tuple[str, ...]:
        return tuple(node.name for node in whom(topology, self.nodes))

    def check(self, target: Target, topology: Topology) -> None:
        """Raises ValueError for a node that has no source of the target's."""
        for node in whom(topology, self.nodes):
            runtime = target.services[node.service].runtime
            if runtime != "python":
                raise ValueError(
                    f"{node.name} is a {runtime} node; expected one that runs the target's source"
                )


def whom(topology: Topology, places: Sequence[str]) -> tuple[Node, ...]:
    """Each node once. Raises UnknownPlace, and ValueError for none at all."""
    nodes = (node for place in places for node in nodes_of_target(topology, place))
    found = tuple(dict.fromkeys(nodes))
    if not found:
        raise ValueError("no node is named; expected nodes: [orders-1]")
    return found


@dataclass(frozen=True)
class RunsOtherwise:
    """Nodes on their way to run otherwise, one by one, and there."""

    stack: Stack
    rolling: Rolling
    shows: Shows

    def step(self) -> float:
        return self.rolling.step()

    def witness(self) -> Witness:
        """Another process runs, and what the kernel tells of it is otherwise."""
        seen = self.rolling.witness()
        missing = [told for one in self.rolling.restarts if (told := self._missing(one.node))]
        measured = {**seen.measured, "nodes_otherwise": float(len(self.rolling.restarts) - len(missing))}
        detail = "; ".join([seen.detail, *(missing or ["each runs otherwise than planned"])])
        return Witness("process", seen.witnessed and not missing, detail, measured)

    def _missing(self, node: Node) -> str:
        who = self.stack.process(node)
        why = "does not run" if who is None else self.shows(who.pid)
        return f"{node.name} {why}" if why else ""


@dataclass
class _Back:
    """The way back, which has to be short: a stop waits for it. `rolled` are the nodes that were reached."""

    stack: Stack
    how: Signal
    shows: Shows
    rolled: Mapping[str, Restart]
    give_up_s: float = field(default_factory=lambda: time.monotonic() + BACK_HEALTHY_WITHIN_S)

    def bring(self, node: Node, wait: bool) -> None:
        """`wait` for its health, while there is time for that. Raises FaultNotApplied when it does not run as planned then."""
        self.stack.vary(node, None)
        if self.rolled[node.name].ending is None:
            return
        if self.stack.process(node) is None:
            have_running(self.stack, node)
        else:
            restart = Restart(self.stack, node, self.how, BACK_GRACE_S)
            give_up_s = self.give_up_s if wait else 0.0
            while not restart.step() and (restart.after is None or time.monotonic() < give_up_s):
                time.sleep(LOOK_EVERY_S)
        who = self.stack.process(node)
        if who is None or not self.shows(who.pid):
            raise FaultNotApplied(
                f"{node.name} was restarted as planned and still runs otherwise, or not at all"
            )


@contextmanager
def running_otherwise(
    stack: Stack, nodes: Sequence[Node], variant: Variant, how: Signal, grace_ms: int, shows: Shows
) -> Iterator[RunsOtherwise]:
    """Begins with the first node; the others follow by the steps of what it gives. At exit all are as planned."""
    rolling = Rolling([Restart(stack, node, how, grace_ms / 1000) for node in nodes])
    with ExitStack() as heal:
        rolled = {one.node.name: one for one in rolling.restarts}
        heal.callback(_all_back, stack, nodes, how, shows, rolled)
        for one in rolling.restarts:
            heal.callback(one.finish)
            stack.vary(one.node, variant)
        rolling.step()
        yield RunsOtherwise(stack, rolling, shows)


def _all_back(
    stack: Stack, nodes: Sequence[Node], how: Signal, shows: Shows, rolled: Mapping[str, Restart]
) -> None:
    """Each is tried, whatever becomes of the others."""
    back = _Back(stack, how, shows, rolled)
    with ExitStack() as each:
        for node in reversed(nodes):
            each.callback(back.bring, node, node != nodes[-1])
