"""Edge faults through a real Toxiproxy: each is witnessed while on, and clean after."""

from __future__ import annotations

import socket
import statistics
import time
from itertools import islice
from types import SimpleNamespace

import pytest

from paydrill import faults
from paydrill.backends import socket_table
from paydrill.backends.connections import connections
from paydrill.faults import Scene, Unfolds
from paydrill.faults.changing import whole_numbers
from paydrill.target import Health
from paydrill.topology import Edge, Node, Topology
from paydrill.toxiproxy.toxic import Toxic
from paydrill.toxiproxy.traffic import edge_bytes


@pytest.fixture
def scene(bench):
    """A stack of one edge, with the parts that edge faults ask for."""
    nodes = (Node("orders-1", "orders", 1), Node("payments-1", "payments", 1))
    stack = SimpleNamespace(
        topology=Topology("one", "one edge", nodes, (bench.edge,)),
        toxiproxy=bench.toxiproxy,
        dial=lambda edge: bench.listen,
        proxy_connections=lambda: connections(socket_table.read()),
        setup=SimpleNamespace(
            ca_of=lambda node: None,
            target=SimpleNamespace(services={"payments": SimpleNamespace(health=Health(http="/livez"))}),
        ),
    )
    return Scene(stack, SimpleNamespace(), seed=7, fault_id=1)


CASES = {
    "latency": {"latency_ms": 300},
    "latency with jitter": {"latency_ms": 300, "jitter_ms": 100},
    "latency upstream, cut": {"latency_ms": 300, "direction": "upstream", "existing": "cut"},
    "bandwidth": {"rate_kb_s": 5},
    "bandwidth upstream": {"rate_kb_s": 50, "direction": "upstream"},
    "slow_close": {"delay_ms": 400},
    "slow_close upstream": {"delay_ms": 400, "direction": "upstream"},
    "slow_close longer than the look": {"delay_ms": 60_000},
    "slicer": {"average_size_bytes": 10, "delay_us": 2000},
    "slicer upstream, varied": {
        "average_size_bytes": 60,
        "size_variation_bytes": 20,
        "delay_us": 2000,
        "direction": "upstream",
    },
    "limit_data": {"limit_bytes": 500},
    "limit_data to nothing": {"limit_bytes": 0},
    "limit_data upstream": {"limit_bytes": 5000, "direction": "upstream"},
    "timeout": {},
    "timeout upstream": {"direction": "upstream"},
    "reset_peer": {},
    "reset_peer, cut": {"existing": "cut"},
    "down": {},
}


def fault_of(case):
    name = case.split()[0].rstrip(",")
    return faults.known()[name](edge="orders->payments", **CASES[case])


def server_alive(scene):
    return bool(scene.stack.toxiproxy.version())


@pytest.mark.parametrize("case", CASES)
def test_an_edge_fault_is_witnessed_in_force_and_clean_after(scene, case):
    fault = fault_of(case)
    with fault.inject(scene) as in_force:
        witness = in_force.witness()
        assert witness.witnessed, witness.detail
        assert witness.kind == "path"
    assert scene.stack.toxiproxy.leftovers() == []


@pytest.mark.parametrize("case", CASES)
def test_a_fault_that_was_taken_off_behind_our_back_is_not_witnessed(scene, case):
    fault = fault_of(case)
    with fault.inject(scene) as in_force:
        scene.stack.toxiproxy.reset()
        assert not in_force.witness().witnessed
    assert scene.stack.toxiproxy.leftovers() == []


@pytest.mark.parametrize("case", CASES)
def test_an_error_inside_heals_all_the_same(scene, case):
    fault = fault_of(case)
    with pytest.raises(RuntimeError), fault.inject(scene):
        raise RuntimeError
    assert scene.stack.toxiproxy.leftovers() == []


def test_an_injection_that_fails_half_way_takes_off_what_was_on(scene):
    missing = Edge("orders-1", "payments-2")
    nodes = (*scene.stack.topology.nodes, Node("payments-2", "payments", 2))
    scene.stack.topology = Topology("two", "two", nodes, (*scene.stack.topology.edges, missing))
    fault = faults.known()["latency"](edge="orders->payments", latency_ms=5)
    with pytest.raises(Exception, match="404"), fault.inject(scene):
        raise AssertionError("it must not get here")
    assert scene.stack.toxiproxy.leftovers() == []


def test_two_faults_on_one_edge_heal_apart(scene):
    slow = faults.known()["latency"](edge="orders->payments", latency_ms=5)
    lost = faults.known()["timeout"](edge="orders->payments")
    with slow.inject(scene):
        with lost.inject(scene):
            assert len(scene.stack.toxiproxy.state(scene.stack.topology.edges[0]).toxics) == 2
        left = scene.stack.toxiproxy.state(scene.stack.topology.edges[0]).toxics
        assert left == (Toxic("latency", "downstream").name,)


def ask(scene, connection=None):
    """Seconds that one question takes, on a connection of its own or the given one."""
    own = connection or dial(scene)
    began = time.monotonic()
    own.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    answer = b""
    while not answer.endswith(b"ok"):
        answer += own.recv(4096)
    took = time.monotonic() - began
    if connection is None:
        own.close()
    return took


