"""The local backend: a drill is a little container without images."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from paydrill.backends import DISKS, Conductor, StackSetup, World, failing_io, loops, processes
from paydrill.backends.local import parts as local_parts
from paydrill.backends.local.bring_up import bring_up
from paydrill.backends.local.capabilities import Capabilities, probe
from paydrill.backends.local.clocks import require_fake_time
from paydrill.backends.local.journal import Footprint
from paydrill.backends.local.limits import require_memory_groups
from paydrill.backends.local.parts import LocalParts
from paydrill.backends.namespaces import NamespaceKind
from paydrill.backends.world import launch
from paydrill.errors import EnvironmentNotReady
from paydrill.watchdog import WorldPlan


@dataclass(frozen=True)
class LocalBackend:
    """`best` is the most that is tried of namespaces (tests ask for less, to see the degraded layouts)."""

    best: NamespaceKind = "root"
    name: str = "local"

    def missing(self) -> list[str]:
        return local_parts.missing()

    def capabilities(self) -> Capabilities:
        return probe(self.best)

    @contextmanager
    def launch(self, setup: StackSetup, conductor: Conductor) -> Iterator[World]:
        """See paydrill.backends.Backend. Call it while the process has one thread."""
        parts = LocalParts.find()
        able = self.capabilities()
        require_fake_time(setup.clocks_of, own_memory=able.namespaces != "none")
        require_memory_groups(setup.memory_of)
        if setup.io_of and (lacks := failing_io.missing()):
            raise EnvironmentNotReady(f"io_error of {', '.join(setup.io_of)}: {lacks}")
        setup = replace(
            setup,
            run_dir=setup.run_dir.resolve(),
            source=setup.source.resolve(),
            sources={name: folder.resolve() for name, folder in setup.sources.items()},
        )
        footprint = _footprint(setup, able)
        footprint.write()
        work = Path(footprint.work)
        try:
            work.mkdir(mode=0o711)
            if able.uids:
                setup.run_dir.chmod(0o700)  # nodes have other users; the mode is given back at the end
        except OSError as problem:
            footprint.remove()
            raise EnvironmentNotReady(f"the run folder cannot be used: {problem}") from problem
        try:
            devices = _disks(setup, able, work)
        except EnvironmentNotReady:
            footprint.remove()
            raise
        plan = WorldPlan(
            log=setup.run_dir / "logs" / "conductor.log",
            namespaces=able.namespaces,
            work=_work(setup, able, parts, work, conductor, devices),
            sweep=footprint.remove,
            release=lambda: loops.thaw(list(devices.values())),
        )
        with launch(plan) as world:
            yield world


def _disks(setup: StackSetup, able: Capabilities, work: Path) -> dict[Path, str]:
    """The devices of the disks that the setup asks for, by where they are mounted in the work folder.

    Raises EnvironmentNotReady where this machine gives none.
    """
    if setup.disks_of and able.namespaces != "root":
        raise EnvironmentNotReady(
            f"disk faults need root and its own mount namespace: {able.lacking or 'not asked for'}"
        )
    return {
        Path(node, loops.place(name)): loops.make(work / "disks" / f"{node}-{name}.img")
        for node in setup.disks_of
        for name in DISKS
    }


def _work(
    setup: StackSetup,
    able: Capabilities,
    parts: LocalParts,
    work: Path,
    conductor: Conductor,
    devices: Mapping[Path, str],
) -> Callable[[Callable[[], bool]], None]:
    def inside(stop_requested: Callable[[], bool]) -> None:
        with bring_up(setup, able, parts, work, stop_requested, devices) as stack:
            conductor(stack, stop_requested)

    return inside


def _footprint(setup: StackSetup, able: Capabilities) -> Footprint:
    """The temporary folder is inside the run folder, on the disk of the reports; without namespaces it
    is elsewhere, where the database's user can reach it."""
    me = processes.stat(os.getpid())
    assert me is not None
    inside, outside = (
        setup.run_dir / ".work",
        Path(tempfile.gettempdir(), f"paydrill-{uuid.uuid4().hex[:12]}"),
    )
    return Footprint(
        run_id=setup.run_id,
        owner_pid=me.pid,
        owner_started=me.started,
        run_dir=str(setup.run_dir),
        run_mode=setup.run_dir.stat().st_mode & 0o7777,
        work=str(outside if able.namespaces == "none" else inside),
    )
