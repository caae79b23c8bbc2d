"""Metrics of the target: what is added up, and what a node that cannot be asked counts."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, Counter, start_http_server

from paydrill.backends import Address
from paydrill.backends.probe import Probe
from paydrill.events import Series
from paydrill.target import Health, Service
from paydrill.topology import Node, Topology
from paydrill.watch.target_metrics import read_series, sum_of

TOLD = """\
# TYPE http_requests_total counter
http_requests_total{route="/pay",status="200"} 7.0
http_requests_total{route="/pay",status="503"} 2.0
http_requests_total{route="/orders",status="503"} 1.0
# TYPE outbox_unsent gauge
outbox_unsent 4.0
"""


@pytest.mark.parametrize(
    ("name", "labels", "sum_"),
    [
        ("outbox_unsent", {}, 4),
        ("http_requests_total", {}, 10),
        ("http_requests_total", {"status": "503"}, 3),
        ("http_requests_total", {"status": "503", "route": "/pay"}, 2),
        ("http_requests_total", {"status": "402"}, None),
        ("http_requests", {}, None),
        ("outbox_unsent", {"status": "503"}, None),
    ],
)
def test_samples_of_the_name_that_have_all_labels_are_added_up(name, labels, sum_):
    assert sum_of(TOLD, Series(name, "orders", tuple(labels.items()))) == sum_


def test_a_text_that_is_not_in_the_form_is_refused():
    with pytest.raises(ValueError):
        sum_of("<html>no metrics</html>\n", Series("html", "orders"))


@pytest.fixture
def shops():
    """A stack of so many nodes of one service as counts are given; of None nobody answers."""
    with ExitStack() as ends:

        def stack_of(*counts: float | None):
            nodes = tuple(Node(f"shop-{number}", "shop", number) for number in range(1, len(counts) + 1))
            ports = {node.name: serve(count) for node, count in zip(nodes, counts, strict=True)}
            service = Service("shop", "python", 1, Health(http="/"), metrics="/metrics")
            return SimpleNamespace(
                topology=Topology("t", "T", nodes, ()),
                setup=SimpleNamespace(target=SimpleNamespace(services={"shop": service})),
                probe=lambda node: Probe(node, Address("127.0.0.1", ports[node.name]), service.health),
            )

        def serve(count: float | None) -> int:
            registry = CollectorRegistry()
            Counter("sold", "Sold", registry=registry).inc(count or 0)
            server, thread = start_http_server(0, "127.0.0.1", registry)
            port = server.server_port
            if count is None:
                server.shutdown()
                server.server_close()
            else:
                ends.callback(thread.join)
                ends.callback(server.server_close)
                ends.callback(server.shutdown)
            return port

        yield stack_of


@pytest.mark.parametrize(
    ("counts", "of", "told"),
    [
        ((3, 4), "shop", 7),
        ((3, 4), "shop-2", 4),
        ((3, None), "shop", 3),
        ((3, None), "shop-2", None),
    ],
)
def test_nodes_are_added_up_and_one_that_is_down_counts_nothing(shops, counts, of, told):
    assert read_series(shops(*counts), Series("sold_total", of)) == told


def test_a_node_that_answers_with_an_error_counts_nothing(shops):
    stack = shops(3)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as refuses:
        stack.probe = lambda node: Probe(node, Address("127.0.0.1", refuses.server_port), Health(http="/"))
        answering = threading.Thread(target=refuses.handle_request)
        answering.start()
        assert read_series(stack, Series("sold_total", "shop")) is None
        answering.join()
