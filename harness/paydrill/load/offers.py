"""Which traffic classes a target can be asked for at all (pure): the others are left out of the mix, and told."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import orjson

from paydrill.errors import UsageError
from paydrill.load import classes
from paydrill.load.traffic import Traffic
from paydrill.target import Client, Target
from paydrill.topology import CLIENT, PSP, Topology

TAG = "tag:"


def left_out(mix: Mapping[str, float], target: Target, topology: Topology) -> Mapping[str, str]:
    """Class -> what the target does not offer of what it needs. Raises UsageError when no class is left."""
    wanted = [name for name, weight in mix.items() if weight > 0]
    known = classes.known()
    missing = {name: ", ".join(lacks(known[name], target, topology)) for name in wanted if name in known}
    lacking = {name: what for name, what in missing.items() if what}
    if wanted and len(lacking) == len(wanted):
        told = "; ".join(f"{name} needs {what}" for name, what in lacking.items())
        raise UsageError(f"load.mix: {target.name} offers none of these traffic classes: {told}")
    return lacking


def lacks(traffic: Traffic, target: Target, topology: Topology) -> list[str]:
    """What of a class's needs is not there, in words; empty when it can come."""
    client = target.client
    found = [word for need in traffic.needs if (word := _lack(need, client, _tags(target)))]
    asked = [client.requests[need] for need in traffic.needs if need in client.requests]
    if any(request.at == "psp" for request in asked) and psp_edge(topology) is None:
        found.append(f"an edge {CLIENT}->{PSP} in the topology {topology.name}")
    return found


def psp_edge(topology: Topology) -> str | None:
    """The name of the edge over which customers' browsers reach the PSP."""
    found = (edge.name for edge in topology.edges if edge.client == CLIENT and edge.server == PSP)
    return next(found, None)


def _tags(target: Target) -> frozenset[str]:
    tags = (row.get("tags", ()) for row in target.catalogue)
    return frozenset(str(tag) for some in tags if isinstance(some, list | tuple) for tag in some)


def _lack(need: str, client: Client, tags: Collection[str]) -> str:
    if need.startswith(TAG):
        tag = need.removeprefix(TAG)
        return "" if tag in tags else f"a product with the tag {tag}"
    if "." in need:
        words = need.split("|")
        sent = any(_is_sent(word, client) for word in words)
        return "" if sent else f"a request that sends {' or '.join(words)}"
    return "" if need in client.requests else f"the request {need}"


def _is_sent(template: str, client: Client) -> bool:
    texts = (orjson.dumps((one.path, dict(one.headers), one.body)) for one in client.requests.values())
    return any(template.encode() in text for text in texts)
