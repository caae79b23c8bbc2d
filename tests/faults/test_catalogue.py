"""What every fault file must offer."""

from __future__ import annotations

import dataclasses

import pytest

from paydrill import faults
from paydrill.topology import Edge, Node, Topology, UnknownPlace

THIS_RELEASE = {"latency", "timeout", "reset_peer", "down", "kill", "pause", "spike"}


def small_topology() -> Topology:
    names = [("client", "client", 0), ("orders-1", "orders", 1), ("payments-1", "payments", 1)]
    names += [("payments-2", "payments", 2), ("psp", "psp", 0)]
    edges = [("client", "orders-1"), ("orders-1", "payments-1"), ("orders-1", "payments-2")]
    edges += [("payments-1", "psp"), ("payments-2", "psp")]
    return Topology(
        "small", "small", tuple(Node(*name) for name in names), tuple(Edge(*edge) for edge in edges)
    )


def test_every_fault_of_this_release_is_known_under_its_name():
    assert set(faults.known()) >= THIS_RELEASE


@pytest.mark.parametrize("name", sorted(faults.known()))
def test_a_fault_names_itself_its_effect_and_its_backends(name):
    fault = faults.known()[name]
    assert fault.name == name == fault.__module__.rpartition(".")[2]
    assert fault.summary and fault.__doc__
    assert fault.effect in ("money", "availability", "none")
    assert fault.expects in ("none", "some", "most")
    assert fault.carries in ("bytes", "nothing", "arrivals")
    assert set(fault.backends) <= {"local", "docker", "attached"}
    assert dataclasses.is_dataclass(fault) and fault.__dataclass_params__.frozen


@pytest.mark.parametrize("name", ["latency", "timeout", "reset_peer", "down"])
def test_an_edge_fault_hits_every_edge_between_two_services(name):
    extra = {"latency_ms": 5} if name == "latency" else {}
    fault = faults.known()[name](edge="payments->psp", **extra)
    assert fault.places(small_topology()) == ("payments-1->psp", "payments-2->psp")


@pytest.mark.parametrize("name", ["kill", "pause"])
def test_a_node_fault_hits_a_node_or_a_whole_service(name):
    fault = faults.known()[name]
    assert fault(node="payments-2").places(small_topology()) == ("payments-2",)
    assert fault(node="payments").places(small_topology()) == ("payments-1", "payments-2")


def test_an_unknown_place_is_refused_with_the_nearest_one():
    with pytest.raises(UnknownPlace) as caught:
        faults.known()["down"](edge="payment->psp").places(small_topology())
    assert caught.value.suggestion == "payments->psp"
