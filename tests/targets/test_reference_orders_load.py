"""More than a process can do, and a process that ends: refused definitely, and nothing is lost."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import uvicorn
from services.draining import Server
from services.web import make_app


def test_payments_beyond_the_bulkhead_are_refused_before_anything_is_done(start_stack):
    with start_stack(env={"MONEY_AT_ONCE": "1"}) as stack:
        slow, quick = stack.create("slow"), stack.create("quick")
        token, other = next(stack.tokens), next(stack.tokens)
        stack.psp.arm(action="create", effect="capture", token=token, max_s=20)
        at = stack.nodes["orders-1"].port
        with ThreadPoolExecutor(1) as pool:
            paying = pool.submit(stack.pay, slow, token, "slow-pay", port=at)
            held = stack.psp.wait_held(10)
            refused = stack.pay(quick, other, "quick-pay", port=at)
            assert (refused.status, refused.code, refused.headers["Retry-After"]) == (503, "overloaded", "1")
            # Reading has a place of its own.
            assert stack.request("GET", f"/v1/orders/{quick}", port=at).body["status"] == "reserved"
            assert stack.sql("SELECT count(*) FROM idempotency WHERE key = 'quick-pay'") == [["0"]]
            stack.psp.release(held.hold)
            paying.result()
        assert stack.pay(quick, other, "quick-pay", port=at).status == 200
        assert 'shed_total{reason="money"} 1.0' in stack.request("GET", "/metrics", port=at).text


def test_a_caller_that_asks_too_much_is_told_to_wait_and_others_are_not(start_stack):
    with start_stack(env={"CALLER_RATE": "1"}) as stack:
        order, at = stack.create("eager"), stack.nodes["orders-1"].port
        replies = [stack.request("GET", f"/v1/orders/{order}", port=at) for _ in range(12)]
        refused = [reply for reply in replies if reply.status == 429]
        assert refused and {reply.status for reply in replies} == {200, 429}
        assert {(reply.code, reply.headers["Retry-After"]) for reply in refused} == {("rate_limited", "1")}
        assert stack.get(f"/v1/orders/{order}", customer="bob").status == 404


def test_nodes_that_are_told_to_end_lose_no_request(stack, await_that):
    """Every node in turn, each as soon as the one before is back, under shoppers who go through nginx."""
    is_over, seen = threading.Event(), []

    def shop(n):
        for i in itertools.count():
            if is_over.is_set():
                return
            ref = f"drain-{n}-{i}"
            cart = {"client_ref": ref, "items": [{"sku": "tea-green", "qty": 1}], "currency": "USD"}
            placed = stack.post("/v1/orders", cart, f"{ref}-create")
            seen.append(placed.status)
            if placed.status == 201:
                seen.append(stack.pay(placed.body["id"], next(stack.tokens), f"{ref}-pay").status)

    with ThreadPoolExecutor(3) as pool:
        shoppers = [pool.submit(shop, n) for n in range(3)]
        for name in ("orders-1", "orders-2", "payments-1", "payments-2", "orders-1"):
            node, before = stack.nodes[name], len(seen)
            node.process.send_signal(signal.SIGTERM)
            assert node.process.wait(timeout=10) == -signal.SIGTERM
            assert len(seen) > before
            node.start()
            await_that(node.is_healthy, f"{name} is back")
        is_over.set()
        for shopper in shoppers:
            shopper.result()
    assert set(seen) == {200, 201}


def test_who_has_connected_before_the_listener_closes_is_served():
    """Also where the process has not come to accept it: the kernel has, and the request is on its way."""

    @asynccontextmanager
    async def no_lifespan(app):
        yield

    async def end_with_callers_in_the_queue():
        app = make_app([], no_lifespan, lambda request: True)
        server = Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None), app)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        # Nothing gives the loop a turn between these and the end: they are not accepted yet.
        callers = [http.client.HTTPConnection("127.0.0.1", port, timeout=5) for _ in range(3)]
        for caller in callers:
            caller.request("GET", "/livez")
        await server.shutdown()
        assert not _accepts(port)
        server.should_exit = True
        await serving
        answers = [caller.getresponse() for caller in callers]
        return [(answer.status, answer.getheader("Connection")) for answer in answers]

    assert asyncio.run(end_with_callers_in_the_queue()) == [(200, "close")] * 3


def test_a_node_that_ends_refuses_new_connections_and_closes_old_ones_after_their_answer(stack):
    node = stack.nodes["orders-1"]
    kept = http.client.HTTPConnection("127.0.0.1", node.port, timeout=5)
    kept.request("GET", "/livez")
    assert kept.getresponse().read() == b"ok\n"
    node.process.send_signal(signal.SIGTERM)
    try:
        while _accepts(node.port):
            time.sleep(0.02)
        kept.request("GET", "/livez")
        answer = kept.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (200, "close")
        answer.read()
    finally:
        node.process.wait(timeout=10)
        node.start()
        while not node.is_healthy():
            time.sleep(0.05)


def test_a_worker_that_is_told_to_end_finishes_what_it_has_begun(stack, token):
    order = stack.create("worker-ends")
    worker = stack.nodes["worker"]
    stack.pay(order, token, "worker-ends-pay")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(timeout=10) == -signal.SIGTERM
    worker.start()
    stack.await_state(order, "fulfilled")
    assert "worker_failed" not in worker.log()


def _accepts(port):
    probe = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        probe.connect()
    except ConnectionRefusedError:
        return False
    finally:
        probe.close()
    return True
