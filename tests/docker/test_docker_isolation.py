"""What a node of the target can reach from inside its container."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from paydrill.backends import Address
from paydrill.backends.docker import engine, labels
from paydrill.backends.docker.stack import DockerStack

pytestmark = pytest.mark.docker

# Tries to connect to each host:port given; says what came, and how long it took in ms.
KNOCK = """
import json, socket, sys, time
said = {}
for place in sys.argv[1:]:
    host, _, port = place.rpartition(":")
    began = time.monotonic()
    try:
        socket.create_connection((host, int(port)), 3).close()
        what = "open"
    except OSError as problem:
        what = type(problem).__name__
    said[place] = [what, (time.monotonic() - began) * 1000]
print(json.dumps(said))
"""


def knock(stack: DockerStack, node: str, *places: str) -> dict[str, tuple[str, float]]:
    done = stack.run_in(stack.topology.node(node), ["python3", "-c", KNOCK, *places], 20)
    assert done.code == 0, done.stderr
    return {place: (what, took_ms) for place, (what, took_ms) in json.loads(done.stdout).items()}


def main_pid(stack: DockerStack, node: str) -> int:
    """The node's own process, by its number inside the container."""
    identity = stack.process(stack.topology.node(node))
    assert identity is not None
    (inside,) = re.findall(r"^NSpid:\s+\d+\s+(\d+)$", Path(f"/proc/{identity.pid}/status").read_text(), re.M)
    return int(inside)


def edge(stack: DockerStack, name: str) -> str:
    return str(stack.dial(stack.topology.edges_at(name)[0]))


def real_address(stack: DockerStack, node: str) -> str:
    """Where the node itself listens, past its proxies."""
    inspected = engine.client().api.inspect_container(labels.container_name(stack.setup.run_id, node))
    (network,) = inspected["NetworkSettings"]["Networks"].values()
    service = stack.setup.target.services.get(node.partition("-")[0])
    return f"{network['IPAddress']}:{service.port if service else 12111}"


def forbidden(stack: DockerStack) -> dict[str, str]:
    gateway = edge(stack, "client->lb-1").split(":")[0].rpartition(".")[0] + ".1"
    api = edge(stack, "client->lb-1").split(":")[0] + ":8474"
    return {
        "Toxiproxy's API": api,
        "another node's edge": edge(stack, "lb-1->web-2"),
        "the database past its proxy": real_address(stack, "db-1"),
        "the PSP past its proxy": real_address(stack, "psp"),
        "another node": real_address(stack, "web-2"),
        "the host": f"{gateway}:22",
        "the internet": "192.0.2.1:443",
        "a name": "debian.org:80",
    }


def test_a_node_reaches_its_own_edges(stack: DockerStack) -> None:
    mine = [edge(stack, "web-1->db-1"), edge(stack, "web-1->psp")]
    assert [what for what, _ in knock(stack, "web-1", *mine).values()] == ["open", "open"]


@pytest.mark.parametrize("incarnation", ["first start", "after a kill"])
def test_a_node_reaches_nothing_else_and_hears_so_at_once(stack: DockerStack, incarnation: str) -> None:
    node = stack.topology.node("web-1")
    if incarnation == "after a kill":
        stack.kill(node)
        stack.start(node)
        stack.wait_healthy([node], 20)
    places = forbidden(stack)
    said = knock(stack, "web-1", *places.values())
    opened = [what for what, place in places.items() if said[place][0] == "open"]
    assert opened == []
    slow = {what: said[place] for what, place in places.items() if said[place][1] > 2000}
    assert slow == {}, "a refusal must be quick: silence would look like another fault"


def test_the_listeners_of_the_forbidden_places_are_really_there(stack: DockerStack) -> None:
    """Else the test above would hold for a stack that does not run."""
    for place in (real_address(stack, "db-1"), real_address(stack, "psp"), real_address(stack, "web-2")):
        host, _, port = place.rpartition(":")
        assert (stack.topology, place) and _opens(Address(host, int(port)))
    assert stack.toxiproxy.version()


def _opens(address: Address) -> bool:
    import socket

    with socket.create_connection((address.host, address.port), 2):
        return True


def test_a_node_cannot_lower_its_fence(stack: DockerStack) -> None:
    node = stack.topology.node("web-1")
    assert stack.run_in(node, ["/usr/sbin/nft", "flush", "ruleset"], 5).code != 0
    status = stack.run_in(node, ["cat", f"/proc/{main_pid(stack, 'web-1')}/status"], 5).stdout.decode()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {fields[name].strip() for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    assert fields["NoNewPrivs"].strip() == "1"
    assert "0" not in fields["Uid"].split()


def test_a_node_sees_no_journal_no_control_and_no_harness(stack: DockerStack) -> None:
    node = stack.topology.node("web-1")
    done = stack.run_in(
        node,
        ["sh", "-c", "find / -xdev -name 'journal.jsonl' -o -xdev -name 'control.sock' 2>/dev/null; ls /opt"],
        20,
    )
    assert done.stdout.strip() == b""


def test_the_first_process_of_a_container_is_out_of_the_nodes_reach(stack: DockerStack) -> None:
    node = stack.topology.node("web-1")
    before = stack.process(node)
    assert stack.run_in(node, ["sh", "-c", "kill -USR1 1 || kill -KILL 1"], 5).code != 0
    assert stack.run_in(node, ["cat", "/proc/1/environ"], 5).code != 0
    assert stack.process(node) == before


def test_a_nodes_source_is_read_only(stack: DockerStack) -> None:
    done = stack.run_in(stack.topology.node("web-1"), ["touch", "/srv/target/web.py"], 5)
    assert done.code != 0


def test_a_node_has_its_own_environment_only(stack: DockerStack) -> None:
    place = f"/proc/{main_pid(stack, 'web-1')}/environ"
    done = stack.run_in(stack.topology.node("web-1"), ["cat", place], 5)
    names = {part.split("=")[0] for part in done.stdout.decode().split("\0") if part}
    standard = {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "PYTHONUNBUFFERED", "PYTHONPATH"}
    assert names == standard | {"NAME", "SECRET"}


def test_no_port_is_published(stack: DockerStack) -> None:
    mark = {"label": f"{labels.RUN}={stack.setup.run_id}"}
    for one in engine.client().api.containers(filters=mark):
        assert not [port for port in one["Ports"] if "PublicPort" in port], one["Names"]


def test_everything_of_the_run_carries_its_label(stack: DockerStack) -> None:
    run_id = stack.setup.run_id
    wanted = {f"paydrill-{run_id}-{n}" for n in ("toxiproxy", "psp", "lb-1", "web-1", "web-2", "db-1")}
    everything = engine.client().api.containers(all=True)
    named = {one["Names"][0].lstrip("/"): one["Labels"] for one in everything if run_id in one["Names"][0]}
    assert set(named) == wanted
    for marks in named.values():
        assert marks[labels.RUN] == run_id and marks[labels.OWNER] and marks[labels.NODE]
    (network,) = engine.client().api.networks(names=[labels.network_name(run_id)])
    assert network["Labels"][labels.RUN] == run_id and network["Internal"]


def test_the_client_goes_through_the_whole_stack(stack: DockerStack) -> None:
    import urllib.request

    with urllib.request.urlopen(f"http://{edge(stack, 'client->lb-1')}/", timeout=5) as answer:
        assert answer.read() in (b"web-1", b"web-2")
    counted = stack.toxiproxy.counters()
    assert counted[("client->lb-1", "downstream")].received > 0
