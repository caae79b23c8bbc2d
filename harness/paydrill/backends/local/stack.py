"""A running target as local processes: `Stack` for the conductor."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from paydrill.backends import (
    Address,
    CommandResult,
    Connection,
    Disk,
    DiskName,
    NodePlan,
    ProcessIdentity,
    StackSetup,
    Variant,
    WriteUnit,
    failing_io,
    loops,
    socket_table,
)
from paydrill.backends.connections import connections
from paydrill.backends.local import write_limit
from paydrill.backends.local.capabilities import Capabilities
from paydrill.backends.local.clocks import LocalClocks
from paydrill.backends.local.cluster import psql
from paydrill.backends.local.layout import Layout
from paydrill.backends.local.limits import LocalLimits
from paydrill.backends.local.node_process import NodeProcess
from paydrill.backends.local.parts import LocalParts
from paydrill.backends.local.spawn import log_tail
from paydrill.backends.postgres import SUPERUSER
from paydrill.backends.probe import Probe, short_pause, wait_until_healthy
from paydrill.errors import DrillBroken, FaultNotApplied
from paydrill.target import Health
from paydrill.topology import PSP, Edge, Node, Topology

if TYPE_CHECKING:
    from paydrill.psp.control import PspControl
    from paydrill.toxiproxy.client import Toxiproxy


@dataclass
class LocalStack:
    """See paydrill.backends.Stack. `capabilities` and `notes` are for run.json."""

    setup: StackSetup
    layout: Layout
    parts: LocalParts
    able: Capabilities
    toxiproxy: Toxiproxy
    psps: Mapping[str, PspControl]
    plans: Mapping[str, NodePlan]
    nodes: Mapping[str, NodeProcess]
    instruments: Mapping[str, subprocess.Popen[bytes]]
    devices: Mapping[Path, str]
    limits: LocalLimits
    clocks: LocalClocks
    libraries: tuple[str, ...]
    notes: dict[str, str]
    isolation: str
    backend: str = "local"

    @property
    def capabilities(self) -> Mapping[str, object]:
        return {**self.able.as_json(), **self.notes}

    @property
    def psp(self) -> PspControl:
        return self.psps[PSP]

    @property
    def topology(self) -> Topology:
        return self.setup.topology

    def dial(self, edge: Edge) -> Address:
        return self.layout.dial(edge)

    def proxy_connections(self) -> Sequence[Connection]:
        """Toxiproxy's network is the conductor's own."""
        try:
            return connections(socket_table.read())
        except OSError:
            return []

    def process(self, node: Node) -> ProcessIdentity | None:
        return self.nodes[node.name].who()

    def kill(self, node: Node) -> None:
        self.nodes[node.name].kill()

    def send_signal(self, node: Node, number: signal.Signals) -> None:
        self.nodes[node.name].send_signal(number)

    def start(self, node: Node) -> None:
        self.nodes[node.name].start()
        self.limits.started(node.name)

    def vary(self, node: Node, variant: Variant | None) -> None:
        process = self.nodes[node.name]
        process.next_order = process.planned
        if variant is None:
            return
        env, cwd = {**process.planned.env, **variant.env}, process.planned.cwd
        if variant.source is not None:
            env["PYTHONPATH"] = cwd = self.source_dir(variant)
        process.next_order = replace(process.planned, env=env, cwd=cwd)

    def source_dir(self, variant: Variant | None = None) -> str:
        if variant is None or variant.source is None:
            return self.layout.source_dir()
        if variant.source not in self.setup.sources:
            raise FaultNotApplied(f"this drill has no other source {variant.source!r}")
        return self.layout.other_source_dir(variant.source)

    def pause(self, node: Node) -> None:
        self.nodes[node.name].pause()

    def resume(self, node: Node) -> None:
        self.nodes[node.name].resume()

    def is_paused(self, node: Node) -> bool:
        return self.nodes[node.name].is_paused()

    def disk(self, node: Node, name: DiskName) -> Disk:
        mount = Path(self.layout.data_dir(node), loops.place(name))
        if mount not in self.devices:
            raise FaultNotApplied(f"{node.name} has no {name} disk of its own in this drill")
        return Disk(node, name, mount, inside=mount)

    def mount_anew(self, disk: Disk, *, mend: bool = False) -> None:
        loops.mount_anew(self.devices[disk.mount], disk, mend=mend)

    def limit_writes(self, disk: Disk, per_s: int, unit: WriteUnit) -> None:
        node = self.nodes[disk.node.name]
        write_limit.set_limit(self.setup.run_id, node, self.devices[disk.mount], per_s, unit)

    def io_pipes(self, node: Node) -> str:
        return f"{self.layout.data_dir(node)}/{failing_io.PIPES}"

    def wait_healthy(
        self, nodes: Sequence[Node], timeout_s: float, pause: Callable[[], None] = short_pause
    ) -> None:
        probes = [self.probe(node) for node in nodes if node.name in self.nodes]
        wait_until_healthy(probes, timeout_s, self._trouble, self._tail, pause)

    def run_in(self, node: Node, argv: Sequence[str], timeout_s: float) -> CommandResult:
        """With the node's user, environment and network; psql and this Python are on its PATH."""
        plan = self.plans[node.name]
        programs = f"{os.path.dirname(sys.executable)}:{self.parts.postgres_bin}"
        env = {**plan.env, "PATH": f"{programs}:{plan.env['PATH']}"}
        cwd = self.layout.source_dir() if plan.runtime == "python" else self.layout.data_dir(node)
        uid = self.layout.uid(node)
        try:
            joining = [
                *write_limit.joining(self.setup.run_id, node.name),
                *self.limits.joining(node.name),
            ]
            return _run([*joining, *argv], env, cwd, uid, timeout_s)
        except FileNotFoundError as problem:
            return CommandResult(127, b"", str(problem).encode())

    def sql(self, node: Node, query: str, timeout_s: float) -> list[dict[str, object]]:
        statement = f"SELECT row_to_json(q) FROM ({query.strip().rstrip(';')}\n) q"
        done = self._psql(node, statement, "-c default_transaction_read_only=on", timeout_s)
        if done.code != 0:
            why = done.stderr.decode(errors="replace").strip()[-600:]
            raise DrillBroken("store_not_read", f"{node.name}: psql ended with {done.code}: {why}")
        return [json.loads(line) for line in done.stdout.splitlines() if line]

    def insider_sql(self, node: Node, statements: str, timeout_s: float) -> None:
        done = self._psql(node, statements, "", timeout_s)
        if done.code != 0:
            why = done.stderr.decode(errors="replace").strip()[-600:]
            raise FaultNotApplied(f"{node.name}: psql ended with {done.code}: {why}")

    def _psql(self, node: Node, statements: str, options: str, timeout_s: float) -> CommandResult:
        """As the superuser; several statements are one transaction."""
        plan, database = self.plans[node.name], self.setup.target.services[node.service].database
        argv = psql(self.parts.postgres_bin, plan, SUPERUSER, database, "-A", "-t", "-q", "-c", statements)
        options = f"{options} -c statement_timeout={int(timeout_s * 1000)}"
        env = {"PATH": os.defpath, "PGOPTIONS": options, "PGCONNECT_TIMEOUT": str(max(2, int(timeout_s)))}
        return _run(argv, env, "/", None, timeout_s + 1.0)

    def dead_instruments(self) -> list[str]:
        return [name for name, process in self.instruments.items() if process.poll() is not None]

    def versions(self) -> Mapping[str, str]:
        found = {"python": platform.python_version(), **self.parts.versions()}
        for library in self.libraries:
            for distribution in _distributions().get(library, []):
                found[distribution] = importlib.metadata.version(distribution)
        return found

    def foreign_parts(self) -> Mapping[str, Mapping[str, str]]:
        return {part.name: part.as_json() for part in self.parts.all()}

    def probe(self, node: Node) -> Probe:
        service = self.setup.target.services.get(node.service)
        health = service.health if service else Health()
        database = service.database if service else ""
        return Probe(node, self.layout.listen(node), health, database, self.setup.ca_of(node))

    def _trouble(self, node: Node) -> str | None:
        return None if self.nodes[node.name].who() else "its process has ended"

    def _tail(self, node: Node) -> str:
        return log_tail(str(self.layout.log(node.name)))


def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def _run(
    argv: Sequence[str], env: Mapping[str, str], cwd: str, uid: int | None, timeout_s: float
) -> CommandResult:
    """Run to the end or the time-out (code 124, its whole session killed)."""
    process = subprocess.Popen(
        list(argv),
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    )
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return CommandResult(124, out, err + f"\nkilled after {timeout_s:g} s".encode())
    return CommandResult(process.returncode, out, err)
