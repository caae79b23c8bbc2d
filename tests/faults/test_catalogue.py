"""What every fault file must offer."""

from __future__ import annotations

import dataclasses
from itertools import islice
from random import Random
from typing import get_args

import pytest

from paydrill import faults
from paydrill.fault_fields import specs_of
from paydrill.faults.rhythm import lengths_s
from paydrill.topology import Edge, Node, Topology, UnknownPlace

THIS_RELEASE = {
    *("latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data"),
    *("down", "partition", "flap"),
    *("corrupt_page", "io_error", "disk_full", "disk_hang", "disk_readonly", "disk_slow", "power_cut"),
    *("kill", "terminate", "pause", "restart", "rolling_restart", "kill_session", "crash_loop"),
    *("spike", "ramp", "flash_crowd", "thundering_herd", "junk_flood", "slow_clients"),
    *("forged_webhook", "stale_webhook", "replayed_webhook", "sqli_probe", "idor_probe"),
    *("psp_response_lost", "psp_error_after_commit", "psp_slow_commit", "psp_decline_rate", "psp_brownout"),
    *(
        "psp_maintenance",
        "psp_rate_limit",
        "psp_lookup_lag",
        "psp_late_decline",
        "psp_auth_expiry",
        "psp_async",
    ),
    *("webhook_duplicate", "webhook_reorder", "webhook_delay", "webhook_drop", "webhook_before_response"),
    *("deploy", "config_change", "tamper", "freeze"),
    *("clock_step", "timezone", "cpu_quota", "memory_limit", "fd_exhaust", "connection_exhaust"),
}


def small_topology() -> Topology:
    names = [("client", "client", 0), ("orders-1", "orders", 1), ("payments-1", "payments", 1)]
    names += [("payments-2", "payments", 2), ("db-1", "db", 1), ("psp", "psp", 0)]
    edges = [("client", "orders-1"), ("orders-1", "payments-1"), ("orders-1", "payments-2")]
    edges += [("payments-1", "psp"), ("payments-2", "psp"), ("payments-1", "db-1"), ("psp", "payments-1")]
    return Topology(
        "small", "small", tuple(Node(*name) for name in names), tuple(Edge(*edge) for edge in edges)
    )


def test_every_fault_of_this_release_is_known_under_its_name():
    assert set(faults.known()) >= THIS_RELEASE


@pytest.mark.parametrize("name", sorted(faults.known()))
def test_a_fault_names_itself_its_effect_and_its_backends(name):
    fault = faults.known()[name]
    assert fault.name == name == fault.__module__.rpartition(".")[2]
    assert fault.summary and fault.__doc__ and fault.undo
    for word, words in (
        (fault.family, faults.Family),
        (fault.hits, faults.Hits),
        (fault.effect, faults.Effect),
        (fault.expects, faults.Expects),
        (fault.carries, faults.Carries),
        (fault.witnessed_by, faults.WitnessKind),
        (fault.looks, faults.Looks),
    ):
        assert word in get_args(words)
    assert set(fault.backends) <= {"local", "docker", "attached"}
    assert dataclasses.is_dataclass(fault) and fault.__dataclass_params__.frozen


@pytest.mark.parametrize("name", sorted(faults.known()))
def test_only_what_needs_no_node_and_no_disk_can_hit_a_stack_of_somebody_else(name):
    fault = faults.known()[name]
    assert ("attached" in fault.backends) == (fault.hits in ("edge", "sets of nodes", "load", "psp"))


@pytest.mark.parametrize("name", sorted(faults.known()))
def test_a_faults_example_gives_all_that_is_required_and_its_fields_have_units(name):
    fault = faults.known()[name]
    fault(**fault.example)
    for spec in specs_of(fault):
        assert spec.kind not in ("whole", "number", "rate") or spec.unit, (
            f"{spec.key} has no unit in its name"
        )


EDGE_FAULTS = sorted(name for name, fault in faults.known().items() if fault.hits == "edge")
NODE_FAULTS = sorted(name for name, fault in faults.known().items() if fault.hits in ("node", "database"))


def at(fault, place):
    """The example at another place, for a fault that hits one node and for one that hits several."""
    where = {"nodes": (place,)} if "nodes" in fault.example else {"node": place}
    return fault(**{**fault.example, **where})


