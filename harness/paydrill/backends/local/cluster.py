"""A PostgreSQL node's data: made once as a template in the cache, cloned for each drill.

A clone is an overlay mount (milliseconds; the disk underneath is flushed as usual), or a copy where
overlays cannot be mounted. Programs are run as children, never through pg_ctl: a postmaster that is
nobody's child leaves a zombie and cannot be started again.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paydrill.backends import NodePlan, namespaces
from paydrill.backends.local.spawn import Order, execute, log_tail, run_tool
from paydrill.backends.postgres import SUPERUSER
from paydrill.backends.probe import Probe, ask
from paydrill.errors import DrillBroken, NotReady
from paydrill.parts import Part
from paydrill.target import Health

TOOL_WITHIN_S = 60.0
READY_WITHIN_S = 20.0


@dataclass(frozen=True)
class Cluster:
    """One node's cluster. folder: the node's own; templates: where templates are kept; uid: None = ours.

    disks: mount points of the node's own disks by their names (`disk-data`, `disk-wal`); both or none.
    """

    plan: NodePlan
    database: str
    programs: Part
    bin: Path
    folder: Path
    templates: Path
    uid: int | None
    log: Path
    may_mount: bool
    disks: Mapping[str, Path] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.disks.get("disk-data", self.folder) / "pg"

    def order(self) -> Order:
        """How the server is started, in the drill and again after a kill."""
        argv = ("-D", str(self.data), *self.plan.argv)
        if os.path.ismount(self.data):
            # Recovery would open every file for writing to flush it, and so copy the whole template up.
            argv += ("-c", "recovery_init_sync_method=syncfs")
        return Order(argv, self.plan.env, str(self.folder), str(self.log), self.uid)

    def prepare(self) -> str:
        """Have the data folder ready; says how it was cloned: `overlay`, or `copy: why`."""
        template = self._template()
        if self.disks:
            return self._on_disks(template)
        if not self.may_mount:
            return self._copy(template, "no mount namespace")
        try:
            return self._overlay(template)
        except OSError as problem:
            return self._copy(template, str(problem))

    def _template(self) -> Path:
        found = self.templates / self._key()
        if found.is_dir():
            return found
        built = self._build()
        new = self.templates / f".new-{uuid.uuid4().hex}"
        try:
            self.templates.mkdir(parents=True, exist_ok=True)
            _copy_tree(built, new)
            new.rename(found)
        except (OSError, DrillBroken):
            # A drill that was quicker has put the same thing there, or the cache cannot be written.
            shutil.rmtree(new, ignore_errors=True)
            return found if found.is_dir() else built
        shutil.rmtree(built)
        return found

    def _key(self) -> str:
        """Everything that the template depends on, and its format's number."""
        program = (self.bin / "postgres").stat()
        what = [3, self.programs.version, str(self.programs.path), program.st_size, program.st_mtime_ns]
        what += [self.uid, self.database, sorted(self.plan.files.items())]
        return hashlib.sha256(repr(what).encode()).hexdigest()[:32]

    def _build(self) -> Path:
        """initdb, roles and schema; stopped cleanly."""
        data = self.folder / "template"
        run_tool(
            [
                str(self.bin / "initdb"),
                *(
                    "-D",
                    str(data),
                    "-U",
                    SUPERUSER,
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-sync",
                    "--data-checksums",
                ),
            ],
            self.uid,
            TOOL_WITHIN_S,
        )
        for name in ("paydrill.conf", "pg_hba.conf"):
            (data / name).write_text(self.plan.files[name], encoding="utf-8")
            _give(data / name, self.uid)
        with (data / "postgresql.conf").open("a", encoding="utf-8") as config:
            config.write("\ninclude = 'paydrill.conf'\n")
        argv = ("-D", str(data), "-c", "fsync=off", *self.plan.argv)
        server = execute(
            str(self.bin / "postgres"),
            Order(argv, self.plan.env, str(self.folder), str(self.log), self.uid),
        )
        try:
            self._wait_ready(server)
            self._load("bootstrap.sql", SUPERUSER, SUPERUSER)
            self._load("schema.sql", self.database, self.database)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(READY_WITHIN_S)
        return data

    def _wait_ready(self, server: subprocess.Popen[bytes]) -> None:
        probe = Probe(self.plan.node, self.plan.listen, Health(postgres=True), self.database)
        give_up = time.monotonic() + READY_WITHIN_S
        while (seen := ask(probe, 2.0)) is not None:
            if server.poll() is not None or time.monotonic() > give_up:
                raise NotReady(
                    f"{self.plan.node.name}: the template cluster did not start ({seen}); the end of its log:\n"
                    + log_tail(str(self.log))
                )
            time.sleep(0.01)

    def _load(self, name: str, role: str, database: str) -> None:
        file = self.folder / name
        file.write_text(self.plan.files[name], encoding="utf-8")
        try:
            command = psql(self.bin, self.plan, role, database, "-q", "-f", str(file))
            run_tool(command, None, TOOL_WITHIN_S)
        except DrillBroken as problem:
            raise NotReady(f"{self.plan.node.name}: {name} was refused: {problem.detail}") from problem

    def _overlay(self, template: Path) -> str:
        upper, scratch = self.folder / "upper", self.folder / "scratch"
        for folder in (upper, scratch, self.data):
            folder.mkdir(mode=0o700)
            _give(folder, self.uid)
        options = f"lowerdir={template},upperdir={upper},workdir={scratch}"
        namespaces.mount("overlay", str(self.data), "overlay", data=options)
        return "overlay"

    def _on_disks(self, template: Path) -> str:
        """The WAL on a disk of its own; all of it flushed, so that a power failure takes none of it."""
        _copy_tree(template, self.data)
        wal = self.disks["disk-wal"] / "pg_wal"
        _copy_tree(self.data / "pg_wal", wal)
        shutil.rmtree(self.data / "pg_wal")
        (self.data / "pg_wal").symlink_to(wal)
        for mount in self.disks.values():
            namespaces.flush(str(mount))
        return "copy: disks of its own"

    def _copy(self, template: Path, why: str) -> str:
        if self.data.exists():
            shutil.rmtree(self.data)
        _copy_tree(template, self.data)
        return f"copy: {why}"


def psql(folder: Path, plan: NodePlan, role: str, database: str, *arguments: str) -> list[str]:
    """The psql command that talks to the node directly."""
    where = ("-h", plan.listen.host, "-p", str(plan.listen.port), "-U", role, "-d", database)
    return [str(folder / "psql"), "-X", "-v", "ON_ERROR_STOP=1", *where, *arguments]


def forget_shared_memory(data: Path) -> None:
    """Remove the System V segment that a killed postmaster left (its id stands in postmaster.pid)."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="ascii").splitlines()
        segment = int(lines[6].split()[1])
    except (OSError, ValueError, IndexError):
        return
    ctypes.CDLL(None).shmctl(segment, 0, None)


def reachable_by(uid: int, bin_folder: Path) -> bool:
    """Whether that user can execute the programs where they are."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os._exit(0 if os.access(bin_folder / "postgres", os.X_OK) else 1)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def _copy_tree(source: Path, target: Path) -> None:
    run_tool(["cp", "-a", "--sparse=always", str(source), str(target)], None, TOOL_WITHIN_S)


def _give(path: Path, uid: int | None) -> None:
    if uid is not None:
        os.chown(path, uid, uid)
