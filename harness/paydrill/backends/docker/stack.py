"""A running target in containers: what faults, conductor and collectors do to its nodes."""

from __future__ import annotations

import json
import shlex
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from docker.errors import NotFound
from docker.models.containers import Container

from paydrill.backends import (
    DISKS,
    Address,
    CommandResult,
    Connection,
    Disk,
    DiskName,
    ProcessIdentity,
    StackSetup,
    Variant,
    WriteUnit,
    failing_io,
    groups,
    io_limit,
    loops,
    psp_command,
    socket_table,
)
from paydrill.backends.connections import connections
from paydrill.backends.docker import disks, engine, labels, node_commands, versions
from paydrill.backends.docker.addressing import DATA, Addresses
from paydrill.backends.docker.blueprints import TOXIPROXY, toxiproxy_edges
from paydrill.backends.docker.clocks import DockerClocks
from paydrill.backends.docker.images import Images, image_id
from paydrill.backends.docker.limits import DockerLimits
from paydrill.backends.docker.node_process import NodeState, main_process, pid_inside
from paydrill.backends.docker.run_files import RunFiles
from paydrill.backends.probe import Probe, wait_until_healthy
from paydrill.errors import EnvironmentNotReady, FaultNotApplied, NotReady
from paydrill.psp.control import PspControl
from paydrill.target import Health
from paydrill.topology import CLIENT, PSP, PSPS, Edge, Node, Topology
from paydrill.toxiproxy.client import Toxiproxy

ASK_AGAIN_S = 0.02
WITHIN_S = 8.0
_LOG_TAIL = 12
TOXIPROXY_NODE = Node(TOXIPROXY, TOXIPROXY, 0)


def _short_pause() -> None:
    time.sleep(ASK_AGAIN_S)


