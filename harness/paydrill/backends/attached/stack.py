"""A stack that somebody else runs: `Stack` for the conductor, without anything that needs its processes."""

from __future__ import annotations

import platform
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from paydrill.backends import (
    Address,
    CommandResult,
    Connection,
    Disk,
    DiskName,
    ProcessIdentity,
    StackSetup,
    Variant,
    WriteUnit,
    socket_table,
)
from paydrill.backends.attached.places import Places
from paydrill.backends.connections import connections
from paydrill.backends.local.spawn import log_tail
from paydrill.backends.probe import Probe, short_pause, wait_until_healthy
from paydrill.errors import DrillBroken, FaultNotApplied
from paydrill.parts import Part
from paydrill.target import Health
from paydrill.topology import CLIENT, PSP, Edge, Node, Topology

if TYPE_CHECKING:
    from paydrill.psp.control import PspControl
    from paydrill.toxiproxy.client import Toxiproxy

PSP_HEALTH = Health(http="/healthz")


@dataclass
class AttachedStack:
    """See paydrill.backends.Stack."""

    setup: StackSetup
    places: Places
    program: Part
    toxiproxy: Toxiproxy
    psp: PspControl
    instruments: Mapping[str, subprocess.Popen[bytes]]
    backend: str = "attached"
    isolation: str = "weak"

    @property
    def capabilities(self) -> Mapping[str, object]:
        reach = self.places.reach
        return {"entrance": str(reach.entrance), "psp": str(reach.psp), "nodes": "run by somebody else"}

    @property
    def topology(self) -> Topology:
        return self.setup.topology

    @property
    def psps(self) -> Mapping[str, PspControl]:
        return {PSP: self.psp}

    def dial(self, edge: Edge) -> Address:
        return self.places.dial(edge)

    def proxy_connections(self) -> Sequence[Connection]:
        """Toxiproxy runs in this machine's own network."""
        try:
            return connections(socket_table.read())
        except OSError:
            return []

    def process(self, node: Node) -> ProcessIdentity | None:
        """Nobody of ours."""
        return None

    def kill(self, node: Node) -> None:
        _not_ours(node, "killed")

    def send_signal(self, node: Node, number: signal.Signals) -> None:
        _not_ours(node, f"sent {number.name}")

    def start(self, node: Node) -> None:
        _not_ours(node, "started")

    def vary(self, node: Node, variant: Variant | None) -> None:
        _not_ours(node, "started otherwise")

    def source_dir(self, variant: Variant | None = None) -> str:
        raise FaultNotApplied("the source of a stack that somebody else runs is out of reach")

    def pause(self, node: Node) -> None:
        _not_ours(node, "paused")

    def resume(self, node: Node) -> None:
        _not_ours(node, "resumed")

    def is_paused(self, node: Node) -> bool:
        return False

    def disk(self, node: Node, name: DiskName) -> Disk:
        raise FaultNotApplied(
            f"{node.name} is run by somebody else and has no {name} disk that the harness made"
        )

    def mount_anew(self, disk: Disk, *, mend: bool = False) -> None:
        _not_ours(disk.node, "given a disk anew")

    def limit_writes(self, disk: Disk, per_s: int, unit: WriteUnit) -> None:
        _not_ours(disk.node, "limited in its writes")

    @property
    def limits(self) -> NoLimits:
        return NoLimits()

    @property
    def clocks(self) -> NoClocks:
        return NoClocks()

    def io_pipes(self, node: Node) -> str:
        _not_ours(node, "made to fail in its calls")

    def wait_healthy(
        self, nodes: Sequence[Node], timeout_s: float, pause: Callable[[], None] = short_pause
    ) -> None:
        probes = [self.probe(node) for node in nodes if node.name != CLIENT]
        wait_until_healthy(probes, timeout_s, self._trouble, self._tail, pause)

    def run_in(self, node: Node, argv: Sequence[str], timeout_s: float) -> CommandResult:
        raise DrillBroken(
            "store_not_read", f"{node.name} is run by somebody else: nothing can be run beside it"
        )

    def sql(self, node: Node, query: str, timeout_s: float) -> list[dict[str, object]]:
        raise DrillBroken(
            "store_not_read", f"{node.name} is run by somebody else: its database is out of reach"
        )

    def insider_sql(self, node: Node, statements: str, timeout_s: float) -> None:
        _not_ours(node, "changed from inside")

    def dead_instruments(self) -> list[str]:
        return [name for name, process in self.instruments.items() if process.poll() is not None]

    def versions(self) -> Mapping[str, str]:
        """Of the harness's own parts; what the stack is made of nobody can see from here."""
        return {"python": platform.python_version(), self.program.name: self.program.version}

    def foreign_parts(self) -> Mapping[str, Mapping[str, str]]:
        return {self.program.name: self.program.as_json()}

    def probe(self, node: Node) -> Probe:
        if node.name == PSP:
            return Probe(node, self.places.listen(node), PSP_HEALTH)
        return Probe(node, self.places.listen(node), self.setup.target.services[node.service].health)

    def _trouble(self, node: Node) -> str | None:
        dead = node.name == PSP and self.instruments[PSP].poll() is not None
        return "its process has ended" if dead else None

    def _tail(self, node: Node) -> str:
        if node.name == PSP:
            return log_tail(str(self.places.log(PSP)))
        return "(it is where its owner keeps it)"


class NoLimits:
    """See paydrill.backends.limits.Limits."""

    def cpu(self, node: Node, share: float | None) -> None:
        _not_ours(node, "limited in its CPU time")

    def throttled(self, node: Node) -> int:
        _not_ours(node, "looked at in its CPU time")

    def memory(self, node: Node, limit_bytes: int | None) -> None:
        _not_ours(node, "limited in its memory")

    def memory_used(self, node: Node) -> int:
        _not_ours(node, "looked at in its memory")

    def oom_kills(self, node: Node) -> int:
        _not_ours(node, "looked at in its memory")

    def asks_for_more(self, node: Node, more_bytes: int, within_s: float) -> bool:
        _not_ours(node, "looked at in its memory")

    def exhaust_files(self, node: Node) -> None:
        _not_ours(node, "limited in its open files")

    def give_files_back(self, node: Node) -> None:
        _not_ours(node, "given files back")


class NoClocks:
    """See paydrill.backends.clocks.Clocks."""

    def step(self, node: Node, step_s: int) -> None:
        _not_ours(node, "given another time")

    def use_zone(self, node: Node, zone: str | None) -> None:
        _not_ours(node, "given another time zone")

    def zone_of(self, node: Node) -> str | None:
        _not_ours(node, "looked at in its environment")


def _not_ours(node: Node, done: str) -> NoReturn:
    raise FaultNotApplied(f"{node.name} is run by somebody else and cannot be {done} by the harness")
