"""A server that stands still over an edge is started anew, and is then what it was asked to be."""

from __future__ import annotations

import urllib.request

import pytest
from impatient_client import ask_often_and_leave

from paydrill.topology import Edge
from paydrill.toxiproxy.client import Toxiproxy
from paydrill.toxiproxy.toxic import Toxic
from paydrill.toxiproxy.transport import ToxiproxyError

KEPT = {
    "latency": Toxic("latency", "downstream", {"latency": 5000}),
    "slicer": Toxic("slicer", "downstream", {"average_size": 10, "size_variation": 1, "delay": 300_000}),
}
OTHER = Toxic("latency", "upstream", {"latency": 1})


@pytest.fixture
def restarts(bench):
    """Why the server was started anew, as it was told."""
    told = []
    bench.toxiproxy.before_restart = told.append
    return told


def answers(bench):
    with urllib.request.urlopen(f"http://{bench.listen}/", timeout=10) as answer:
        return answer.read() == b"ok"


@pytest.mark.parametrize("toxic", KEPT.values(), ids=KEPT)
def test_a_removal_that_never_ends_is_brought_about_on_a_new_server(bench, restarts, toxic):
    first = bench.process.pid
    bench.toxiproxy.add(bench.edge, OTHER)
    bench.toxiproxy.add(bench.edge, toxic)
    ask_often_and_leave(bench.listen, "/")
    bench.toxiproxy.remove(bench.edge, toxic)
    assert bench.process.pid != first
    assert len(restarts) == 1
    assert f"{toxic.name}: no answer: waited 2 s at {bench.api}, while it still tells" in restarts[0]
    assert bench.toxiproxy.state(bench.edge).toxics == (OTHER.name,), "the other fault is still in force"
    assert bench.toxiproxy.state(bench.edge).enabled
    assert answers(bench)
    bench.toxiproxy.remove(bench.edge, OTHER)
    assert bench.toxiproxy.leftovers() == []


def test_an_edge_that_is_to_be_down_is_down_on_a_new_server(bench, restarts):
    bench.toxiproxy.disable(bench.idle)
    bench.toxiproxy.add(bench.edge, KEPT["latency"])
    ask_often_and_leave(bench.listen, "/")
    bench.toxiproxy.remove(bench.edge, KEPT["latency"])
    assert len(restarts) == 1
    assert bench.toxiproxy.leftovers() == [f"{bench.idle.name} is down"]
    bench.toxiproxy.enable(bench.idle)
    assert bench.toxiproxy.leftovers() == []


def test_where_nobody_can_start_it_anew_it_is_an_error(bench):
    alone = Toxiproxy(bench.api)
    toxic = KEPT["latency"]
    alone.add(bench.edge, toxic)
    ask_often_and_leave(bench.listen, "/")
    with pytest.raises(ToxiproxyError, match="no answer"):
        alone.remove(bench.edge, toxic)


def test_a_server_that_is_gone_is_not_started_anew(bench, restarts):
    bench.end()
    with pytest.raises(ToxiproxyError, match="no answer"):
        bench.toxiproxy.add(bench.edge, OTHER)
    assert restarts == []


def test_a_refusal_is_no_reason_for_a_new_server(bench, restarts):
    with pytest.raises(ToxiproxyError, match="404"):
        bench.toxiproxy.add(Edge("a", "b"), OTHER)
    assert restarts == []
