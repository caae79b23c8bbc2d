"""The `attached:` block: what may stand in it, and which addresses a drill may reach."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from paydrill.backends import Address, Secrets
from paydrill.backends.attached.backend import AttachedBackend, secrets_of
from paydrill.backends.attached.reach import Reach, reach_of
from paydrill.backends.choose import choose_for
from paydrill.errors import FileProblems, UsageError
from paydrill.target import Attached, Secret
from paydrill.target_file import load_target
from paydrill.topology_file import load_topology

EXAMPLE = Path(__file__).resolve().parents[2] / "targets" / "attached"
BLOCK = "attached: {service: payments, entrance: 127.0.0.1:8200, health: /health, psp: 127.0.0.1:12200, psp_api_key: k}"
EDGES = ["client -> payments", "payments -> psp"]


def folder_with(tmp_path, block=BLOCK, edges=EDGES, more=""):
    """The shipped example with another block, in a folder of its own."""
    text = (EXAMPLE / "target.yaml").read_text()
    _, _, rest = text.partition("\ntiming:")
    (tmp_path / "target.yaml").write_text(
        f"name: foreign\ntitle: t\ndefault_topology: outside\n{block}\n{more}\ntiming:{rest}"
    )
    topology = tmp_path / "topologies" / "outside" / "topology.yaml"
    topology.parent.mkdir(parents=True)
    topology.write_text(f"name: outside\ntitle: t\nservices: {{payments: 1}}\nedges: [{', '.join(edges)}]\n")
    return tmp_path


def load(tmp_path, **changes):
    target = load_target(folder_with(tmp_path, **changes))
    return target, load_topology(target, "outside")


def test_the_stack_is_one_service_with_its_health(tmp_path):
    target, topology = load(tmp_path)
    assert [node.name for node in topology.nodes] == ["client", "payments-1", "psp"]
    service = target.services["payments"]
    assert (service.runtime, service.port, service.health.http) == ("attached", 8200, "/health")


@pytest.mark.parametrize(
    ("block", "more", "told"),
    [
        (BLOCK.replace("127.0.0.1:8200", "127.0.0.1"), "", "is not an address: expected host:port"),
        (BLOCK.replace("12200", "122000"), "", "is not an address"),
        (BLOCK.replace("/health", "health"), "", "is not a path at the entrance"),
        (BLOCK.replace("k}", "sk_live_123}"), "", "this is a live key"),
        (BLOCK.replace("k}", "{file: x}}"), "", "env"),
        (BLOCK.replace(", psp_api_key: k", ""), "", "'psp_api_key' is missing"),
        (BLOCK.replace("k}", "k, webhook: 'ftp://x'}"), "", "is not the URL of a webhook"),
        (BLOCK.replace("k}", "k, webhook: 'http://[::'}"), "", "is not the URL of a webhook"),
        (BLOCK.replace("service: payments", "service: pay-ments"), "", "service name"),
        (BLOCK.replace("service: payments", "service: psp"), "", "belongs to the harness"),
        (BLOCK, "services: {}", "does not go with `attached`"),
        (BLOCK, "open_work: {service: payments, command: [true]}", "does not go with `attached`"),
    ],
)
def test_a_mistake_in_the_block_is_told(tmp_path, block, more, told):
    with pytest.raises(FileProblems) as problems:
        load(tmp_path, block=block, more=more)
    assert told in str(problems.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.1", "10.0.0.7", "172.31.255.1", "192.168.1.1", "localhost"]
)
def test_addresses_here_and_in_private_networks_are_reached(tmp_path, host):
    target, topology = load(tmp_path, block=BLOCK.replace("127.0.0.1:8200", f"{host}:8200"))
    assert reach_of(target, topology, None).entrance.port == 8200


@pytest.mark.parametrize(
    "host",
    ["93.184.216.34", "172.32.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "192.0.2.1", "224.0.0.1"],
)
@pytest.mark.parametrize("key", ["entrance", "psp", "webhook"])
def test_any_other_address_is_refused_until_its_owner_says_so(tmp_path, host, key):
    block = {
        "entrance": BLOCK.replace("127.0.0.1:8200", f"{host}:8200"),
        "psp": BLOCK.replace("127.0.0.1:12200", f"{host}:12200"),
        "webhook": BLOCK.replace("k}", f"k, webhook: 'http://{host}/events'}}"),
    }[key]
    target, topology = load(tmp_path, block=block)
    for owned in (None, "another"):
        with pytest.raises(UsageError, match=rf"attached\.{key}: .*--i-own-this-target foreign"):
            reach_of(target, topology, owned)
    assert reach_of(target, topology, "foreign")


def test_a_name_counts_as_every_address_that_it_has(tmp_path, monkeypatch):
    target, topology = load(tmp_path, block=BLOCK.replace("127.0.0.1:8200", "shop.example:8200"))

    def found(host, port, *_):
        hosts = ["10.0.0.7", "93.184.216.34"] if host == "shop.example" else [host]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in hosts]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    with pytest.raises(UsageError, match=r"shop\.example:8200 \(93\.184\.216\.34\)"):
        reach_of(target, topology, None)


def test_a_name_that_nobody_knows_is_told(tmp_path):
    target, topology = load(tmp_path, block=BLOCK.replace("127.0.0.1:8200", "nowhere.invalid:80"))
    with pytest.raises(UsageError, match="cannot be resolved"):
        reach_of(target, topology, None)


@pytest.mark.parametrize(
    "edges",
    [
        ["client -> payments"],
        [*EDGES, "psp -> payments"],
        ["client -> payments", "payments -> psp", "client -> psp"],
    ],
)
def test_edges_that_an_attached_stack_cannot_have_are_refused(tmp_path, edges):
    target, topology = load(tmp_path, edges=edges)
    with pytest.raises(UsageError, match="an attached stack has the edges"):
        reach_of(target, topology, None)


def test_a_webhook_makes_the_edge_from_the_psp_possible(tmp_path):
    block = BLOCK.replace("k}", "k, webhook: 'http://127.0.0.1:8300/psp/events?v=1'}")
    target, topology = load(tmp_path, block=block, edges=[*EDGES, "psp -> payments"])
    reach = reach_of(target, topology, None)
    assert (reach.webhook, reach.webhook_path) == (Address("127.0.0.1", 8300), "/psp/events?v=1")


def test_secrets_come_from_the_file_the_environment_or_are_made_anew(monkeypatch):
    attached = Attached(
        "payments", "a:1", "b:2", "/", psp_api_key=Secret("sk"), webhook_secret=Secret(env="HOOK")
    )
    made = Secrets("made-key", "made-hook", "made-caller")
    with pytest.raises(UsageError, match="HOOK is not set"):
        secrets_of(attached, made)
    monkeypatch.setenv("HOOK", "whsec")
    assert secrets_of(attached, made) == Secrets("sk", "whsec", "made-caller")
    assert "sk" not in repr(Secret("sk"))


def test_only_the_attached_backend_goes_with_an_attached_target(tmp_path):
    target, topology = load(tmp_path)
    for wanted in ("local", "docker"):
        with pytest.raises(UsageError, match="somebody else runs the target foreign"):
            choose_for(wanted, target, topology, None)
    minishop = load_target(EXAMPLE.parent / "minishop")
    with pytest.raises(UsageError, match="is no attached one"):
        choose_for("attached", minishop, load_topology(minishop, "single"), None)


def test_what_is_missing_is_told_before_anything_starts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        here = Address("127.0.0.1", taken.getsockname()[1])
        attached = Attached("payments", str(here), str(here), "/health")
        backend = AttachedBackend(attached, Reach(Address("127.0.0.1", 9), here, None, "/"))
        told = backend.missing()
    assert any(
        "does not answer http://127.0.0.1:9/health" in text and "start it first" in text for text in told
    )
    assert any("is something there already?" in text for text in told)
    elsewhere = AttachedBackend(attached, Reach(here, Address("192.168.254.254", 9), None, "/"))
    assert any("is no address of this machine" in text for text in elsewhere.missing())
