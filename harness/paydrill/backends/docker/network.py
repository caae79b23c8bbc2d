"""The network of one run: a /24 of its own, without a way out."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network

import docker
from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool

from paydrill.backends.docker import labels, subnet
from paydrill.errors import EnvironmentNotReady

TRIES = 20


def create(client: docker.DockerClient, run_id: str, marks: Mapping[str, str]) -> IPv4Network:
    """Make the run's network on a free /24. Raises EnvironmentNotReady when none can be had.

    `internal`: the engine routes nothing into or out of it; this machine itself can reach it, as its gateway.
    """
    refusals: list[str] = []
    for block in subnet.candidates(run_id, [*subnet.routed(), *taken_in(client)]):
        try:
            client.networks.create(
                labels.network_name(run_id),
                driver="bridge",
                internal=True,
                check_duplicate=True,
                labels=dict(marks),
                ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=str(block), gateway=str(block[1]))]),
            )
        except APIError as problem:
            # Another drill was quicker: the engine itself is the judge of what is free.
            if "overlap" not in str(problem).lower():
                raise EnvironmentNotReady(f"the engine makes no network: {problem.explanation}") from problem
            refusals.append(str(block))
        else:
            return block
        if len(refusals) >= TRIES:
            break
    raise EnvironmentNotReady(
        f"no free /24 for the run's network (tried {', '.join(refusals) or 'none'}); "
        "set PAYDRILL_SUBNET to a free one, or remove old networks: paydrill clean"
    )


def taken_in(client: docker.DockerClient) -> list[IPv4Network]:
    """Subnets of all networks of the engine, also of those without a container."""
    found = []
    for network in client.networks.list():
        for pool in (network.attrs.get("IPAM") or {}).get("Config") or []:
            if "." in (pool.get("Subnet") or ""):
                found.append(IPv4Network(pool["Subnet"], strict=False))
    return found
