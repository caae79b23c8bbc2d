"""timezone: a node comes up in another time zone, as after a move or a lost setting."""

from __future__ import annotations

import datetime
import time
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Stack
from paydrill.errors import DrillBroken, FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, Family, InForce, Looks, Scene, Witness
from paydrill.faults.ending import Ending, Restart, Signal, step_together
from paydrill.faults.node_fault import NodeFault, have_running, nodes_of_target, require_runtime
from paydrill.topology import Node

GRACE_S = 1.5
HEAL_GRACE_S = 0.7
ASKED_WITHIN_S = 1.0
RUNTIMES = ("python", "postgres")


@dataclass(frozen=True)
class Moved:
    stack: Stack
    zone: str
    restarts: Sequence[Restart]

    def step(self) -> float:
        return step_together(self.restarts)

    def witness(self) -> Witness:
        """Which zone the process that runs now is in, and what its clocks show there."""
        offsets = [_offset_s(self.stack, one.node) for one in self.restarts]
        wanted = _offset_here_s(self.zone)
        there = [
            one
            for one, offset in zip(self.restarts, offsets, strict=True)
            if one.another_runs and offset == wanted != 0
        ]
        shown = ", ".join("nothing" if one is None else f"{one / 3600:+g} h" for one in offsets)
        told = "; ".join(one.told() for one in self.restarts) + f"; clocks there show UTC {shown}"
        measured = {"nodes": float(len(self.restarts)), "nodes_moved": float(len(there))}
        return Witness("process", len(there) == len(self.restarts), told, measured)


@dataclass(frozen=True, kw_only=True)
class Timezone(NodeFault):
    """Restarts a node in the zone of that name, and again in its own.

    A zone belongs to a process: without a restart nobody would be in another one. A service gets it by TZ,
    PostgreSQL as its setting `timezone`, which sessions begin with.
    """

    name: ClassVar[str] = "timezone"
    summary: ClassVar[str] = "a node is restarted in another time zone"
    family: ClassVar[Family] = "clock"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    looks: ClassVar[Looks] = "at its end"
    needs: ClassVar[tuple[str, ...]] = ("tzdata",)
    undo: ClassVar[str] = "the node is restarted in its own time zone"
    example: ClassVar[Mapping[str, object]] = {"node": "payments-1", "zone": "Pacific/Auckland"}

    node: str
    zone: str = "Pacific/Auckland"

    def __post_init__(self) -> None:
        try:
            zoneinfo.ZoneInfo(self.zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{self.zone!r} is no time zone that this machine knows") from None

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
        hows = [_how(stack, node) for node in nodes]
        restarts = [Restart(stack, node, how, GRACE_S) for node, how in zip(nodes, hows, strict=True)]
        moved = Moved(stack, self.zone, restarts)
        with ExitStack() as heal:
            heal.callback(_move_back, stack, nodes, hows)
            for node in nodes:
                stack.clocks.use_zone(node, self.zone)
            moved.step()
            yield moved


def _how(stack: Stack, node: Node) -> Signal:
    """Raises FaultNotApplied for what has no zone of its own."""
    return "INT" if require_runtime(stack, node, "timezone", RUNTIMES) == "postgres" else "TERM"


def _move_back(stack: Stack, nodes: Sequence[Node], hows: Sequence[Signal]) -> None:
    """All at the same time. Raises FaultNotApplied when one does not run then, or still elsewhere."""
    moved_to = {node: stack.clocks.zone_of(node) for node in nodes}
    endings = []
    for node, how in zip(nodes, hows, strict=True):
        stack.clocks.use_zone(node, None)
        if stack.process(node) is not None:
            endings.append(Ending.ask(stack, node, how))
    while any(not one.is_gone() and one.waited_s < HEAL_GRACE_S for one in endings):
        time.sleep(0.01)
    with ExitStack() as heal:
        for node in nodes:
            heal.callback(_require_back, stack, node, moved_to[node])
        for node in nodes:
            heal.callback(have_running, stack, node)
        for one in endings:
            heal.callback(one.finish)


def _require_back(stack: Stack, node: Node, moved_to: str | None) -> None:
    """PostgreSQL has its zone from its settings, and writes over its environment."""
    runtime = stack.setup.target.services[node.service].runtime
    if runtime == "python" and moved_to and stack.clocks.zone_of(node) == moved_to != "UTC":
        raise FaultNotApplied(f"{node.name} was restarted in its own time zone and is in {moved_to}")


def _offset_s(stack: Stack, node: Node) -> int | None:
    """Seconds that the node's clocks are ahead of UTC; None where it cannot be seen."""
    if stack.setup.target.services[node.service].runtime == "postgres":
        try:
            rows = stack.sql(node, "SELECT extract(timezone FROM now())::int AS ahead", ASKED_WITHIN_S)
        except DrillBroken:
            return None
        return int(str(rows[0]["ahead"]))
    # The zone is the running process's own, as the kernel has it; what it means there a neighbour tells.
    if (zone := stack.clocks.zone_of(node)) is None:
        return None
    done = stack.run_in(node, ["env", f"TZ={zone}", "date", "+%z"], ASKED_WITHIN_S)
    told = done.stdout.decode(errors="replace").strip()
    if done.code != 0 or len(told) != 5:
        return None
    return (int(told[1:3]) * 3600 + int(told[3:]) * 60) * (-1 if told[0] == "-" else 1)


def _offset_here_s(zone: str) -> int:
    ahead = datetime.datetime.now(zoneinfo.ZoneInfo(zone)).utcoffset()
    return int(ahead.total_seconds()) if ahead is not None else 0


FAULT = Timezone
