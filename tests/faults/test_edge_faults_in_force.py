"""Edge faults through a real Toxiproxy: each is witnessed while on, and clean after."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from paydrill import faults
from paydrill.faults import Scene
from paydrill.target import Health
from paydrill.topology import Edge, Node, Topology
from paydrill.toxiproxy.toxic import Toxic


@pytest.fixture
def scene(bench):
    """A stack of one edge, with the parts that edge faults ask for."""
    nodes = (Node("orders-1", "orders", 1), Node("payments-1", "payments", 1))
    stack = SimpleNamespace(
        topology=Topology("one", "one edge", nodes, (bench.edge,)),
        toxiproxy=bench.toxiproxy,
        dial=lambda edge: bench.listen,
        setup=SimpleNamespace(
            target=SimpleNamespace(services={"payments": SimpleNamespace(health=Health(http="/livez"))})
        ),
    )
    return Scene(stack, SimpleNamespace(started=lambda: 0))


CASES = {
    "latency": {"latency_ms": 300},
    "timeout": {},
    "timeout upstream": {"direction": "upstream"},
    "reset_peer": {},
    "down": {},
}


@pytest.mark.parametrize("case", CASES)
def test_an_edge_fault_is_witnessed_in_force_and_clean_after(scene, case):
    fault = faults.known()[case.split()[0]](edge="orders->payments", **CASES[case])
    with fault.inject(scene) as in_force:
        witness = in_force.witness()
        assert witness.witnessed, witness.detail
        assert witness.kind == "path"
    assert scene.stack.toxiproxy.leftovers() == []


@pytest.mark.parametrize("case", CASES)
def test_a_fault_that_was_taken_off_behind_our_back_is_not_witnessed(scene, case):
    fault = faults.known()[case.split()[0]](edge="orders->payments", **CASES[case])
    with fault.inject(scene) as in_force:
        scene.stack.toxiproxy.reset()
        assert not in_force.witness().witnessed
    assert scene.stack.toxiproxy.leftovers() == []


@pytest.mark.parametrize("case", CASES)
def test_an_error_inside_heals_all_the_same(scene, case):
    fault = faults.known()[case.split()[0]](edge="orders->payments", **CASES[case])
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