@pytest.mark.parametrize("name", EDGE_FAULTS)
def test_an_edge_fault_hits_every_edge_between_two_services(name):
    fault = faults.known()[name]
    made = fault(**{**fault.example, "edge": "payments->psp"})
    assert made.places(small_topology()) == ("payments-1->psp", "payments-2->psp")


@pytest.mark.parametrize("name", NODE_FAULTS)
def test_a_node_fault_hits_a_node_or_a_whole_service(name):
    fault = faults.known()[name]
    assert at(fault, "payments-2").places(small_topology()) == ("payments-2",)
    assert at(fault, "payments").places(small_topology()) == ("payments-1", "payments-2")


@pytest.mark.parametrize("name", NODE_FAULTS)
@pytest.mark.parametrize("instrument", ["psp", "client"])
def test_the_instruments_are_no_nodes_to_be_broken(name, instrument):
    with pytest.raises(ValueError, match=f"'{instrument}' is an instrument"):
        at(faults.known()[name], instrument).places(small_topology())


def test_an_unknown_place_is_refused_with_the_nearest_one():
    with pytest.raises(UnknownPlace) as caught:
        faults.known()["down"](edge="payment->psp").places(small_topology())
    assert caught.value.suggestion == "payments->psp"


@pytest.mark.parametrize(
    ("way", "lost"),
    [
        ("both", {"payments-1->psp": 2, "payments-2->psp": 2, "psp->payments-1": 2}),
        ("in", {"payments-1->psp": "downstream", "payments-2->psp": "downstream", "psp->payments-1": "upstream"}),
        ("out", {"payments-1->psp": "upstream", "payments-2->psp": "upstream", "psp->payments-1": "downstream"}),
    ],
)  # fmt: skip
def test_a_partition_loses_one_direction_on_all_edges_between_the_sets(way, lost):
    partition = faults.known()["partition"](nodes=["payments"], from_=["psp"], way=way)
    found = {edge.name: ways for edge, ways in partition.silenced(small_topology()).items()}
    assert set(found) == set(lost)
    for name, ways in found.items():
        assert len(ways) == lost[name] if way == "both" else ways == (lost[name],)


@pytest.mark.parametrize(("nodes", "others"), [(("orders",), ("db-1",)), (("orders",), ("nobody",))])
def test_a_partition_without_an_edge_between_its_sets_is_refused(nodes, others):
    with pytest.raises(UnknownPlace):
        faults.known()["partition"](nodes=nodes, from_=others).places(small_topology())


def test_a_node_is_on_one_side_of_a_partition_only():
    with pytest.raises(ValueError, match="payments-1 cannot be on both sides"):
        faults.known()["partition"](nodes=("payments",), from_=("psp", "payments-1")).places(small_topology())


REFUSED = {
    "bandwidth": [{"rate_kb_s": 0}, {"rate_kb_s": 201}],
    "slow_close": [{"delay_ms": 0}],
    "slicer": [
        {"average_size_bytes": 0, "delay_us": 9},
        {"average_size_bytes": 8, "delay_us": 0},
        {"average_size_bytes": 8, "delay_us": 9000, "size_variation_bytes": 8},
        {"average_size_bytes": 1000, "delay_us": 1000},
    ],
    "limit_data": [{"limit_bytes": 16_001}],
    "flap": [{"down_ms": 99}, {"up_ms": 0}],
}


@pytest.mark.parametrize(("name", "fields"), [(name, one) for name, all_ in REFUSED.items() for one in all_])
def test_what_would_hurt_the_server_or_could_not_be_seen_is_refused_at_once(name, fields):
    with pytest.raises(ValueError, match=r"least|most|less|is 1 to"):
        faults.known()[name](edge="payments->psp", **fields)


def test_the_parts_of_a_rhythm_stay_around_their_means():
    lengths = list(islice(lengths_s(Random(1), 400, 1000), 200))
    assert lengths == list(islice(lengths_s(Random(1), 400, 1000), 200))
    assert all(0.2 <= length <= 0.6 for length in lengths[::2])
    assert all(0.5 <= length <= 1.5 for length in lengths[1::2])
