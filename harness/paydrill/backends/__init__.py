"""Backends run the nodes of a topology: `local` as processes, `docker` as containers.

Everything that differs between them is behind `Stack`; one contract test suite runs over both.
Faults, the conductor and the collectors know only this file.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from paydrill.run_folder import RunFolder
from paydrill.target import Target, Timing
from paydrill.topology import Edge, Node, Topology

if TYPE_CHECKING:
    from paydrill.backends.clocks import Clocks
    from paydrill.backends.limits import Limits
    from paydrill.backends.probe import Probe
    from paydrill.psp.control import PspControl
    from paydrill.toxiproxy.client import Toxiproxy


DiskName = Literal["data", "wal"]
WriteUnit = Literal["operations", "bytes"]
DISKS: tuple[DiskName, DiskName] = ("data", "wal")


@dataclass(frozen=True)
class Secrets:
    """Made anew for each run, never written into the evidence."""

    psp_api_key: str
    webhook_secret: str
    caller_secret: str


@dataclass(frozen=True)
class StackSetup:
    """What to run. `source` is the target's folder, or the mutant's changed copy of it.

    disks_of: names of the PostgreSQL nodes whose data and WAL get disks of their own, for disk faults.
    sources: other source trees that nodes may be started from during the drill, by the name that a fault
        gives them; whole folders like `source`, readable by every user.
    clocks_of, memory_of: names of the nodes that start with a wall clock of their own that can be stepped,
    and of those whose memory is counted from their start, so that it can be limited.
    io_of: names of the Python nodes whose reads and writes can be made to fail.
    """

    run_id: str
    run_dir: Path
    target: Target
    source: Path
    topology: Topology
    timing: Timing
    seed: int
    psp_behaviour: Mapping[str, float]
    secrets: Secrets
    disks_of: tuple[str, ...] = ()
    sources: Mapping[str, Path] = field(default_factory=dict)
    clocks_of: tuple[str, ...] = ()
    memory_of: tuple[str, ...] = ()
    io_of: tuple[str, ...] = ()

    def speaks_tls(self, node: Node) -> bool:
        """The load balancer, in a topology with `settings: {tls: true}`."""
        service = self.target.services.get(node.service)
        return self.topology.tls and service is not None and service.runtime == "nginx"

    def ca_of(self, node: Node) -> Path | None:
        """What to check the node's certificate with; None where it speaks plain."""
        return RunFolder(self.run_dir).ca if self.speaks_tls(node) else None


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Connection:
    """One open connection as one end of it sees it: `local` is that end's own address.

    received: bytes that came; acked: bytes that were sent and have arrived. `ended`: no more will come.
    """

    local: Address
    received: int
    acked: int
    ended: bool


@dataclass(frozen=True)
class ProcessIdentity:
    """Which incarnation of a node runs: another `pid` or `started` means that it was restarted."""

    pid: int
    started: str


@dataclass(frozen=True)
class CommandResult:
    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True)
class Disk:
    """A file system of its own under a node.

    mount: where it is, as the conductor sees it; inside: the same place as the node sees it.
    """

    node: Node
    name: DiskName
    mount: Path
    inside: Path


@dataclass(frozen=True)
class Variant:
    """How a node is started otherwise than planned.

    source: the name of one of `StackSetup.sources`, None for the target's own; env: besides its own, or in
    place of it.
    """

    source: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


