"""crash_loop: a node is killed again and again, in a rhythm from the seed, until it is healed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from paydrill.backends import ProcessIdentity, Stack
from paydrill.faults import Carries, Effect, Expects, InForce, Looks, Scene, Witness
from paydrill.faults.node_fault import NodeFault, nodes_of_target, running_again, who_runs
from paydrill.faults.rhythm import check_means, lengths_s
from paydrill.topology import Node


@dataclass
class Looping:
    """One node. `victims` are the incarnations that were killed, `survived` how often one was not gone then."""

    stack: Stack
    node: Node
    lengths: Iterator[float]
    due_s: float = field(default_factory=time.monotonic)
    away: bool = False
    victims: list[ProcessIdentity] = field(default_factory=list)
    survived: int = 0

    def step(self) -> float:
        now_s = time.monotonic()
        if now_s < self.due_s:
            return self.due_s - now_s
        if self.away:
            self.stack.start(self.node)
        else:
            self._kill()
        self.away = not self.away
        length_s = next(self.lengths)
        self.due_s = time.monotonic() + length_s
        return length_s

    def _kill(self) -> None:
        """One that has ended by itself meanwhile is no victim of ours."""
        before = self.stack.process(self.node)
        if before is None:
            return
        self.stack.kill(self.node)
        self.victims.append(before)
        self.survived += self.stack.process(self.node) == before


@dataclass
class Loops:
    loops: list[Looping]

    def step(self) -> float:
        return min([one.step() for one in self.loops])

    def witness(self) -> Witness:
        kills = [len(set(one.victims)) for one in self.loops]
        told = "; ".join(
            f"{one.node.name}: killed {len(one.victims)} times (pids {', '.join(str(v.pid) for v in one.victims)})"
            for one in self.loops
        )
        survived = sum(one.survived for one in self.loops)
        told += f"; {survived} times it was not gone then" if survived else ""
        measured = {"nodes": float(len(kills)), "kills": float(sum(kills)), "kills_least": float(min(kills))}
        return Witness("process", min(kills) >= 2 and not survived, told, measured)


@dataclass(frozen=True, kw_only=True)
class CrashLoop(NodeFault):
    """Killed, away for about `away_ms`, started, killed again after about `up_ms`, and so on.

    Each length is between half and one and a half of its mean; with a service name each of its nodes has
    a rhythm of its own. Killed once only, it was no loop: it is not witnessed.
    """

    name: ClassVar[str] = "crash_loop"
    summary: ClassVar[str] = "a node crashes, comes back and crashes again"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    looks: ClassVar[Looks] = "at its end"
    undo: ClassVar[str] = "the node is started for good"
    example: ClassVar[Mapping[str, object]] = {"node": "payments-1", "up_ms": 800, "away_ms": 300}

    node: str
    up_ms: int = 1000
    away_ms: int = 500

    def __post_init__(self) -> None:
        check_means(up_ms=self.up_ms, away_ms=self.away_ms)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
        for node in nodes:
            who_runs(stack, node)
        loops = Loops(
            [
                Looping(stack, node, lengths_s(scene.chance(node.name), self.away_ms, self.up_ms))
                for node in nodes
            ]
        )
        with running_again(stack, nodes):
            loops.step()
            yield loops


FAULT = CrashLoop
