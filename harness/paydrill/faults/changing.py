"""Toxics that change while they are in force, by a schedule from the seed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from paydrill.faults import InForce, Witness
from paydrill.topology import Edge
from paydrill.toxiproxy.client import Toxiproxy
from paydrill.toxiproxy.toxic import Toxic


@dataclass
class Changing:
    """A fault in force each of whose edges gets the next toxic of its own schedule every `every_s`."""

    looking: InForce
    server: Toxiproxy
    schedules: Sequence[tuple[Edge, Iterator[Toxic]]]
    every_s: float
    due_s: float = field(default_factory=time.monotonic)

    def witness(self) -> Witness:
        return self.looking.witness()

    def step(self) -> float:
        now_s = time.monotonic()
        if now_s < self.due_s:
            return self.due_s - now_s
        for edge, toxics in self.schedules:
            self.server.change(edge, next(toxics))
        self.due_s = now_s + self.every_s
        return self.every_s


def whole_numbers(chance: Random, least: int, most: int) -> Iterator[int]:
    """From `least` to `most`, each as likely as the next; the same numbers for the same seed."""
    while True:
        yield least + int(chance.random() * (most - least + 1))