def dial(scene):
    address = scene.stack.dial(None)
    return socket.create_connection((address.host, address.port), 5)


def go_on(in_force, seconds, do=lambda: None):
    """What the conductor does: every step when it is due."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        wait = in_force.step() if isinstance(in_force, Unfolds) else left
        do()
        time.sleep(max(0.0, min(wait, left, 0.05)))


def test_jitter_moves_the_delay_and_never_takes_it_below_its_least(scene):
    """Each change of a toxic lets go of what it holds back: the least delay must not be its victim."""
    fault = faults.known()["latency"](edge="orders->payments", latency_ms=200, jitter_ms=60)
    took = []
    with fault.inject(scene) as in_force, dial(scene) as connection:
        go_on(in_force, 4.0, lambda: took.append(ask(scene, connection)))
    assert min(took) >= 0.140
    assert statistics.median(took) < 0.35
    assert max(took) - min(took) > 0.03


def test_the_jitter_schedule_is_the_seeds(scene):
    fault = faults.known()["latency"](edge="orders->payments", latency_ms=50, jitter_ms=50)
    edge = scene.stack.topology.edges[0]

    def schedule(seed, fault_id):
        there = Scene(scene.stack, scene.load, seed, fault_id)
        return [t.attributes["latency"] for t in islice(fault.jitter(there, edge, 100), 50)]

    assert schedule(7, 1) == schedule(7, 1)
    assert schedule(7, 1) != schedule(8, 1)
    assert schedule(7, 1) != schedule(7, 2)
    assert set(schedule(7, 1)) <= set(range(101))


def test_whole_numbers_reach_both_ends(scene):
    assert set(islice(whole_numbers(scene.chance("x"), 3, 5), 100)) == {3, 4, 5}


@pytest.mark.parametrize("case", ["latency", "bandwidth", "slicer", "slow_close", "limit_data", "timeout"])
@pytest.mark.parametrize("existing", ["keep", "cut"])
def test_connections_that_were_open_are_kept_or_cut(scene, case, existing):
    """With `limit_data` and `timeout` a kept one lives until something is said on it."""
    name, fields = case, {**CASES[case], "existing": existing}
    fault = faults.known()[name](edge="orders->payments", **fields)
    with dial(scene) as connection:
        ask(scene, connection)
        with fault.inject(scene):
            connection.settimeout(0.3)
            if existing == "cut":
                assert connection.recv(1) == b""
            else:
                with pytest.raises(TimeoutError):
                    connection.recv(1)
    assert scene.stack.toxiproxy.leftovers() == []


def test_a_cut_edge_that_is_down_stays_down(scene):
    down = faults.known()["down"](edge="orders->payments")
    slow = faults.known()["timeout"](edge="orders->payments", existing="cut")
    with down.inject(scene) as in_force, slow.inject(scene):
        assert in_force.witness().witnessed


def test_a_flapping_edge_goes_down_and_up_and_ends_up(scene):
    fault = faults.known()["flap"](edge="orders->payments", down_ms=150, up_ms=150)
    with fault.inject(scene) as in_force:
        assert scene.stack.toxiproxy.leftovers() != []
        go_on(in_force, 1.2)
        seen = in_force.witness()
        assert seen.witnessed, seen.detail
        assert seen.measured["times_down"] >= 2
    assert scene.stack.toxiproxy.leftovers() == []


def test_a_flap_that_somebody_heals_behind_our_back_is_not_witnessed(scene):
    fault = faults.known()["flap"](edge="orders->payments", down_ms=150, up_ms=150)
    scene.stack.toxiproxy.disable = lambda edge: None
    with fault.inject(scene) as in_force:
        go_on(in_force, 1.0)
        assert not in_force.witness().witnessed


def test_a_partition_is_silent_and_clean_after(scene):
    for way in ("both", "in", "out"):
        fault = faults.known()["partition"](nodes=("orders-1",), from_=("payments",), way=way)
        with fault.inject(scene) as in_force:
            seen = in_force.witness()
            assert seen.witnessed, seen.detail
            with faults.known()["timeout"](edge="orders->payments").inject(scene):
                pass  # another toxic of the same type on the same edge is no obstacle
            assert scene.stack.toxiproxy.leftovers() != []
        assert scene.stack.toxiproxy.leftovers() == []


def test_no_fault_ends_the_proxy_server(scene):
    """Every case again, one after the other on one server, with a client that talks all the time."""
    for case in CASES:
        with fault_of(case).inject(scene) as in_force:
            if isinstance(in_force, Unfolds):
                in_force.step()
        assert server_alive(scene)
    assert ask(scene) < 2


def test_what_is_said_into_a_partition_is_counted_on_the_kept_connection_while_it_is_on(scene):
    partition = faults.known()["partition"](nodes=("orders-1",), from_=("payments",))
    name = scene.stack.topology.edges[0].name
    with dial(scene) as connection:
        ask(scene, connection)
        with partition.inject(scene):
            before = edge_bytes(scene.stack)[name]
            connection.sendall(b"x" * 4000)
            while edge_bytes(scene.stack)[name].received < before.received + 4000:
                time.sleep(0.01)
            assert edge_bytes(scene.stack)[name].sent == before.sent