class DockerStack:
    """A `Stack` (paydrill.backends). Made by `up.running`, which also takes it down."""

    backend = "docker"
    isolation = "strong"

    def __init__(
        self,
        setup: StackSetup,
        addresses: Addresses,
        images: Images,
        files: RunFiles,
        psps: Mapping[str, PspControl],
        devices: Mapping[Path, str],
    ) -> None:
        self.setup = setup
        self.psps = psps
        self.toxiproxy = Toxiproxy(addresses.toxiproxy_api, self._start_toxiproxy_anew)
        self.addresses = addresses
        self._images = images
        self._files = files
        self._devices = devices
        self.limits = DockerLimits(self._container, files.user)
        self.clocks = DockerClocks(setup, files, self.process)

    @property
    def capabilities(self) -> Mapping[str, object]:
        """What this engine gives, for run.json."""
        return {**versions.facts_of_engine(), "network": str(self.addresses.network)}

    @property
    def psp(self) -> PspControl:
        return self.psps[PSP]

    @property
    def topology(self) -> Topology:
        return self.setup.topology

    def dial(self, edge: Edge) -> Address:
        return self.addresses.dial(edge)

    def proxy_connections(self) -> Sequence[Connection]:
        """Asked inside Toxiproxy's container, whose network is its own."""
        program = Path(socket_table.__file__).read_text(encoding="utf-8")
        argv = ["/usr/bin/python3", "-I", "-S", "-c", program]
        done = node_commands.run(self._container(TOXIPROXY), argv, self._files.user, WITHIN_S)
        return connections(json.loads(done.stdout)) if done.code == 0 else []

    def process(self, node: Node) -> ProcessIdentity | None:
        return self._process(node.name)

    def kill(self, node: Node) -> None:
        """All of its processes; its container stays, so that its address refuses at once."""
        state = self._state(node.name)
        if state is None or not state["Running"]:
            return
        if state["Paused"]:
            # Nothing can be run in a paused container, and its processes are frozen: end it as a whole.
            self._container(node.name).kill()
        else:
            node_commands.kill_all(self._container(node.name), self._files.user)
        self._await(lambda: self.process(node) is None, f"{node.name} still runs after SIGKILL")

    def send_signal(self, node: Node, number: signal.Signals) -> None:
        """From inside and as the node's user: the host's user may have no right to signal it."""
        main = self.process(node)
        pid = pid_inside(main.pid) if main is not None else None
        if pid is not None:
            node_commands.signal_one(self._container(node.name), pid, number, self._files.user)

    def start(self, node: Node) -> None:
        """Returns when its process is there."""
        if self.process(node) is not None:
            return
        before = self._node_state(node.name).starts
        state = self._state(node.name)
        if state is not None and state["Running"]:
            # The container's first process does not hear who asks before it has seen the end.
            self._await(lambda: self._node_state(node.name).code is not None, f"{node.name} does not end")
            self._container(node.name).kill(signal="SIGUSR1")
            self._await(lambda: self._node_state(node.name).starts > before, f"{node.name} does not start")
        else:
            self._files.state(node.name).write_text("", encoding="ascii")
            self._container(node.name).start()
        self._await(
            lambda: self.process(node) is not None or self._node_state(node.name).code is not None,
            f"{node.name} was started and has no process",
        )

    def vary(self, node: Node, variant: Variant | None) -> None:
        """By a piece of shell that the container's first process reads before each start."""
        self._files.vary(node.name, "" if variant is None else self._shell(variant))

    def _shell(self, variant: Variant) -> str:
        env, lines = dict(variant.env), []
        if variant.source is not None:
            env["PYTHONPATH"] = folder = self.source_dir(variant)
            lines = [f"cd {shlex.quote(folder)}", "unset PWD OLDPWD"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
        return "".join(f"{line}\n" for line in lines)

    def source_dir(self, variant: Variant | None = None) -> str:
        if variant is None or variant.source is None:
            return self.addresses.source_dir()
        if variant.source not in self.setup.sources:
            raise FaultNotApplied(f"this drill has no other source {variant.source!r}")
        return self.addresses.other_source_dir(list(self.setup.sources).index(variant.source))

    def pause(self, node: Node) -> None:
        if not self.is_paused(node):
            self._container(node.name).pause()

    def resume(self, node: Node) -> None:
        if self.is_paused(node):
            self._container(node.name).unpause()

    def is_paused(self, node: Node) -> bool:
        state = self._state(node.name)
        return state is not None and bool(state["Paused"])

    def disk(self, node: Node, name: DiskName) -> Disk:
        mount = self._files.data(node.name) / loops.place(name)
        if mount not in self._devices:
            raise FaultNotApplied(f"{node.name} has no {name} disk of its own in this drill")
        return Disk(node, name, mount, inside=Path(DATA, loops.place(name)))

    def mount_anew(self, disk: Disk, *, mend: bool = False) -> None:
        """Its container ends: it holds the old mount, and takes the new one in when it is started."""
        state = self._state(disk.node.name)
        if state is not None and state["Running"]:
            self._container(disk.node.name).kill()
            self._await(
                lambda: not self._running(disk.node.name), f"{disk.node.name}'s container does not end"
            )
        loops.mount_anew(self._devices[disk.mount], disk, mend=mend)

    def limit_writes(self, disk: Disk, per_s: int, unit: WriteUnit) -> None:
        """On its container's control group, which goes with the container."""
        state = self._state(disk.node.name)
        if state is None or not state["Running"]:
            if per_s:
                raise FaultNotApplied(f"{disk.node.name} does not run, so that its writes cannot be limited")
            return
        tree = io_limit.tree()
        group = groups.of_process(tree, int(str(state["Pid"])))
        io_limit.set_limit(tree, group, self._devices[disk.mount], per_s, unit)

    def require_disks(self) -> None:
        """Raises EnvironmentNotReady when a container has another disk than the one made for it."""
        for name in self.setup.disks_of:
            state = self._state(name)
            for disk in (self.disk(self.topology.node(name), one) for one in DISKS):
                if state is None or not disks.seen_in_container(int(str(state["Pid"])), disk):
                    raise EnvironmentNotReady(
                        f"the engine does not see what is mounted at {disk.mount}: it has mounts of its own, "
                        "and disk faults need them shared; without root or beside a remote engine use "
                        "--backend local"
                    )

    def io_pipes(self, node: Node) -> str:
        return f"{DATA}/{failing_io.PIPES}"

    def wait_healthy(
        self, nodes: Sequence[Node], timeout_s: float, pause: Callable[[], None] = _short_pause
    ) -> None:
        wait_until_healthy(
            [self.probe(node) for node in nodes if node.name != CLIENT],
            timeout_s,
            trouble=self._ended,
            log_tail=self._log_tail,
            pause=pause,
        )

    def run_in(self, node: Node, argv: Sequence[str], timeout_s: float) -> CommandResult:
        self._must_run(node)
        return node_commands.run(self._container(node.name), argv, self._files.user, timeout_s)

    def sql(self, node: Node, query: str, timeout_s: float) -> list[dict[str, object]]:
        self._must_run(node)
        database = self.setup.target.services[node.service].database
        listen = self.addresses.listen(node)
        argv = node_commands.psql(listen, database, query, timeout_s)
        return node_commands.rows(node, self.run_in(node, argv, timeout_s))

    def insider_sql(self, node: Node, statements: str, timeout_s: float) -> None:
        self._must_run(node)
        database = self.setup.target.services[node.service].database
        argv = node_commands.insider_psql(self.addresses.listen(node), database, statements, timeout_s)
        done = self.run_in(node, argv, timeout_s + 1.0)
        if done.code != 0:
            why = done.stderr.decode(errors="replace").strip()[-600:]
            raise FaultNotApplied(f"{node.name}: psql ended with {done.code}: {why}")

    def dead_instruments(self) -> list[str]:
        wanted = [TOXIPROXY, *self.psps]
        return [name for name in wanted if self._process(name) is None]

    def versions(self) -> Mapping[str, str]:
        """Of the target's image, Toxiproxy and the engine."""
        of_target = versions.of_image(self._images.target)
        programs = {**versions.of_image(self._images.harness).programs, **of_target.programs}
        told = {name: program["version"] for name, program in programs.items()}
        return {**of_target.libraries, **told, "docker": versions.of_engine()}

    def foreign_parts(self) -> Mapping[str, Mapping[str, str]]:
        """Programs by their place in an image, and the images themselves; a program's `source` is its image."""
        found: dict[str, Mapping[str, str]] = {}
        for name, reference in (("harness", self._images.harness), ("target", self._images.target)):
            for program, told in versions.of_image(reference).programs.items():
                found[program] = {**told, "source": reference}
            found[f"image {name}"] = {
                "version": reference.rpartition(":")[2],
                "path": reference,
                "source": "engine",
                "sha256": image_id(reference).removeprefix("sha256:"),
            }
        return found

    def close(self) -> None:
        self.toxiproxy.close()
        for control in self.psps.values():
            control.close()

    def _start_toxiproxy_anew(self) -> None:
        self.kill(TOXIPROXY_NODE)
        toxiproxy_edges(self._files, self.addresses, enabled=False)
        self.start(TOXIPROXY_NODE)
        self.wait_healthy([TOXIPROXY_NODE], WITHIN_S)

    def _container(self, name: str) -> Container:
        return engine.client().containers.get(labels.container_name(self.setup.run_id, name))

    def _state(self, name: str) -> dict[str, object] | None:
        """What the engine says of a container; None when there is none."""
        try:
            inspected = engine.client().api.inspect_container(labels.container_name(self.setup.run_id, name))
        except NotFound:
            return None
        state: dict[str, object] = inspected["State"]
        return state

    def _running(self, name: str) -> bool:
        state = self._state(name)
        return state is not None and bool(state["Running"])

    def _must_run(self, node: Node) -> None:
        """The engine would wait for ever for a command in a paused container."""
        state = self._state(node.name)
        if state is None or not state["Running"] or state["Paused"]:
            seen = "is paused" if state and state["Paused"] else "does not run"
            raise NotReady(f"{node.name} {seen}: nothing can be run in it")

    def probe(self, node: Node) -> Probe:
        if node == TOXIPROXY_NODE:
            return Probe(node, self.addresses.toxiproxy_api, Health(http="/version"))
        service = self.setup.target.services.get(node.service)
        if service is None or node.name in PSPS:
            return Probe(node, self.addresses.listen(node), psp_command.HEALTH)
        ca_file = self.setup.ca_of(node)
        return Probe(node, self.addresses.listen(node), service.health, service.database, ca_file)

    def _ended(self, node: Node) -> str | None:
        code = self._node_state(node.name).code
        if code is not None:
            return f"it ended with exit code {code}"
        state = self._state(node.name)
        if state is None or state["Status"] in ("exited", "dead"):
            return f"its container has ended: {state['Error'] if state else 'it is gone'}"
        return None

    def _process(self, name: str) -> ProcessIdentity | None:
        state = self._state(name)
        if state is None or not state["Running"]:
            return None
        return main_process(int(str(state["Pid"])), self._files.user)

    def _node_state(self, name: str) -> NodeState:
        return NodeState.read(self._files.state(name))

    def _await(self, true: Callable[[], bool], otherwise: str) -> None:
        give_up = time.monotonic() + WITHIN_S
        while not true():
            if time.monotonic() > give_up:
                raise FaultNotApplied(f"{otherwise} (waited {WITHIN_S:g} s)")
            time.sleep(0.004)

    def _log_tail(self, node: Node) -> str:
        text = self._files.log(node.name).read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-_LOG_TAIL:]) or "(its log is empty)"
