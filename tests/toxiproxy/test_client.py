"""The client against a real server: what is asked for is read back, what is unsafe is refused."""

from __future__ import annotations

import time
import urllib.request

import pytest

from paydrill.errors import FaultNotApplied
from paydrill.topology import Edge
from paydrill.toxiproxy.toxic import Toxic
from paydrill.toxiproxy.transport import ToxiproxyError


def get(bench, timeout_s=5.0):
    began = time.monotonic()
    with urllib.request.urlopen(f"http://{bench.listen}/", timeout=timeout_s) as answer:
        answer.read()
    return time.monotonic() - began


def test_a_latency_toxic_acts_and_its_removal_is_read_back(bench):
    toxic = Toxic("latency", "downstream", {"latency": 300})
    bench.toxiproxy.add(bench.edge, toxic)
    assert get(bench) >= 0.3
    bench.toxiproxy.remove(bench.edge, toxic)
    assert bench.toxiproxy.state(bench.edge).toxics == ()
    assert bench.toxiproxy.leftovers() == []


def test_removing_what_is_not_there_is_no_error(bench):
    bench.toxiproxy.remove(bench.edge, Toxic("latency", "downstream", {"latency": 1}))


def test_a_disabled_edge_refuses_and_an_enabled_one_answers(bench):
    bench.toxiproxy.disable(bench.edge)
    with pytest.raises(OSError):
        get(bench)
    assert bench.toxiproxy.leftovers() == ["orders-1->payments-1 is down"]
    bench.toxiproxy.enable(bench.edge)
    get(bench)


def test_reset_leaves_nothing(bench):
    bench.toxiproxy.add(bench.edge, Toxic("timeout", "upstream", {"timeout": 0}))
    bench.toxiproxy.disable(bench.edge)
    bench.toxiproxy.reset()
    assert bench.toxiproxy.leftovers() == []


def test_counters_grow_with_traffic_in_both_directions(bench):
    assert bench.toxiproxy.counters() == {}
    get(bench)
    # The server counts a connection's bytes when it closes, a moment after our side has.
    deadline = time.monotonic() + 20
    while len(seen := bench.toxiproxy.counters()) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert seen[(bench.edge.name, "upstream")].received > 0
    assert seen[(bench.edge.name, "downstream")].sent > 0


@pytest.mark.parametrize(
    ("toxic", "word"),
    [
        (Toxic("latency", "downstream", {"latncy": 5}), "latncy"),
        (Toxic("slicer", "downstream", {"average_size": 0}), "average_size"),
        (Toxic("bandwidth", "downstream", {"rate": 0}), "rate"),
        (Toxic("latency", "downstream", {"latency": -1}), "latency"),
        (Toxic("latency", "downstream", {"latency": 1}, toxicity=7), "toxicity"),
        (Toxic("lag", "downstream"), "lag"),
        (Toxic("slicer", "downstream", {"average_size": 3, "size_variation": 3}), "size_variation"),
    ],
)
def test_what_the_server_would_ignore_or_die_of_is_refused_before(bench, toxic, word):
    with pytest.raises(FaultNotApplied, match=word):
        bench.toxiproxy.add(bench.edge, toxic)
    assert bench.toxiproxy.leftovers() == []


def test_an_unknown_edge_is_refused_with_the_servers_words(bench):
    with pytest.raises(ToxiproxyError, match="404"):
        bench.toxiproxy.add(Edge("a", "b"), Toxic("latency", "downstream", {"latency": 1}))


def test_a_dead_server_is_an_error_within_the_time_out_and_never_a_hang(bench):
    bench.process.kill()
    bench.process.wait()
    with pytest.raises(ToxiproxyError, match="no answer"):
        bench.toxiproxy.version()


def test_a_proxy_of_the_environment_is_not_used(bench, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert bench.toxiproxy.version() == "2.12.0"


def test_another_rate_of_a_bandwidth_is_refused_since_the_server_would_end(bench):
    toxic = Toxic("bandwidth", "downstream", {"rate": 10})
    bench.toxiproxy.add(bench.edge, toxic)
    with pytest.raises(FaultNotApplied, match="cannot be changed"):
        bench.toxiproxy.change(bench.edge, toxic)
