"""The place of a local drill: its view of the files, its folders, its addresses and users."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import paydrill
from paydrill.backends import NodePlan, StackSetup, loops, namespaces
from paydrill.backends.local import firewall, mounts
from paydrill.backends.local.capabilities import Capabilities
from paydrill.backends.local.clocks import LocalClocks
from paydrill.backends.local.cluster import reachable_by
from paydrill.backends.local.layout import (
    FIRST_UID,
    INSIDE,
    MOST_NODES,
    TOXIPROXY_UID,
    Layout,
    inside_namespaces,
    on_the_host,
)
from paydrill.backends.local.limits import LocalLimits
from paydrill.backends.local.node_process import NodeProcess
from paydrill.backends.local.parts import LocalParts
from paydrill.backends.local.spawn import log_tail
from paydrill.backends.nodes import plan_nodes, write_files
from paydrill.backends.probe import PAUSE_S
from paydrill.backends.tls import Tls, issue
from paydrill.errors import EnvironmentNotReady, Interrupted
from paydrill.parts import cache_folder
from paydrill.run_folder import RunFolder
from paydrill.topology import CLIENT, Node

NOBODY = 65534  # who PostgreSQL is when the harness is root and has no namespaces


@dataclass
class Site:
    """What is known and has been started so far."""

    setup: StackSetup
    able: Capabilities
    parts: LocalParts
    layout: Layout
    work: Path
    templates: Path
    stop: Callable[[], bool]
    tls: Tls | None = None
    plans: Mapping[str, NodePlan] = field(default_factory=dict)
    nodes: dict[str, NodeProcess] = field(default_factory=dict)
    instruments: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    devices: Mapping[Path, str] = field(default_factory=dict)

    limits: LocalLimits = field(init=False)
    clocks: LocalClocks = field(init=False)

    def __post_init__(self) -> None:
        self.limits = LocalLimits(self.setup.run_id, self.nodes, self.setup.memory_of)
        self.clocks = LocalClocks(self.setup.clocks_of, self.work / "clocks", self.nodes)

    def trouble(self, node: Node) -> str | None:
        """Why the node can never become healthy."""
        return None if self.nodes[node.name].who() else "its process has ended"

    def tail(self, node: Node) -> str:
        return log_tail(str(self.layout.log(node.name)))

    def pause(self) -> None:
        """Between two looks. Raises Interrupted when a stop was asked for."""
        if self.stop():
            raise Interrupted(signal.SIGINT)
        time.sleep(PAUSE_S)


def prepare_site(
    setup: StackSetup, able: Capabilities, parts: LocalParts, work: Path, stop: Callable[[], bool]
) -> Site:
    if len(setup.topology.nodes) > MOST_NODES:
        raise EnvironmentNotReady(f"the local backend runs at most {MOST_NODES} nodes")
    templates = cache_folder() / "templates"
    if able.namespaces == "none":
        site = Site(setup, able, parts, on_the_host(setup, work), work, templates, stop)
        if os.geteuid() == 0 and not reachable_by(NOBODY, parts.postgres_bin):
            site.parts = parts.with_postgres_in(_copied(parts.postgres_bin, work))
        return site
    layout = inside_namespaces(setup, own_users=able.uids)
    _enter_view(setup, parts, layout, work, templates)
    namespaces.network_up()
    return Site(setup, able, parts, layout, layout.work, INSIDE / "templates", stop)


def _copied(programs: Path, work: Path) -> Path:
    """PostgreSQL's programs where any user can read them.

    A wheel's programs look for their libraries in `<package>.libs` beside their package, so both are
    copied with the same way between them.
    """
    prefix = programs.parent
    package = work / "postgresql" / prefix.parent.name
    shutil.copytree(prefix, package / prefix.name, symlinks=True)
    libraries = prefix.parent.with_name(prefix.parent.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, package.with_name(libraries.name), symlinks=True)
    return package / prefix.name / programs.name


def _enter_view(setup: StackSetup, parts: LocalParts, layout: Layout, work: Path, templates: Path) -> None:
    templates.mkdir(parents=True, exist_ok=True)
    psps = [setup.run_dir / node.name for node in setup.topology.psps]
    for folder in psps:
        folder.mkdir(exist_ok=True)
    keeps = [*mounts.needed_by_python(), mounts.Keep(setup.run_dir, writable=True)]
    keeps += [mounts.Keep(folder) for folder in _part_folders(parts)]
    keeps += [mounts.Keep(setup.source), mounts.Keep(Path(paydrill.__file__).parents[1])]
    places = [
        mounts.Place(work, layout.work),
        mounts.Place(setup.source, layout.source, writable=False),
        *(mounts.Place(setup.sources[name], at, writable=False) for name, at in layout.sources.items()),
        *(mounts.Place(folder, layout.psps / folder.name) for folder in psps),
        mounts.Place(templates, INSIDE / "templates"),
    ]
    mounts.enter(keeps, places, setup.run_dir, _accounts(setup, layout))


def _part_folders(parts: LocalParts) -> list[Path]:
    """PostgreSQL's whole installation (its libraries and shared files), and the single programs."""
    return [parts.postgres.path.resolve().parent, parts.toxiproxy.path.resolve(), parts.nginx.path.resolve()]


def _accounts(setup: StackSetup, layout: Layout) -> str:
    """initdb and libpq want every user to have a name."""
    lines = ["root:x:0:0:root:/root:/bin/sh", f"toxiproxy:x:{TOXIPROXY_UID}:{TOXIPROXY_UID}::/:/bin/false"]
    if os.geteuid() != 0:
        lines.append(f"paydrill:x:{os.geteuid()}:{os.getegid()}::/:/bin/sh")
    for node in setup.topology.nodes:
        uid = FIRST_UID + layout.index(node)
        lines.append(f"{node.name}:x:{uid}:{uid}::{layout.data_dir(node)}:/bin/sh")
    lines.append(f"nobody:x:{NOBODY}:{NOBODY}::/:/bin/false")
    return "\n".join(lines) + "\n"


def make_folders(site: Site) -> None:
    """Render the nodes; one folder each, closed to all others, with its config files."""
    site.tls = issue(site.setup, site.layout)
    if site.tls is not None:
        RunFolder(site.setup.run_dir).ca.write_text(site.tls.ca, encoding="ascii")
    site.plans = {plan.node.name: plan for plan in plan_nodes(site.setup, site.layout, site.tls)}
    site.layout.log("conductor").parent.mkdir(exist_ok=True)
    for name, plan in site.plans.items():
        folder = site.work / name
        folder.mkdir(mode=0o700)
        write_files(plan, folder)
        uid = user_of(site, plan)
        if uid is not None:
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, uid, uid)


def mount_disks(site: Site) -> None:
    """Each device on its mount point, empty and the node's own."""
    for mount, device in site.devices.items():
        loops.mount(device, mount)
        uid = user_of(site, site.plans[mount.parent.name])
        if uid is not None:
            os.chown(mount, uid, uid)


def user_of(site: Site, plan: NodePlan) -> int | None:
    """The node's user; PostgreSQL must not be root."""
    if plan.runtime == "postgres" and site.able.namespaces == "none" and os.geteuid() == 0:
        return NOBODY
    return site.layout.uid(plan.node)


def rules_of(layout: Layout) -> str:
    nodes = [node for node in layout.setup.topology.nodes if node.name != CLIENT]
    allowed = {FIRST_UID + layout.index(node): layout.networks_of(node) for node in nodes}
    allowed[TOXIPROXY_UID] = layout.networks_of_toxiproxy()
    return firewall.rules(allowed, (FIRST_UID, FIRST_UID + MOST_NODES))
