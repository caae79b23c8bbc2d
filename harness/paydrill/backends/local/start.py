"""Starting the instruments and nodes of a local drill."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import paydrill
from paydrill.backends import NodePlan, failing_io
from paydrill.backends.local.cluster import Cluster
from paydrill.backends.local.layout import TOXIPROXY_UID
from paydrill.backends.local.node_process import NodeProcess
from paydrill.backends.local.psp_process import PspProcess
from paydrill.backends.local.site import Site, user_of
from paydrill.backends.local.spawn import ForkServer, Order, execute, identity, log_tail
from paydrill.backends.probe import Probe, short_pause, wait_until_healthy
from paydrill.backends.psp_command import HEALTH
from paydrill.errors import UsageError
from paydrill.psp.control import PspControl
from paydrill.target import Health
from paydrill.topology import PSP, Node
from paydrill.toxiproxy import server as toxiproxy_server
from paydrill.toxiproxy.client import Toxiproxy

HEALTHY_WITHIN_S = 30.0


def start_psps(site: Site) -> list[PspProcess]:
    """Raises UsageError for a topology without a PSP: nothing could be judged."""
    nodes = site.setup.topology.psps
    if PSP not in {node.name for node in nodes}:
        raise UsageError(f"topology {site.setup.topology.name} has no edge to psp: nothing could be judged")
    psps = [PspProcess(site, node) for node in nodes]
    for psp in psps:
        site.instruments[psp.node.name] = psp.start()
    return psps


def psp_control(site: Site, psp: PspProcess) -> PspControl:
    """A connection to a PSP's control, once it answers."""
    probe = Probe(psp.node, site.layout.listen(psp.node), HEALTH)
    _wait_for_instrument(site, psp.node.name, probe, site.pause)
    return psp.control()


def start_databases(site: Site) -> None:
    for name, plan in site.plans.items():
        if plan.runtime != "postgres":
            continue
        cluster = Cluster(
            plan=plan,
            database=site.setup.target.services[plan.node.service].database,
            programs=site.parts.postgres,
            bin=site.parts.postgres_bin,
            folder=site.work / name,
            templates=site.templates,
            uid=user_of(site, plan),
            log=site.layout.log(name),
            may_mount=site.able.namespaces != "none",
            disks={mount.name: mount for mount in site.devices if mount.parent.name == name},
        )
        site.notes[f"clone of {name}"] = cluster.prepare()
        _start_by_exec(site, plan, str(site.parts.postgres_bin / "postgres"), cluster.order())


def start_toxiproxy(site: Site, *, enabled: bool = True) -> None:
    """With its edges, which listen where `enabled`."""
    topology, layout = site.setup.topology, site.layout
    edges = {e.name: (layout.dial(e), layout.listen(topology.node(e.server))) for e in topology.edges}
    config = site.work / "toxiproxy.json"
    config.write_bytes(toxiproxy_server.config(edges, enabled=enabled))
    config.chmod(0o644)
    api = layout.toxiproxy()
    argv = toxiproxy_server.argv(str(site.parts.toxiproxy.path), api.host, api.port, str(config))
    uid = TOXIPROXY_UID if layout.own_users else None
    # Its default is to log every connection, several lines each.
    env = {"PATH": os.defpath, "LOG_LEVEL": "error"}
    order = Order(tuple(argv[1:]), env, "/", str(layout.log("toxiproxy")), uid)
    site.instruments["toxiproxy"] = execute(argv[0], order)


def _start_toxiproxy_anew(site: Site) -> None:
    process = site.instruments["toxiproxy"]
    process.kill()
    process.wait()
    start_toxiproxy(site, enabled=False)
    # Not the site's own pause: it gives up when a stop is asked for, and that is when all is healed.
    _wait_for_instrument(site, "toxiproxy", _toxiproxy_probe(site), short_pause)


