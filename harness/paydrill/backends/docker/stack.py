"""A running target in containers: what faults, conductor and collectors do to its nodes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from docker.errors import APIError, NotFound
from docker.models.containers import Container

from paydrill.backends import (
    Address,
    CommandResult,
    ProcessIdentity,
    StackSetup,
)
from paydrill.backends.docker import engine, labels, node_commands, versions
from paydrill.backends.docker.addressing import Addresses
from paydrill.backends.docker.blueprints import TOXIPROXY
from paydrill.backends.docker.images import Images, image_id
from paydrill.backends.docker.run_files import RunFiles
from paydrill.backends.probe import Probe, wait_until_healthy
from paydrill.errors import DrillBroken, NotReady
from paydrill.psp.control import PspControl
from paydrill.target import Health
from paydrill.topology import CLIENT, PSP, Edge, Node, Topology
from paydrill.toxiproxy.client import Toxiproxy

ASK_AGAIN_S = 0.02
GONE_WITHIN_S = 5.0
_LOG_TAIL = 12
_PSP_HEALTH = Health(http="/healthz")
_TOXIPROXY_NODE = Node(TOXIPROXY, TOXIPROXY, 0)


class DockerStack:
    """A `Stack` (paydrill.backends). Made by `up.running`, which also takes it down."""

    backend = "docker"
    isolation = "strong"

    def __init__(
        self, setup: StackSetup, addresses: Addresses, images: Images, files: RunFiles, psp: PspControl
    ) -> None:
        self.setup = setup
        self.psp = psp
        self.toxiproxy = Toxiproxy(addresses.toxiproxy_api)
        self._addresses = addresses
        self._images = images
        self._files = files

    @property
    def topology(self) -> Topology:
        return self.setup.topology

    def dial(self, edge: Edge) -> Address:
        return self._addresses.dial(edge)

    def process(self, node: Node) -> ProcessIdentity | None:
        state = self._state(node.name)
        if state is None or not state["Running"]:
            return None
        return ProcessIdentity(int(str(state["Pid"])), str(state["StartedAt"]))

    def kill(self, node: Node) -> None:
        """The engine's kill ends the container's first process, and the kernel then all others in it."""
        try:
            self._container(node.name).kill()
        except APIError as problem:
            if problem.status_code != 409:  # it does not run: that is what was asked for
                raise
        give_up = time.monotonic() + GONE_WITHIN_S
        while self.process(node) is not None:
            if time.monotonic() > give_up:
                raise DrillBroken(
                    "fault_not_applied", f"{node.name} still runs {GONE_WITHIN_S:g} s after SIGKILL"
                )
            time.sleep(0.005)

    def start(self, node: Node) -> None:
        self._container(node.name).start()

    def pause(self, node: Node) -> None:
        if not self.is_paused(node):
            self._container(node.name).pause()

    def resume(self, node: Node) -> None:
        if self.is_paused(node):
            self._container(node.name).unpause()

    def is_paused(self, node: Node) -> bool:
        state = self._state(node.name)
        return state is not None and bool(state["Paused"])

    def wait_healthy(self, nodes: Sequence[Node], timeout_s: float) -> None:
        wait_until_healthy(
            [self._probe(node) for node in nodes if node.name != CLIENT],
            timeout_s,
            trouble=self._ended,
            log_tail=self._log_tail,
            pause=lambda: time.sleep(ASK_AGAIN_S),
        )

    def wait_for_toxiproxy(self, timeout_s: float) -> None:
        """Raises NotReady."""
        self.wait_healthy([_TOXIPROXY_NODE], timeout_s)

    def run_in(self, node: Node, argv: Sequence[str], timeout_s: float) -> CommandResult:
        self._must_run(node)
        return node_commands.run(self._container(node.name), argv, self._files.user, timeout_s)

    def sql(self, node: Node, query: str, timeout_s: float) -> list[dict[str, object]]:
        self._must_run(node)
        database = self.setup.target.services[node.service].database
        listen = self._addresses.listen(node)
        argv = node_commands.psql(listen, database, query, timeout_s)
        return node_commands.rows(node, self.run_in(node, argv, timeout_s))

    def dead_instruments(self) -> list[str]:
        wanted = [TOXIPROXY, *(node.name for node in self.topology.nodes if node.name == PSP)]
        return [name for name in wanted if not (state := self._state(name)) or not state["Running"]]

    def versions(self) -> Mapping[str, str]:
        """Parts of the target's image, Toxiproxy, the PSP's Python, the engine, and both images."""
        of_harness, of_target = (
            versions.of_image(self._images.harness),
            versions.of_image(self._images.target),
        )
        found = dict(of_target)
        found |= {"toxiproxy": of_harness.get("toxiproxy", "unknown"), "docker": versions.of_engine()}
        found |= {f"psp.{name}": of_harness[name] for name in ("python",) if name in of_harness}
        for name, reference in (("harness", self._images.harness), ("target", self._images.target)):
            found[f"image.{name}"] = f"{reference} {image_id(reference)}"
        return found

    def close(self) -> None:
        self.toxiproxy.close()
        self.psp.close()

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

    def _must_run(self, node: Node) -> None:
        """The engine would wait for ever for a command in a paused container."""
        state = self._state(node.name)
        if state is None or not state["Running"] or state["Paused"]:
            seen = "is paused" if state and state["Paused"] else "does not run"
            raise NotReady(f"{node.name} {seen}: nothing can be run in it")

    def _probe(self, node: Node) -> Probe:
        if node == _TOXIPROXY_NODE:
            return Probe(node, self._addresses.toxiproxy_api, Health(http="/version"))
        service = self.setup.target.services.get(node.service)
        if service is None or node.name == PSP:
            return Probe(node, self._addresses.listen(node), _PSP_HEALTH)
        return Probe(node, self._addresses.listen(node), service.health, service.database)

    def _ended(self, node: Node) -> str | None:
        state = self._state(node.name)
        if state is None:
            return "its container is gone"
        if state["Status"] in ("exited", "dead"):
            return f"it ended with exit code {state['ExitCode']} {state['Error']}".rstrip()
        return None

    def _log_tail(self, node: Node) -> str:
        text = self._files.log(node.name).read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-_LOG_TAIL:]) or "(its log is empty)"
