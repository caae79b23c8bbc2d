"""Where an attached drill's proxies listen and what they forward to."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from paydrill.backends import Address, Disk
from paydrill.backends.attached.places import Places
from paydrill.backends.attached.reach import Reach
from paydrill.backends.attached.stack import AttachedStack
from paydrill.errors import DrillBroken, FaultNotApplied
from paydrill.topology import Edge, Node, Topology

ENTRANCE, PSP, WEBHOOK = Address("10.0.0.7", 8200), Address("127.0.0.1", 12200), Address("10.0.0.8", 8300)
NODE = Node("payments-1", "payments", 1)
NODES = (Node("client", "client", 0), NODE, Node("psp", "psp", 0))
CLIENT_EDGE, PSP_EDGE, HOOK_EDGE = (
    Edge("client", "payments-1"),
    Edge("payments-1", "psp"),
    Edge("psp", "payments-1"),
)


def places(*edges, webhook=WEBHOOK):
    setup = SimpleNamespace(
        topology=Topology("t", "t", NODES, edges), run_dir=Path("/run-folder"), target=None
    )
    return Places(setup, Reach(ENTRANCE, PSP, webhook, "/events?v=1"), 20)


def test_the_harness_listens_where_the_stack_calls_its_psp_and_nowhere_else_that_was_given():
    there = places(CLIENT_EDGE, PSP_EDGE, HOOK_EDGE)
    assert there.dial(PSP_EDGE) == PSP
    listeners = [there.dial(edge) for edge in (CLIENT_EDGE, HOOK_EDGE)] + [there.psp(), there.toxiproxy()]
    assert all(one.host.startswith("127.2") for one in listeners)
    assert len({*listeners, PSP}) == 5


def test_every_proxy_forwards_to_what_the_edge_means():
    there = places(CLIENT_EDGE, PSP_EDGE, HOOK_EDGE)
    assert there.upstream(CLIENT_EDGE) == ENTRANCE
    assert there.upstream(PSP_EDGE) == there.psp()
    assert there.upstream(HOOK_EDGE) == WEBHOOK


def test_events_go_through_their_own_proxy_and_only_where_they_are_wanted():
    there = places(CLIENT_EDGE, PSP_EDGE, HOOK_EDGE)
    assert there.webhook_url() == f"http://{there.dial(HOOK_EDGE)}/events?v=1"
    assert places(CLIENT_EDGE, PSP_EDGE, webhook=None).webhook_url() is None


def test_nothing_can_be_done_to_the_processes_of_somebody_else():
    stack = AttachedStack(places(CLIENT_EDGE).setup, places(CLIENT_EDGE), None, None, None, {})
    disk = Disk(NODE, "wal", Path("/nowhere"), Path("/nowhere"))
    for deed in (
        *(partial(deed, NODE) for deed in (stack.kill, stack.start, stack.pause, stack.resume)),
        lambda: stack.send_signal(NODE, signal.SIGTERM),
        lambda: stack.disk(NODE, "wal"),
        lambda: stack.mount_anew(disk),
        lambda: stack.limit_writes(disk, 50, "operations"),
        lambda: stack.limits.cpu(NODE, 0.1),
        lambda: stack.limits.memory(NODE, 1 << 20),
        lambda: stack.limits.exhaust_files(NODE),
        lambda: stack.limits.give_files_back(NODE),
        *(partial(look, NODE) for look in (stack.limits.throttled, stack.limits.memory_used)),
        lambda: stack.limits.oom_kills(NODE),
        lambda: stack.limits.asks_for_more(NODE, 1 << 20, 1),
        lambda: stack.io_pipes(NODE),
        lambda: stack.clocks.step(NODE, 60),
        lambda: stack.clocks.use_zone(NODE, "Asia/Tokyo"),
        lambda: stack.clocks.zone_of(NODE),
    ):
        with pytest.raises(FaultNotApplied, match="payments-1 is run by somebody else"):
            deed()
    for read in (lambda: stack.sql(NODE, "SELECT 1", 1), lambda: stack.run_in(NODE, ["true"], 1)):
        with pytest.raises(DrillBroken, match="run by somebody else"):
            read()
    assert stack.process(NODE) is None and not stack.is_paused(NODE)
