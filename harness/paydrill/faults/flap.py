"""flap: an edge goes down and comes up again, over and over, in a rhythm from the seed."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from paydrill.backends import Stack
from paydrill.faults import Carries, Effect, Expects, InForce, Looks, Scene, Witness
from paydrill.faults.edge_fault import EdgeFault
from paydrill.faults.rhythm import check_means, lengths_s
from paydrill.topology import Edge

DIAL_WITHIN_S = 0.2


@dataclass
class Flapping:
    """All edges go down and up together. Each change is looked at by dialling every edge."""

    stack: Stack
    edges: Sequence[Edge]
    lengths: Iterator[float]
    due_s: float = field(default_factory=time.monotonic)
    down: bool = False
    times_down: int = 0
    times_up: int = 0
    wrong: list[str] = field(default_factory=list)

    def step(self) -> float:
        now_s = time.monotonic()
        if now_s < self.due_s:
            return self.due_s - now_s
        self._change()
        length_s = next(self.lengths)
        self.due_s = now_s + length_s
        return length_s

    def _change(self) -> None:
        server = self.stack.toxiproxy
        self.down = not self.down
        for edge in self.edges:
            (server.disable if self.down else server.enable)(edge)
        self.wrong += [
            f"{edge.name} {'took' if self.down else 'refused'} a connection"
            for edge in self.edges
            if self._refuses(edge) is not self.down
        ]
        if self.down:
            self.times_down += 1
        else:
            self.times_up += 1

    def _refuses(self, edge: Edge) -> bool:
        address = self.stack.dial(edge)
        try:
            socket.create_connection((address.host, address.port), DIAL_WITHIN_S).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False

    def witness(self) -> Witness:
        told = f"went down {self.times_down} times and came up {self.times_up} times, seen by dialling"
        told += f"; but {self.wrong[0]}" if self.wrong else ""
        measured = {
            "times_down": float(self.times_down),
            "times_up": float(self.times_up),
            "looks_wrong": float(len(self.wrong)),
        }
        witnessed = self.times_down > 0 and self.times_up > 0 and not self.wrong
        return Witness("path", witnessed, told, measured)


@dataclass(frozen=True, kw_only=True)
class Flap(EdgeFault):
    """Down for about `down_ms`, up for about `up_ms` (each between half and one and a half of it).

    Each time that it goes down, its connections are cut and new ones refused.
    """

    name: ClassVar[str] = "flap"
    summary: ClassVar[str] = "an edge goes down and up in a rhythm"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    looks: ClassVar[Looks] = "at its end"
    undo: ClassVar[str] = "the edge's proxy listens again, for good"
    claims: ClassVar[str] = "down"
    example: ClassVar[Mapping[str, object]] = {"edge": "payments->psp", "down_ms": 300, "up_ms": 500}

    edge: str
    down_ms: int = 500
    up_ms: int = 500

    def __post_init__(self) -> None:
        check_means(down_ms=self.down_ms, up_ms=self.up_ms)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        edges = stack.topology.edges_at(self.edge)
        flapping = Flapping(stack, edges, lengths_s(scene.chance("rhythm"), self.down_ms, self.up_ms))
        with ExitStack() as heal:
            for edge in edges:
                heal.callback(stack.toxiproxy.enable, edge)
            flapping.step()
            yield flapping


FAULT = Flap
