"""Bytes of an edge: what Toxiproxy has counted of ended connections, and the kernel of open ones."""

from __future__ import annotations

import socket
import time
from types import SimpleNamespace

import pytest

from paydrill.backends import Address, Connection, socket_table
from paydrill.topology import Edge, Node, Topology
from paydrill.toxiproxy.client import Bytes
from paydrill.toxiproxy.traffic import edge_bytes

WEB, DB = Edge("client", "web-1"), Edge("web-1", "db-1")
LISTENER = {WEB: Address("127.2.1.2", 80), DB: Address("127.2.2.3", 5432)}
NODES = (Node("client", "client", 0), Node("web-1", "web", 1), Node("db-1", "db", 1))


def stack(counted, open_ones=()):
    return SimpleNamespace(
        topology=Topology("t", "t", NODES, (WEB, DB)),
        toxiproxy=SimpleNamespace(counters=lambda: counted),
        proxy_connections=lambda: list(open_ones),
        dial=LISTENER.get,
    )


def test_both_ways_are_counted_at_the_clients_end():
    counted = {
        ("client->web-1", "upstream"): Bytes(received=100, sent=90),
        ("client->web-1", "downstream"): Bytes(received=900, sent=800),
    }
    assert edge_bytes(stack(counted)) == {"client->web-1": Bytes(100, 800), "web-1->db-1": Bytes(0, 0)}


def test_an_open_connection_counts_at_its_listener_only():
    kept = Connection(LISTENER[DB], received=70, acked=500, ended=False)
    elsewhere = Connection(Address("127.1.0.3", 5432), received=70, acked=500, ended=False)
    same_port = Connection(Address("127.2.1.3", 5432), received=70, acked=500, ended=False)
    moved = edge_bytes(stack({("web-1->db-1", "upstream"): Bytes(5, 5)}, [kept, kept, elsewhere, same_port]))
    assert moved["web-1->db-1"] == Bytes(5 + 2 * 70, 2 * 500)
    assert moved["client->web-1"] == Bytes(0, 0)


def test_what_a_client_sent_before_it_ended_its_half_is_not_counted_twice():
    half = Connection(LISTENER[DB], received=70, acked=500, ended=True)
    moved = edge_bytes(stack({("web-1->db-1", "upstream"): Bytes(70, 70)}, [half]))
    assert moved["web-1->db-1"] == Bytes(70, 500)


def wait_until(holds):
    give_up = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def row_of(port):
    (row,) = (row for row in socket_table.read() if row["port"] == port)
    return row


@pytest.fixture
def pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            with accepted:
                yield port, client, accepted


def test_the_kernel_tells_the_bytes_of_an_open_connection(pair):
    port, client, accepted = pair
    client.sendall(b"x" * 3000)
    accepted.sendall(b"y" * 70_000)
    got = 0
    while got < 70_000:
        got += len(client.recv(100_000))
    wait_until(lambda: (row_of(port)["received"], row_of(port)["acked"]) == (3000, 70_000))
    assert (row_of(port)["host"], row_of(port)["ended"]) == ("127.0.0.1", False)


def test_a_connection_whose_other_end_has_ended_says_so(pair):
    port, client, _ = pair
    client.sendall(b"bye")
    client.shutdown(socket.SHUT_WR)
    wait_until(lambda: row_of(port)["ended"])


def test_many_connections_come_in_several_answers(pair):
    port, _, _ = pair
    others = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
    try:
        assert len(socket_table.read()) >= 60
    finally:
        for other in others:
            other.close()
