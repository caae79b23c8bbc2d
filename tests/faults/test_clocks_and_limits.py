"""What faults of clocks and resources refuse, and that none is witnessed where it has no effect."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import threading
import time
from email.utils import formatdate
from types import SimpleNamespace

import live
import pytest

from paydrill import faults
from paydrill.backends import Address
from paydrill.backends.probe import Probe
from paydrill.errors import FaultNotApplied
from paydrill.fault_fields import specs_of
from paydrill.faults import Unfolds
from paydrill.faults.clock_step import Stepped, require_right
from paydrill.faults.connection_exhaust import Taken, knock
from paydrill.faults.cpu_quota import Scarce
from paydrill.faults.memory_limit import Short
from paydrill.faults.visitor import Visitor
from paydrill.target import Health
from paydrill.topology import Node

NODE = Node("shop-1", "shop", 1)


@pytest.mark.parametrize(
    ("name", "fields", "says"),
    [
        ("clock_step", {"step_s": 4}, "at least 5"),
        ("clock_step", {"step_s": -4}, "at least 5"),
        ("timezone", {"zone": "Middle/Earth"}, "no time zone"),
        ("timezone", {"zone": "../etc/passwd"}, "no time zone"),
        ("cpu_quota", {"cpu_share": 0.01}, "at least"),
        ("cpu_quota", {"cpu_share": 1.0}, "at most"),
        ("memory_limit", {"limit_mb": 100, "headroom_mb": 16}, "at most one"),
        ("memory_limit", {"headroom_mb": 4}, "at least 8"),
    ],
)
def test_what_could_not_be_seen_is_refused_at_once(name, fields, says):
    with pytest.raises(ValueError, match=says):
        faults.known()[name](node="shop", **fields)


def test_a_step_may_go_back_and_nothing_else_may():
    below = [
        (name, spec.key)
        for name, fault in faults.known().items()
        for spec in specs_of(fault)
        if spec.kind in ("whole", "number") and spec.least < 0
    ]
    assert below == [("clock_step", "step_s")]


class Clock(http.server.BaseHTTPRequestHandler):
    """A service whose clock is `server.ahead_s` ahead; without one when that is None."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response_only(200)
        if self.server.ahead_s is not None:
            self.send_header("Date", formatdate(time.time() + self.server.ahead_s, usegmt=True))
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def shop():
    """A stack of one node, whose clock obeys only when `stack.obeys`."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Clock) as server:
        server.daemon_threads, server.ahead_s = True, 0
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def step(_, step_s):
            if stack.obeys:
                server.ahead_s = step_s

        probe = Probe(NODE, Address("127.0.0.1", server.server_port), Health(http="/"))
        stack = SimpleNamespace(
            obeys=True, server=server, clocks=SimpleNamespace(step=step), probe=lambda _: probe
        )
        yield stack
        server.shutdown()


@pytest.mark.parametrize("step_s", [60, -60, 86400])
def test_a_step_is_witnessed_by_what_the_node_tells(shop, step_s):
    shop.clocks.step(NODE, step_s)
    seen = Stepped(shop, [NODE], step_s).witness()
    assert seen.witnessed and abs(seen.measured["off_s"] - step_s) <= 2.5
    shop.clocks.step(NODE, 0)
    require_right(shop, NODE)


def test_a_step_that_does_nothing_is_not_witnessed(shop):
    shop.obeys = False
    shop.clocks.step(NODE, 60)
    assert not Stepped(shop, [NODE], 60).witness().witnessed


def test_a_node_that_tells_no_time_is_not_witnessed(shop):
    shop.server.ahead_s = None
    seen = Stepped(shop, [NODE], 60).witness()
    assert not seen.witnessed and "tells no time" in seen.detail


def test_a_clock_that_stays_wrong_is_not_healed(shop):
    shop.clocks.step(NODE, 60)
    with pytest.raises(FaultNotApplied, match=r"put right and is \+\d+\.\d s off"):
        require_right(shop, NODE)


def limited(*, got, counts):
    """A stack whose kernel counts so on, and where a command prints what it got."""
    counted = iter(counts)

    def count(_):
        return next(counted)

    done = SimpleNamespace(code=0, stdout=str(got).encode(), stderr=b"")
    limits = SimpleNamespace(throttled=count, oom_kills=count, memory_used=lambda _: 0)
    return SimpleNamespace(limits=limits, run_in=lambda *_: done, process=lambda _: None)


@pytest.mark.parametrize(
    ("got", "counts", "witnessed"),
    [(0.1, (4, 9), True), (1.0, (4, 4), False), (0.1, (4, 4), False), (0.9, (4, 9), False)],
    ids=["held back", "nothing done", "the machine was busy", "held back, yet not so much"],
)
def test_a_cpu_quota_is_witnessed_by_the_kernel_and_a_busy_process_together(got, counts, witnessed):
    assert Scarce(limited(got=got, counts=counts), [NODE], 0.1).witness().witnessed == witnessed


@pytest.mark.parametrize(
    ("counts", "witnessed", "asked"),
    [((1, 1), False, 1), ((1, 2), True, 1), ((3, 3), True, 0)],
    ids=["nobody killed", "ours killed", "the node's own killed"],
)
def test_a_memory_limit_is_witnessed_by_the_kernel_having_killed_for_it(counts, witnessed, asked):
    stack, asks = limited(got=0, counts=counts), []
    stack.limits.asks_for_more = lambda *about: asks.append(about)
    assert Short(stack, [NODE], [1 << 20], [1]).witness().witnessed == witnessed
    assert len(asks) == asked


@pytest.mark.parametrize(
    ("fields", "used_mb", "limit_mb"),
    [
        ({}, 50, 82),
        ({"headroom_mb": 8}, 50, 58),
        ({"limit_mb": 200}, 50, 200),
        ({"limit_mb": 49}, 50, None),
        ({"limit_mb": 900}, 50, None),
    ],
)
def test_a_memory_limit_is_above_what_a_node_has_and_near_enough_to_be_felt(fields, used_mb, limit_mb):
    limit, stack = faults.known()["memory_limit"](node="shop", **fields), limited(got=0, counts=())
    stack.limits.memory_used = lambda _: used_mb << 20
    if limit_mb is None:
        with pytest.raises(FaultNotApplied, match="shop-1 has 50 MB"):
            limit._limit_bytes(stack, NODE)
    else:
        assert limit._limit_bytes(stack, NODE) == limit_mb << 20


@contextlib.contextmanager
def database(places):
    """Lets so many clients in; the role is authenticated before places are counted, as PostgreSQL does it."""
    inside = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    client = server.accept()[0]
                    client.recv(100)
                    inside[:] = [one for one in inside if still_there(one)]
                    if len(inside) < places[0]:
                        inside.append(client)
                        client.sendall(b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\5I")
                    else:
                        client.sendall(b"R\0\0\0\x08\0\0\0\0" + b"E\0\0\0\x20SFATAL\0C53300\0Mtoo many\0\0")
                        client.close()

        threading.Thread(target=serve, daemon=True).start()
        yield Probe(NODE, Address(*server.getsockname()), Health(postgres=True))
        for one in inside:
            one.close()


def still_there(client):
    client.setblocking(False)
    try:
        return client.recv(10, socket.MSG_PEEK) not in (b"", b"X\0\0\0\4")
    except BlockingIOError:
        return True


def test_all_places_are_taken_kept_taken_and_given_back():
    places = [5]
    with database(places) as probe:
        taken = Taken(probe, NODE)
        taken.take_all()
        assert len(taken.held) == 5 and taken.witness().witnessed
        places[0] = 6
        taken.step()
        assert len(taken.held) == 6 and taken.witness().witnessed
        taken.give_up()
        assert not taken.held
        answered, session = knock(probe, 1.0)
        assert answered == "let in" and session is not None
        session.close()


def test_a_place_that_somebody_has_just_left_is_taken_before_the_witness_gives_up():
    places = [5]
    with database(places) as probe:
        taken = Taken(probe, NODE)
        taken.take_all()
        places[0] = 6
        soon = threading.Timer(0.3, taken.step)
        soon.start()
        assert taken.witness().witnessed
        soon.join()


def test_a_database_that_has_places_is_not_witnessed_as_full():
    with database([5]) as probe:
        assert not Taken(probe, NODE).witness().witnessed


def test_a_silent_database_is_not_witnessed_as_full():
    with socket.create_server(("127.0.0.1", 0)) as server:
        probe = Probe(NODE, Address(*server.getsockname()), Health(postgres=True))
        assert knock(probe, 0.1) == ("nothing", None)


def test_a_visitor_asks_again_on_its_connection_and_notices_the_end(shop):
    with Visitor.of(shop.probe(NODE)) as visitor:
        assert visitor.asks(2.0) and visitor.asks(2.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        mute = Probe(NODE, Address(*server.getsockname()), Health(http="/"))
        with Visitor.of(mute) as visitor:
            assert not visitor.asks(0.1) and not visitor.asks(0.1)


# Each takes the fault's effect away behind its back, as if it had never had one.
WITHOUT = {
    "clock_step": lambda stack, node: stack.clocks.step(node, 0),
    "cpu_quota": lambda stack, node: stack.limits.cpu(node, None),
    "memory_limit": lambda stack, node: stack.limits.memory(node, None),
    "fd_exhaust": lambda stack, node: stack.limits.give_files_back(node),
    "timezone": lambda stack, node: stack.clocks.use_zone(node, "Etc/UTC"),
}


def without_effect(stack, _):
    """A conductor that writes down which faults were witnessed although nothing was done."""
    wrongly = []
    for number, (case, undo) in enumerate(WITHOUT.items(), 1):
        stack.wait_healthy(stack.topology.nodes, 20)
        fault = live.fault_of(case)
        with fault.inject(live.scene(stack, number)) as in_force:
            for place in fault.places(stack.topology):
                undo(stack, stack.topology.node(place))
            if case == "clock_step":
                time.sleep(1.5)  # servers write a date down for a second
            give_up = time.monotonic() + 5
            while isinstance(in_force, Unfolds) and in_force.step() < 1 and time.monotonic() < give_up:
                time.sleep(0.05)
            if in_force.witness().witnessed:
                wrongly.append(case)
    (stack.setup.run_dir / "wrongly.json").write_text(json.dumps(wrongly))


@pytest.mark.exhaustive
@pytest.mark.parametrize("backend", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_on_a_real_stack_none_is_witnessed_without_its_effect(tmp_path, backend):
    if lacks := live.backend_of(backend).missing():
        if backend == "docker" and os.environ.get("PAYDRILL_REQUIRE_DOCKER") == "1":
            pytest.fail(f"PAYDRILL_REQUIRE_DOCKER=1, but: {lacks}")
        pytest.skip("; ".join(lacks))
    setup = live.setup_for(list(WITHOUT), tmp_path)
    with live.backend_of(backend).launch(setup, without_effect) as world:
        outcome = world.wait(150)
    told = setup.run_dir / "wrongly.json"
    assert told.exists(), f"{outcome}\n{(setup.run_dir / 'logs' / 'conductor.log').read_text()[-3000:]}"
    assert json.loads(told.read_text()) == []
