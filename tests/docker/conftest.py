"""A tiny target and stacks of it; every test with an engine removes what it made."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paydrill.backends import Secrets, StackSetup
from paydrill.backends.docker import DockerBackend, engine, images, labels, up
from paydrill.backends.docker.stack import DockerStack
from paydrill.target import Client, Health, Service, Target, Timing
from paydrill.topology import Edge, Node, Topology

FOLDER = Path(__file__).with_name("tinytarget")
NODES = tuple(
    Node(name, name.rpartition("-")[0] or name, int(name[-1]) if "-" in name else 0)
    for name in ("client", "lb-1", "web-1", "web-2", "db-1", "psp")
)
EDGES = tuple(
    Edge(*name.split("->"))
    for name in ("client->lb-1", "lb-1->web-1", "lb-1->web-2", "web-1->db-1", "web-1->psp", "psp->lb-1")
)
SERVICES = {
    "lb": Service("lb", "nginx", 80, Health(http="/lb"), config={"nginx.conf.j2": "nginx.conf"}),
    "web": Service(
        "web",
        "python",
        8000,
        Health(http="/"),
        command=("web.py", "{{ listen.host }}", "{{ listen.port }}"),
        env={"NAME": "{{ node.name }}", "SECRET": "{{ secrets.psp_api_key }}"},
    ),
    "db": Service("db", "postgres", 5432, Health(postgres=True), schema="sql"),
}

MakeSetup = Callable[[], StackSetup]


@pytest.fixture(scope="session")
def with_engine() -> None:
    """Skips where there is no engine; where Docker is required that is a failure."""
    if missing := DockerBackend().missing():
        if os.environ.get("PAYDRILL_REQUIRE_DOCKER") == "1":
            pytest.fail(f"PAYDRILL_REQUIRE_DOCKER=1, but: {'; '.join(missing)}")
        pytest.skip(missing[0])


@pytest.fixture(scope="session")
def tiny_target() -> Target:
    return Target("tiny", "", FOLDER, "tiny", SERVICES, Client({}, ()), Timing())


@pytest.fixture(scope="session")
def tiny_images(with_engine: None, tiny_target: Target) -> images.Images:
    return images.obtain(tiny_target, print)


@pytest.fixture(scope="module")
def make_setup(tiny_target: Target, tmp_path_factory: pytest.TempPathFactory) -> MakeSetup:
    """A setup with a fresh run folder and run id at each call."""

    def make() -> StackSetup:
        run_id = f"t{uuid.uuid4().hex[:8]}"
        return StackSetup(
            run_id=run_id,
            run_dir=tmp_path_factory.mktemp(run_id),
            target=tiny_target,
            source=FOLDER,
            topology=Topology("tiny", "", NODES, EDGES),
            timing=Timing(),
            seed=1,
            psp_behaviour={},
            secrets=Secrets("sk_test_tiny", "whsec_tiny", "callers-tiny"),
        )

    return make


@pytest.fixture(scope="module")
def stack(tiny_images: images.Images, make_setup: MakeSetup) -> Iterator[DockerStack]:
    """A healthy stack that a module's tests share."""
    with up.running(make_setup(), tiny_images) as running:
        yield running


@pytest.fixture(scope="session")
def things_of(with_engine: None) -> Callable[[str], list[str]]:
    """Names of the containers and networks that a run has in the engine."""

    def names(run_id: str) -> list[str]:
        mark = {"label": f"{labels.RUN}={run_id}"}
        api = engine.client().api
        containers = [one["Names"][0].lstrip("/") for one in api.containers(all=True, filters=mark)]
        return containers + [one["Name"] for one in api.networks(filters=mark)]

    return names