class Stack(Protocol):
    """A running target. All times in seconds; all methods are called from one thread."""

    backend: str
    isolation: str
    setup: StackSetup
    toxiproxy: Toxiproxy

    @property
    def psps(self) -> Mapping[str, PspControl]: ...

    @property
    def psp(self) -> PspControl:
        """The first PSP, which every topology has; `psps` has all of them, by name."""
        ...

    @property
    def topology(self) -> Topology: ...

    def dial(self, edge: Edge) -> Address:
        """Where the client end of the edge connects to, seen from the conductor: the proxy's listener."""
        ...

    def proxy_connections(self) -> Sequence[Connection]:
        """Toxiproxy's open connections, with their bytes so far; none where the kernel does not tell."""
        ...

    def process(self, node: Node) -> ProcessIdentity | None:
        """Who runs as that node now; None when nobody does."""
        ...

    def kill(self, node: Node) -> None:
        """SIGKILL every process of the node; returns when they are gone."""
        ...

    def send_signal(self, node: Node, number: signal.Signals) -> None:
        """Send a signal to the node's main process; returns at once. Nobody there is no error."""
        ...

    def start(self, node: Node) -> None:
        """Start a node that has ended again; returns without waiting for its health."""
        ...

    def vary(self, node: Node, variant: Variant | None) -> None:
        """How the node is started from now on, None: as planned. It does not change one that runs.

        Raises FaultNotApplied for a source that the setup does not have.
        """
        ...

    def source_dir(self, variant: Variant | None = None) -> str:
        """The folder that python nodes are started in, as they see it."""
        ...

    def pause(self, node: Node) -> None:
        """Freeze every process of the node; connections stay open and silent."""
        ...

    def resume(self, node: Node) -> None: ...

    def is_paused(self, node: Node) -> bool: ...

    def disk(self, node: Node, name: DiskName) -> Disk:
        """Raises FaultNotApplied where the node has none (see StackSetup.disks_of)."""
        ...

    def mount_anew(self, disk: Disk, *, mend: bool = False) -> None:
        """Unmount it and mount it again, as after a power failure; nobody may be using it.

        mend: have it checked and its errors corrected between.
        """
        ...

    def limit_writes(self, disk: Disk, per_s: int, unit: WriteUnit) -> None:
        """Let the disk's node write so much to it each second, 0 for no limit; processes to come as well."""
        ...

    @property
    def limits(self) -> Limits:
        """What nodes may use of their machine."""
        ...

    @property
    def clocks(self) -> Clocks:
        """What time it is for nodes."""
        ...

    def io_pipes(self, node: Node) -> str:
        """Where the node sees the pipes by which its calls are made to fail: see failing_io. For any node."""
        ...

    def probe(self, node: Node) -> Probe:
        """How a node is asked directly, past every proxy."""
        ...

    def wait_healthy(self, nodes: Sequence[Node], timeout_s: float) -> None:
        """Return when all answer their health probes, asked directly. Raises NotReady."""
        ...

    def run_in(self, node: Node, argv: Sequence[str], timeout_s: float) -> CommandResult:
        """Run a command beside the node's processes, with their user and network."""
        ...

    def sql(self, node: Node, query: str, timeout_s: float) -> list[dict[str, object]]:
        """Rows of a read-only query on a postgres node, directly (not through a proxy)."""
        ...

    def insider_sql(self, node: Node, statements: str, timeout_s: float) -> None:
        """Run statements on a postgres node as its superuser, directly and in one transaction.

        Raises FaultNotApplied with the database's words.
        """
        ...

    def dead_instruments(self) -> list[str]:
        """Names of harness-owned parts (`psp`, `psp2`, `toxiproxy`) that are not running any more."""
        ...

    def versions(self) -> Mapping[str, str]:
        """Version of every real part: postgresql, nginx, toxiproxy, python, and the target's libraries."""
        ...

    def foreign_parts(self) -> Mapping[str, Mapping[str, str]]:
        """`version`, `path`, `source` and `sha256` of every foreign program (or image), by its name."""
        ...

    @property
    def capabilities(self) -> Mapping[str, object]:
        """What this machine can do for the backend, as it was found by trying."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a world ended: `code` of the conductor (0 done), or the signal that ended it."""

    code: int | None
    signal: int | None
    detail: str = ""


class World(Protocol):
    """A conductor at work beside its stack, watched over by a watchdog.

    Leaving the `with` block means: everything of the run is gone, whatever happened.
    """

    def wait(self, timeout_s: float) -> Outcome | None:
        """The outcome, or None while it still works."""
        ...

    def request_stop(self) -> None:
        """Ask the conductor to heal and come down (Ctrl-C, SIGTERM); at once, idempotent."""
        ...

    def watchdog_alive(self) -> bool: ...


Conductor = Callable[["Stack", Callable[[], bool]], None]
"""What runs beside the stack: gets the healthy stack and a function saying whether a stop was asked for."""


class Backend(Protocol):
    @property
    def name(self) -> str: ...

    def missing(self) -> list[str]:
        """What this machine lacks to run it, a sentence each; empty when it can run."""
        ...

    def launch(self, setup: StackSetup, conductor: Conductor) -> AbstractContextManager[World]:
        """Start the stack and run the conductor beside it. Raises EnvironmentNotReady."""
        ...


@dataclass(frozen=True)
class NodePlan:
    """One node, ready to be started: templates filled in, the same for both backends.

    argv begins after the runtime's program; files are (name in the node's folder, text).
    """

    node: Node
    runtime: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    files: Mapping[str, str]
    listen: Address
    may_dial: tuple[Address, ...] = field(default_factory=tuple)
