"""io_error: a share of the reads or writes of a Python service fails with EIO."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import ProcessIdentity, Stack, failing_io
from paydrill.backends.failing_io import Call
from paydrill.backends.probe import ask
from paydrill.errors import FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, Family, InForce, Prepared, Scene, Witness, WitnessKind
from paydrill.faults.node_fault import NodeFault, nodes_of_target, require_runtime, running_again, who_runs
from paydrill.topology import Node

TOLD_WITHIN_S = 10.0
LOOK_S = 1.8
ANSWER_WITHIN_S = 0.5
PROOFS = 2
LEAST_SHARE = 0.05


@dataclass(frozen=True)
class Failing:
    """`before`: who ran as each node when it began."""

    stack: Stack
    before: Mapping[Node, ProcessIdentity]

    def witness(self) -> Witness:
        """Asked directly for its health, again and again, a node that still runs fails to answer some times."""
        look_s = LOOK_S / len(self.before)
        seen = {node: self._failures(node, time.monotonic() + look_s) for node in self.before}
        # One whose event loop could not bear it has ended by itself: that is an effect too.
        gone = [node for node, who in self.before.items() if self.stack.process(node) != who]
        hit = [node for node, failures in seen.items() if failures or node in gone]
        told = ", ".join(
            f"{node.name} has ended" if node in gone else f"{node.name} failed to answer {failures} times"
            for node, failures in seen.items()
        )
        measured = {"nodes": float(len(seen)), "nodes_failing": float(len(hit))}
        measured["answers_failed"] = float(sum(seen.values()))
        return Witness("answer", len(hit) == len(seen), told, measured)

    def _failures(self, node: Node, give_up_s: float) -> int:
        failures = 0
        while failures < PROOFS and time.monotonic() < give_up_s:
            failures += ask(self.stack.probe(node), ANSWER_WITHIN_S) is not None
        return failures


@dataclass(frozen=True, kw_only=True)
class IoError(NodeFault):
    """Of a service's `read` or `write` calls, of files and of connections, `fail_share` fail with EIO.

    Which of them is libfiu's own chance and not the seed's. A plan with this fault executes the node with
    libfiu loaded. A service that cannot bear it ends; what is started meanwhile has no such errors.
    """

    name: ClassVar[str] = "io_error"
    summary: ClassVar[str] = "a share of a service's reads or writes fails"
    family: ClassVar[Family] = "disk"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    prepared: ClassVar[Prepared] = "io"
    needs: ClassVar[tuple[str, ...]] = ("libfiu",)
    witnessed_by: ClassVar[WitnessKind] = "answer"
    undo: ClassVar[str] = "calls fail no more; a node that has ended, or hears nothing of it, is started anew"
    example: ClassVar[Mapping[str, object]] = {"node": "payments-1", "call": "write", "fail_share": 0.3}

    node: str
    call: Call = "write"
    fail_share: float = 0.3

    def __post_init__(self) -> None:
        if not LEAST_SHARE <= self.fail_share <= 1.0:
            raise ValueError(f"fail_share is at least {LEAST_SHARE} and at most 1")

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
        for node in nodes:
            require_runtime(stack, node, self.name, ("python",))
        before = {node: who_runs(stack, node) for node in nodes}
        with running_again(stack, nodes), ExitStack() as heal:
            for node in nodes:
                heal.callback(_hush, stack, node, failing_io.end(self.call))
                _tell(stack, node, failing_io.begin(self.call, self.fail_share), least=1)
            yield Failing(stack, before)


def _hush(stack: Stack, node: Node, commands: Sequence[str]) -> None:
    """libfiu's own ear is in the process and can be hit too: one that hears no more is killed, and started anew."""
    try:
        _tell(stack, node, commands, least=0)
    except FaultNotApplied:
        stack.kill(node)


def _tell(stack: Stack, node: Node, commands: Sequence[str], least: int) -> None:
    """Raises FaultNotApplied when a process does not take it, or fewer than `least` have it at all."""
    prefix = stack.io_pipes(node)
    done = stack.run_in(node, ["python3", "-c", failing_io.TELL, prefix, *commands], TOLD_WITHIN_S)
    if done.code != 0:
        why = done.stderr.decode(errors="replace").strip()[-300:]
        raise FaultNotApplied(f"libfiu in {node.name} did not take {commands[0]!r}: {why}")
    if int(done.stdout) < least:
        raise FaultNotApplied(f"{node.name} was not started with libfiu")


FAULT = IoError
