"""Topology + target -> what each node is started with: templates filled in, the same for both backends.

Only addresses and folders differ between backends; they come in as an `Addressing`. What templates
see is docs/targets.md. Rendering reads the target's files and touches nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from paydrill.backends import Address, NodePlan, StackSetup
from paydrill.backends.postgres import server_argv, server_files
from paydrill.backends.tls import CERT_FILE, KEY_FILE, Certificate, Tls
from paydrill.errors import UsageError
from paydrill.target import Service
from paydrill.topology import Edge, Node

STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Addressing(Protocol):
    """Where things are, in one backend, as a node sees them."""

    def listen(self, node: Node) -> Address:
        """Where the node itself listens."""
        ...

    def dial(self, edge: Edge) -> Address:
        """The listener of the edge's proxy: what the edge's client dials."""
        ...

    def data_dir(self, node: Node) -> str:
        """The node's writable folder; its config files are in it."""
        ...

    def source_dir(self) -> str:
        """The target's source, read-only."""
        ...


def plan_nodes(setup: StackSetup, addressing: Addressing, tls: Tls | None = None) -> tuple[NodePlan, ...]:
    """A NodePlan for every node whose service the target declares, in the topology's order.

    A PSP is among them only when the target declares a service of its name (its `command` then holds the
    target's own wishes, such as `--webhook-url URL`). Raises UsageError for a template that cannot be
    filled in or a config file that is not there.
    """
    certificates = tls.certificates if tls else {}
    return tuple(
        _Renderer(
            setup, addressing, node, setup.target.services[node.service], certificates.get(node.name)
        ).plan()
        for node in setup.topology.nodes
        if node.service in setup.target.services
    )


def base_env(data_dir: str) -> dict[str, str]:
    """The whole environment of a node besides what its service declares. Backends may change PATH."""
    return {
        "PATH": STANDARD_PATH,
        "HOME": data_dir,
        "TMPDIR": data_dir,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
    }


def dialled_by(setup: StackSetup, addressing: Addressing, node: Node) -> tuple[Address, ...]:
    """The listeners of all edges of which `node` is the client: everything that it may reach."""
    return tuple(addressing.dial(edge) for edge in setup.topology.edges if edge.client == node.name)


class _Renderer:
    """Fills in the templates of one node."""

    def __init__(
        self,
        setup: StackSetup,
        addressing: Addressing,
        node: Node,
        service: Service,
        certificate: Certificate | None,
    ) -> None:
        self._certificate = certificate
        self._setup = setup
        self._addressing = addressing
        self._node = node
        self._service = service
        self._jinja = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
        self._names = self._template_names()

    def plan(self) -> NodePlan:
        service, listen = self._service, self._addressing.listen(self._node)
        argv = tuple(self._fill(text, f"command[{i}]") for i, text in enumerate(service.command))
        files = {name: self._config(template) for template, name in service.config.items()}
        if service.runtime == "postgres":
            settings = {key: self._fill(text, f"settings.{key}") for key, text in service.settings.items()}
            files = {**server_files(service, settings, self._setup.source), **files}
            argv = (*server_argv(listen), *argv)
        if service.runtime == "nginx":
            argv = (*nginx_argv(self._addressing.data_dir(self._node), files.get("nginx.conf", "")), *argv)
        if self._certificate is not None:
            files = {**files, CERT_FILE: self._certificate.chain, KEY_FILE: self._certificate.key}
        return NodePlan(
            node=self._node,
            runtime=service.runtime,
            argv=argv,
            env=self._env(),
            files=files,
            listen=listen,
            may_dial=dialled_by(self._setup, self._addressing, self._node),
        )

    def _env(self) -> Mapping[str, str]:
        env = base_env(self._addressing.data_dir(self._node))
        if self._service.runtime == "python":
            env["PYTHONPATH"] = self._addressing.source_dir()
        declared = {key: self._fill(text, f"env.{key}") for key, text in self._service.env.items()}
        return {**env, **declared}

    def _template_names(self) -> Mapping[str, object]:
        """The names of docs/targets.md. SimpleNamespace, so that `edges.items` is a service, not a method."""
        setup, node = self._setup, self._node
        listen = self._addressing.listen(node)
        edges: dict[str, list[str]] = {}
        for edge in setup.topology.edges:
            if edge.client == node.name:
                served_by = setup.topology.node(edge.server).service
                edges.setdefault(served_by, []).append(str(self._addressing.dial(edge)))
        return {
            "node": SimpleNamespace(name=node.name, service=node.service, index=node.index),
            "listen": SimpleNamespace(host=listen.host, port=listen.port),
            "edges": SimpleNamespace(**edges),
            "dir": SimpleNamespace(
                data=self._addressing.data_dir(node),
                source=self._addressing.source_dir(),
            ),
            "secrets": SimpleNamespace(**asdict(setup.secrets)),
            "timing": SimpleNamespace(**asdict(setup.timing)),
            "settings": SimpleNamespace(**dict(setup.topology.settings)),
            "tls": SimpleNamespace(on=setup.topology.tls, **self._tls_files()),
            "run": SimpleNamespace(id=setup.run_id, seed=setup.seed),
        }

    def _tls_files(self) -> Mapping[str, str]:
        """Paths as the node sees them; none for a node without a certificate."""
        if self._certificate is None:
            return {}
        folder = self._addressing.data_dir(self._node)
        return {"cert_file": f"{folder}/{CERT_FILE}", "key_file": f"{folder}/{KEY_FILE}"}

    def _config(self, template: str) -> str:
        """A config template: the topology's own, else the target's."""
        source = self._setup.source
        for path in (
            source / "topologies" / self._setup.topology.name / template,
            source / template,
        ):
            if path.is_file() and path.resolve().is_relative_to(source.resolve()):
                return self._fill(path.read_text(encoding="utf-8"), template)
        raise UsageError(
            f"{self._node.name}: config template {template!r} is neither in "
            f"topologies/{self._setup.topology.name}/ nor in the target's folder; add it there"
        )

    def _fill(self, text: str, where: str) -> str:
        try:
            return self._jinja.from_string(text).render(self._names)
        except TemplateError as error:
            raise UsageError(
                f"{self._node.name}: {where}: {error} (templates see: {', '.join(self._names)})"
            ) from error


def nginx_argv(data_dir: str, config: str) -> tuple[str, ...]:
    """In the foreground, everything in the node's folder, errors to stderr until the config says otherwise.

    A directive given twice is an error to nginx: what the config says itself is left out.
    """
    ours = {"daemon": "off", "pid": f"{data_dir}/nginx.pid"}
    missing = {key: value for key, value in ours.items() if not re.search(rf"^\s*{key}\s", config, re.M)}
    directives = " ".join(f"{key} {value};" for key, value in missing.items())
    globals_ = ("-g", directives) if directives else ()
    return ("-p", data_dir, "-e", "stderr", "-c", f"{data_dir}/nginx.conf", *globals_)


def write_files(plan: NodePlan, folder: Path) -> None:
    """Write the node's config files into its folder on this machine."""
    for name, text in plan.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
