"""Every container of a run, as blueprints: who is where, what it runs, and what its fence lets through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import paydrill
from paydrill.backends import Address, NodePlan, StackSetup
from paydrill.backends.docker import clocks, fence, labels, postgres_template
from paydrill.backends.docker.addressing import DATA, PSP_FOLDER, SOURCE, TOXIPROXY_API_PORT, Addresses
from paydrill.backends.docker.container import Blueprint
from paydrill.backends.docker.images import TOXIPROXY_PROGRAM, Images
from paydrill.backends.docker.run_files import RunFiles
from paydrill.backends.nodes import base_env, dialled_by
from paydrill.topology import Node
from paydrill.toxiproxy import server

TOXIPROXY = "toxiproxy"
_HARNESS = "/opt/paydrill"
_PROGRAM = f"/usr/local/bin/{TOXIPROXY_PROGRAM}"
_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True)
class Drafter:
    """Draws the blueprints of one run. `marks` are its labels, `source` a readable copy of the target's,
    `others` of the setup's other sources, by their places inside.
    """

    setup: StackSetup
    addresses: Addresses
    images: Images
    files: RunFiles
    marks: Mapping[str, str]
    source: Path
    others: Mapping[str, Path] = field(default_factory=dict)

    def toxiproxy(self) -> Blueprint:
        """It may reach what its edges lead to; its API is the host's alone, its edges their clients' and the host's."""
        edges = self.addresses.edges()
        config = toxiproxy_edges(self.files, self.addresses, enabled=True)
        host = self.addresses.gateway
        into = [fence.Entry(host, TOXIPROXY_API_PORT)]
        for edge in self.setup.topology.edges:
            client = self.addresses.listen(self.setup.topology.node(edge.client)).host
            port = self.addresses.dial(edge).port
            into += [fence.Entry(client, port), fence.Entry(host, port)]
        return self._blueprint(
            name=TOXIPROXY,
            image=self.images.harness,
            argv=server.argv(_PROGRAM, self.addresses.toxiproxy, TOXIPROXY_API_PORT, f"{DATA}/edges.json"),
            env=base_env(DATA),
            address=self.addresses.toxiproxy,
            fence_text=fence.rules((upstream for _, upstream in edges.values()), into),
            writable={},
            read_only={DATA: config.parent},
        )

    def psp(self, node: Node, argv: Iterable[str], env: Mapping[str, str], folder: Path) -> Blueprint:
        """On the harness's image and code; its journal and control socket are in `folder`."""
        return self._blueprint(
            name=node.name,
            image=self.images.harness,
            argv=[_PYTHON, *argv],
            env={**env, "PYTHONPATH": _HARNESS, "PYTHONDONTWRITEBYTECODE": "1"},
            address=self.addresses.listen(node).host,
            fence_text=self._fence(node, dialled_by(self.setup, self.addresses, node)),
            writable={PSP_FOLDER: folder},
            read_only={
                f"{_HARNESS}/paydrill": self.files.readable(Path(paydrill.__file__).parent, "harness")
            },
        )

    def node(self, plan: NodePlan) -> Blueprint:
        """A node of the target: on its image, with its source mounted."""
        data = self.files.data(plan.node.name)
        blueprint = self._blueprint(
            name=plan.node.name,
            image=self.images.target,
            argv=_argv(plan),
            env=plan.env,
            address=plan.listen.host,
            fence_text=self._fence(plan.node, plan.may_dial),
            writable={DATA: data},
            read_only={SOURCE: self.source, **self.others},
            working_dir=SOURCE if plan.runtime == "python" else DATA,
        )
        clocks.prepare(self.setup, self.files, plan.node)
        return blueprint

    def _fence(self, node: Node, out: Iterable[Address]) -> str:
        """In come the proxies of its edges, and the host's probes."""
        port = self.addresses.listen(node).port
        hosts = (self.addresses.toxiproxy, self.addresses.gateway)
        return fence.rules(out, [fence.Entry(host, port) for host in hosts])

    def _blueprint(
        self,
        *,
        name: str,
        image: str,
        argv: Iterable[str],
        env: Mapping[str, str],
        address: str,
        fence_text: str,
        writable: Mapping[str, Path],
        read_only: Mapping[str, Path],
        working_dir: str = "/",
    ) -> Blueprint:
        return Blueprint(
            name=labels.container_name(self.setup.run_id, name),
            host=name,
            image=image,
            argv=tuple(argv),
            env=env,
            labels={**self.marks, labels.NODE: name},
            user=self.files.user,
            entrance=self.files.entrance(name, fence_text),
            log=self.files.log(name),
            state=self.files.state(name),
            network=labels.network_name(self.setup.run_id),
            address=address,
            writable=writable,
            read_only=read_only,
            working_dir=working_dir,
        )


def toxiproxy_edges(files: RunFiles, addresses: Addresses, *, enabled: bool) -> Path:
    """Toxiproxy's file of edges, which listen as soon as it starts where `enabled`."""
    config = files.data(TOXIPROXY) / "edges.json"
    config.write_bytes(server.config(addresses.edges(), enabled=enabled))
    files.user.give(config)
    return config


def _argv(plan: NodePlan) -> tuple[str, ...]:
    """The runtime's own program before the node's arguments."""
    if plan.runtime == "postgres":
        return postgres_template.server_argv(plan)
    return (_PYTHON if plan.runtime == "python" else "/usr/sbin/nginx", *plan.argv)
