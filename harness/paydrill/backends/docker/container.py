"""One container: everything it is made from, and making it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from docker.types import EndpointConfig, LogConfig, Mount

from paydrill.backends.docker.run_files import User

ENTRANCE = "/run/paydrill"


@dataclass(frozen=True)
class Blueprint:
    """entrance: host folder with the fence; log, state: host files; read_only, writable: place inside -> host path.

    network None means none at all. argv is what the node runs once it is fenced in.
    """

    name: str
    host: str
    image: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    labels: Mapping[str, str]
    user: User
    entrance: Path
    log: Path
    state: Path
    network: str | None = None
    address: str | None = None
    read_only: Mapping[str, Path] = field(default_factory=dict)
    writable: Mapping[str, Path] = field(default_factory=dict)
    working_dir: str = "/"

    def mounts(self) -> list[Mount]:
        found = [Mount(ENTRANCE, str(self.entrance), "bind", read_only=True)]
        found.append(Mount(f"{ENTRANCE}/log", str(self.log), "bind"))
        found.append(Mount(f"{ENTRANCE}/state", str(self.state), "bind"))
        found += [Mount(inside, str(path), "bind", read_only=True) for inside, path in self.read_only.items()]
        found += [Mount(inside, str(path), "bind") for inside, path in self.writable.items()]
        return found


def create(client: docker.DockerClient, plan: Blueprint) -> Container:
    """Make the container; it does not run yet.

    NET_ADMIN is for raising the fence only: the node's program runs without any capability (enter.sh).
    """
    connection: dict[str, Any] = {"network_mode": "none"}
    if plan.network is not None:
        endpoint = EndpointConfig(client.api.api_version, ipv4_address=plan.address)
        connection = {"network": plan.network, "networking_config": {plan.network: endpoint}}
    return client.containers.create(
        plan.image,
        ["/bin/sh", f"{ENTRANCE}/enter.sh", str(plan.user.uid), str(plan.user.gid), *plan.argv],
        name=plan.name,
        hostname=plan.host,
        labels=dict(plan.labels),
        environment=dict(plan.env),
        user="0:0",
        working_dir=plan.working_dir,
        mounts=plan.mounts(),
        cap_add=["NET_ADMIN"],
        security_opt=["no-new-privileges"],
        # The program's output goes to its log file directly, so that a crash of ours loses none of it.
        log_config=LogConfig(type=LogConfig.types.NONE),
        shm_size="256m",
        sysctls={"net.ipv4.ip_unprivileged_port_start": "0"} if plan.network else {},
        **connection,
    )