def start_services(site: Site, server: ForkServer) -> None:
    hidden = _judge_folders()
    for name, plan in site.plans.items():
        uid, log = site.layout.uid(plan.node), str(site.layout.log(name))
        if plan.runtime == "nginx":
            order = Order(plan.argv, plan.env, site.layout.data_dir(plan.node), log, uid)
            _start_by_exec(site, plan, str(site.parts.nginx.path), order)
        elif plan.runtime == "python":
            order = Order(plan.argv, plan.env, site.layout.source_dir(), log, uid, hidden)
            _start_by_fork(site, plan, order, server)


def _start_by_exec(site: Site, plan: NodePlan, program: str, order: Order) -> None:
    running: list[subprocess.Popen[bytes]] = []

    def start(now: Order) -> int:
        running.append(execute(program, _due(site, plan, now)))
        return running[-1].pid

    _adopt(site, plan, order, start, lambda: _reap(running))


def _start_by_fork(site: Site, plan: NodePlan, order: Order, server: ForkServer) -> None:
    if order.argv[0].startswith("-") and order.argv[0] != "-m":
        # Options of the interpreter need a real one.
        _start_by_exec(site, plan, sys.executable, order)
        return
    running: list[subprocess.Popen[bytes]] = []

    def start(now: Order) -> int:
        """By exec where it is not as planned: only then the kernel itself tells its environment."""
        due = _due(site, plan, now)
        if due == order and plan.node.name not in site.setup.memory_of:
            return server.start(order)
        # The fork server has its clock, zone and libraries already, and its memory counts for nobody.
        running.append(execute(sys.executable, due))
        return running[-1].pid

    _adopt(site, plan, order, start, lambda: _reap(running))


def _due(site: Site, plan: NodePlan, order: Order) -> Order:
    """The order with all that the plan wants a start of this node to have."""
    order = site.clocks.seen_by(plan, order)
    if plan.node.name in site.setup.io_of:
        pipes = f"{site.layout.data_dir(plan.node)}/{failing_io.PIPES}"
        order = replace(order, env=failing_io.together(order.env, failing_io.environment(pipes)))
    return order


def _reap(running: list[subprocess.Popen[bytes]]) -> None:
    for process in running:
        process.poll()


def _adopt(
    site: Site, plan: NodePlan, order: Order, start: Callable[[Order], int], reap: Callable[[], None]
) -> None:
    process = NodeProcess(plan.node, site.layout.uid(plan.node), order, start, reap)
    process.start()
    site.nodes[plan.node.name] = process
    site.limits.started(plan.node.name)


def _judge_folders() -> tuple[str, ...]:
    """Where the harness is imported from, unless other people's libraries live there too."""
    root = Path(paydrill.__file__).parents[1]
    return () if root.name in ("site-packages", "dist-packages") else (str(root),)


def wait_for_databases(site: Site) -> None:
    plans = [plan for plan in site.plans.values() if plan.runtime == "postgres"]
    probes = [Probe(p.node, p.listen, Health(postgres=True), _database(site, p)) for p in plans]
    wait_until_healthy(
        probes,
        HEALTHY_WITHIN_S,
        site.trouble,
        site.tail,
        site.pause,
    )


def _database(site: Site, plan: NodePlan) -> str:
    return site.setup.target.services[plan.node.service].database


def toxiproxy_client(site: Site) -> Toxiproxy:
    """A client to the server, once it answers."""
    _wait_for_instrument(site, "toxiproxy", _toxiproxy_probe(site), site.pause)
    return Toxiproxy(site.layout.toxiproxy(), lambda: _start_toxiproxy_anew(site))


def _toxiproxy_probe(site: Site) -> Probe:
    return Probe(Node("toxiproxy", "toxiproxy", 0), site.layout.toxiproxy(), Health(http="/version"))


def _wait_for_instrument(site: Site, name: str, probe: Probe, pause: Callable[[], None]) -> None:
    process = site.instruments[name]
    wait_until_healthy(
        [probe],
        HEALTHY_WITHIN_S,
        lambda _: None if identity(process.pid) else "its process has ended",
        lambda _: log_tail(str(site.layout.log(name))),
        pause,
    )
