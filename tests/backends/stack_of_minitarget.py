"""The mini target as a StackSetup: lb -> front -> store x2 -> db, and two PSPs; built without any YAML."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from paydrill.backends import Secrets, StackSetup
from paydrill.target import Client, Health, Service, Target, Timing
from paydrill.topology import Edge, Node, Topology

FOLDER = Path(__file__).with_name("minitarget")
PYTHON_ENV = {"NAME": "{{ node.name }}", "HOST": "{{ listen.host }}", "PORT": "{{ listen.port }}"}
SERVICES = {
    "lb": Service("lb", "nginx", 8080, Health(http="/lb-health"), config={"nginx.conf.j2": "nginx.conf"}),
    "front": Service(
        "front",
        "python",
        8000,
        Health(http="/health"),
        command=("-m", "app"),
        env={**PYTHON_ENV, "PEERS": "{{ edges.store | join(' ') }}"},
    ),
    "store": Service(
        "store",
        "python",
        8001,
        Health(http="/health"),
        command=("-m", "app"),
        env={**PYTHON_ENV, "DATABASE": "postgresql://app@{{ edges.db[0] }}/app"},
    ),
    "db": Service("db", "postgres", 5432, Health(postgres=True), schema="sql"),
    "psp": Service(
        "psp",
        "psp",
        12111,
        Health(),
        command=("--webhook-url", "http{{ 's' if tls.on else '' }}://{{ edges.lb[0] }}/hook"),
    ),
    "psp2": Service("psp2", "psp", 12112, Health(), command=("--profile", "strict_single_use")),
}
NODES = tuple(
    Node(name, name.rpartition("-")[0] or name, int(name.rpartition("-")[2]) if "-" in name else 0)
    for name in ("client", "lb-1", "front-1", "store-1", "store-2", "db-1", "psp", "psp2")
)
EDGES = tuple(
    Edge(*name.split("->"))
    for name in (
        "client->lb-1",
        "lb-1->front-1",
        "front-1->store-1",
        "front-1->store-2",
        "store-1->db-1",
        "store-2->db-1",
        "store-1->psp",
        "store-1->psp2",
        "client->psp",
        "psp->lb-1",
    )
)
TOPOLOGY = Topology("mini", "One of each", NODES, EDGES)


def minitarget(folder: Path, topology: Topology = TOPOLOGY) -> StackSetup:
    """A setup of the mini target with a fresh run folder below `folder`."""
    run_dir = folder / f"run-{uuid.uuid4().hex[:8]}"
    (run_dir / "logs").mkdir(parents=True)
    source = folder / "source"
    if not source.exists():
        shutil.copytree(FOLDER, source, ignore=shutil.ignore_patterns("__pycache__"))
    target = Target(
        "mini", "", source, "mini", SERVICES, Client({}, ()), Timing(), requirements="requirements.txt"
    )
    secrets = Secrets("sk_test_mini", "whsec_mini", "callers-mini")
    return StackSetup(
        run_id=run_dir.name,
        run_dir=run_dir,
        target=target,
        source=source,
        topology=topology,
        timing=Timing(),
        seed=7,
        psp_behaviour={},
        secrets=secrets,
    )
