"""A node that was asked to end by a signal, and one that is brought round: ended, started, healthy."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Literal

from paydrill.backends import ProcessIdentity, Stack
from paydrill.faults import FOR_EVER_S
from paydrill.faults.node_fault import is_healthy, running_again, who_runs
from paydrill.topology import Node

Signal = Literal["TERM", "INT", "QUIT"]
"""TERM is what supervisors send first. PostgreSQL then waits for its clients to go, INT makes it drop
them; nginx drops its connections, QUIT lets it finish them."""

LOOK_EVERY_S = 0.05


@dataclass
class Ending:
    """`gone_after_s`: seconds from the signal until its process was gone; None as long as it runs."""

    stack: Stack
    node: Node
    before: ProcessIdentity
    asked_s: float
    gone_after_s: float | None = None

    @staticmethod
    def ask(stack: Stack, node: Node, how: Signal) -> Ending:
        """Send the signal. Raises FaultNotApplied when the node does not run."""
        before = who_runs(stack, node)
        stack.send_signal(node, signal.Signals[f"SIG{how}"])
        return Ending(stack, node, before, time.monotonic())

    def is_gone(self) -> bool:
        if self.gone_after_s is None and self.stack.process(self.node) != self.before:
            self.gone_after_s = self.waited_s
        return self.gone_after_s is not None

    @property
    def waited_s(self) -> float:
        return time.monotonic() - self.asked_s

    def finish(self) -> None:
        """No time is left: SIGKILL when it still runs."""
        if not self.is_gone():
            self.stack.kill(self.node)

    def told(self, how: Signal) -> str:
        if self.gone_after_s is None:
            return f"{self.node.name} (pid {self.before.pid}) still ran {self.waited_s:.1f} s after SIG{how}"
        return f"{self.node.name} (pid {self.before.pid}) ended by itself {self.gone_after_s:.2f} s after SIG{how}"


def step_together(restarts: Sequence[Restart]) -> float:
    """All of them at the same time; the seconds until one wants to be looked at again."""
    healthy = [one.step() for one in restarts]
    return FOR_EVER_S if all(healthy) else LOOK_EVERY_S


@contextmanager
def brought_round(
    stack: Stack, nodes: Sequence[Node], how: Signal, grace_s: float
) -> Iterator[Sequence[Restart]]:
    """A restart for each node, none of them begun. At exit nobody is waited for any longer, and all run."""
    restarts = [Restart(stack, node, how, grace_s) for node in nodes]
    with running_again(stack, nodes), ExitStack() as heal:
        for one in restarts:
            heal.callback(one.finish)
        yield restarts


@dataclass
class Restart:
    """One node: asked to end, killed when it has not within `grace_s`, started at once, healthy again."""

    stack: Stack
    node: Node
    how: Signal
    grace_s: float
    ending: Ending | None = None
    killed: bool = False
    after: ProcessIdentity | None = None
    healthy_after_s: float | None = None
    began_s: float = field(default_factory=time.monotonic)

    def step(self) -> bool:
        """Do what is due; True when it is healthy again."""
        if self.ending is None:
            self.began_s = time.monotonic()
            self.ending = Ending.ask(self.stack, self.node, self.how)
        if self.after is None and self._has_ended(self.ending):
            self.stack.start(self.node)
            self.after = self.stack.process(self.node)
        if self.after is not None and self.healthy_after_s is None and is_healthy(self.stack, self.node):
            self.healthy_after_s = time.monotonic() - self.began_s
        return self.healthy_after_s is not None

    def _has_ended(self, ending: Ending) -> bool:
        if ending.is_gone():
            return True
        if ending.waited_s < self.grace_s:
            return False
        self.stack.kill(self.node)
        self.killed = True
        return ending.is_gone()

    def finish(self) -> None:
        """No time is left: a node that was asked to end and has not does not get any longer."""
        if self.ending is not None and self.after is None and not self.ending.is_gone():
            self.stack.kill(self.node)
            self.killed = True

    @property
    def another_runs(self) -> bool:
        """Whether another incarnation than before was seen to run."""
        return self.ending is not None and self.after not in (None, self.ending.before)

    def told(self) -> str:
        if self.ending is None:
            return f"{self.node.name} was not reached"
        if self.after is None:
            return self.ending.told(self.how)
        how = (
            "after a SIGKILL" if self.killed else f"{self.ending.gone_after_s or 0:.2f} s after SIG{self.how}"
        )
        pids = f"pid {self.ending.before.pid} ended {how}, pid {self.after.pid} followed"
        if self.healthy_after_s is None:
            return f"{self.node.name}: {pids} and was not healthy yet"
        return f"{self.node.name}: {pids} and was healthy after {self.healthy_after_s:.2f} s"
