"""clock_step: a node's wall clock jumps, forward or back, and later is put right again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Stack
from paydrill.backends.probe import date_told
from paydrill.errors import DrillBroken, FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, Family, InForce, Prepared, Scene, Witness, WitnessKind
from paydrill.faults.node_fault import NodeFault, nodes_of_target, require_runtime, who_runs
from paydrill.topology import Node

LEAST_S = 5
OFF_BY_S = 2.5  # an HTTP date has whole seconds, and servers write one down for a second or more
SEEN_WITHIN_S = 1.9
RIGHT_WITHIN_S = 3.0
ASK_AGAIN_S = 0.1
ANSWER_WITHIN_S = 0.5


@dataclass(frozen=True)
class Stepped:
    stack: Stack
    nodes: Sequence[Node]
    step_s: int

    def witness(self) -> Witness:
        """What time each node says that it is."""
        give_up = time.monotonic() + SEEN_WITHIN_S / len(self.nodes)
        ahead = [ahead_s(self.stack, node, self.step_s, give_up) for node in self.nodes]
        known = [one for one in ahead if one is not None]
        there = [one for one in known if abs(one - self.step_s) <= OFF_BY_S]
        told = ", ".join(
            f"{node.name} tells no time" if one is None else f"the clock of {node.name} is {one:+.1f} s off"
            for node, one in zip(self.nodes, ahead, strict=True)
        )
        measured = {"nodes": float(len(ahead)), "nodes_stepped": float(len(there))}
        if known:
            measured["off_s"] = round(sorted(known, key=abs)[0], 1)
        return Witness("answer", len(there) == len(ahead), told, measured)


@dataclass(frozen=True, kw_only=True)
class ClockStep(NodeFault):
    """The wall clock of a node is `step_s` seconds ahead, or behind with a number below 0.

    It jumps while the node runs; monotonic clocks and timers go on. A plan with this fault starts the node
    with libfaketime. What a database has stamped with a later time stays in the future when the clock is put
    right again: work that is due by such a time waits for it. In such a node Python's `time.sleep()` fails, asyncio's does not; after the clock has gone back
    (also by healing) a `pg_sleep()` of PostgreSQL that was going on ends that much later.
    """

    name: ClassVar[str] = "clock_step"
    summary: ClassVar[str] = "a node's wall clock jumps forward or back"
    family: ClassVar[Family] = "clock"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    prepared: ClassVar[Prepared] = "clock"
    needs: ClassVar[tuple[str, ...]] = ("libfaketime",)
    witnessed_by: ClassVar[WitnessKind] = "answer"
    undo: ClassVar[str] = "the clock is put right, which is a step of its own"
    example: ClassVar[Mapping[str, object]] = {"node": "payments-1", "step_s": -3600}

    node: str
    step_s: int = 3600

    def __post_init__(self) -> None:
        if abs(self.step_s) < LEAST_S:
            raise ValueError(f"step_s is at least {LEAST_S} or at most -{LEAST_S}: less could not be seen")

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
        for node in nodes:
            # nginx forgets its environment, and with it what libfaketime goes by.
            require_runtime(stack, node, self.name, ("python", "postgres"))
            who_runs(stack, node)
        with ExitStack() as heal:
            # Healing goes backward: all are put right before the first is waited for.
            for node in nodes:
                heal.callback(require_right, stack, node)
            for node in nodes:
                heal.callback(stack.clocks.step, node, 0)
                stack.clocks.step(node, self.step_s)
            yield Stepped(stack, nodes, self.step_s)


def require_right(stack: Stack, node: Node) -> None:
    """Raises FaultNotApplied when the node goes on telling another time; one that tells none is right."""
    off_s = ahead_s(stack, node, 0, time.monotonic() + RIGHT_WITHIN_S)
    if off_s is not None and abs(off_s) > OFF_BY_S:
        raise FaultNotApplied(f"the clock of {node.name} was put right and is {off_s:+.1f} s off")


def ahead_s(stack: Stack, node: Node, wanted_s: float, give_up_s: float) -> float | None:
    """How far the node's clock is ahead by its own word; asked until it is as wanted. None: it does not say."""
    while True:
        told = _time_told(stack, node)
        ahead = None if told is None else told - time.time()
        if ahead is not None and abs(ahead - wanted_s) <= OFF_BY_S:
            return ahead
        if time.monotonic() >= give_up_s:
            return ahead
        time.sleep(ASK_AGAIN_S)


def _time_told(stack: Stack, node: Node) -> float | None:
    """Seconds since 1970."""
    probe = stack.probe(node)
    if not probe.health.postgres:
        return date_told(probe, ANSWER_WITHIN_S)
    try:
        rows = stack.sql(node, "SELECT extract(epoch FROM clock_timestamp()) AS now", ANSWER_WITHIN_S)
    except DrillBroken:
        return None
    return float(str(rows[0]["now"]))


FAULT = ClockStep
