"""A PSP in trouble: what cannot be sent is refused for certain, before anything of it is sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


def test_an_open_circuit_refuses_for_certain_and_the_same_key_works_later(start_stack, await_that):
    with start_stack() as stack:
        orders = {stack.create(f"open-{n}"): next(stack.tokens) for n in range(12)}
        late, token = stack.create("open-late"), next(stack.tokens)
        stack.nodes["psp"].kill()
        with ThreadPoolExecutor(12) as pool:
            accepted = list(pool.map(lambda o: stack.pay(o, orders[o], f"{o}-pay").status, orders))
        assert set(accepted) <= {202, 503}
        refused = stack.pay(late, token, "open-late-pay")
        assert (refused.status, refused.code, stack.state(late)) == (503, "overloaded", "payment_failed")
        stack.restart_psp()
        await_that(
            lambda: stack.pay(late, token, "open-late-pay").status == 200,
            "the circuit closes after the PSP is back",
        )
        stack.settle()
        assert stack.effects(token, "capture") == [435]
        for (order, number), status in zip(orders.items(), accepted, strict=True):
            assert stack.effects(number, "capture") == ([435] if status == 202 else []), order


def test_calls_beyond_the_bulkhead_are_shed_before_they_are_sent(start_stack):
    with start_stack(env={"PSP_AT_ONCE": "1"}) as stack:
        first, second = stack.create("held"), stack.create("shed")
        token, other = next(stack.tokens), next(stack.tokens)
        stack.psp.arm(action="create", token=token, max_s=20)
        with ThreadPoolExecutor(1) as pool:
            paying = pool.submit(stack.pay, first, token, "held-pay")
            held = stack.psp.wait_held(10)
            assert held is not None
            shed = stack.pay(second, other, "shed-pay")
            stack.psp.release(held.hold)
            assert paying.result().status in (200, 202)
        assert (shed.status, shed.code) == (503, "overloaded")
        assert stack.effects(other, "capture") == []
        assert stack.pay(second, other, "shed-pay").status == 200
