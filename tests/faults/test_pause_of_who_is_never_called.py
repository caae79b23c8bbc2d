"""A paused node that nobody calls is asked itself: only silence shows the pause."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from paydrill.errors import NotReady
from paydrill.faults.pause import Paused
from paydrill.topology import Edge, Node, Topology

WORKER, DB = Node("worker-1", "worker", 1), Node("db-1", "db", 1)
TOPOLOGY = Topology("small", "small", (WORKER, DB), (Edge("worker-1", "db-1"),))


def stack(seen):
    def wait_healthy(nodes, timeout_s):
        assert list(nodes) == [WORKER]
        if seen:
            raise NotReady(
                f"worker-1: not healthy within 0.8 s ({seen}); the end of its log:\na call timed out"
            )

    return SimpleNamespace(topology=TOPOLOGY, wait_healthy=wait_healthy)


@pytest.mark.parametrize(
    ("seen", "witnessed"),
    [("timed out", True), ("", False), ("GET /readyz answered 503", False), ("Connection refused", False)],
)
def test_silence_alone_is_a_pause(seen, witnessed):
    assert Paused(stack(seen), [WORKER]).witness().witnessed is witnessed
