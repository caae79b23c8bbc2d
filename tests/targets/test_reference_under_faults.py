"""Lost answers, deaths and races: the customer is charged once, and every order is told the truth."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest


def at_once(*deeds):
    with ThreadPoolExecutor(len(deeds)) as pool:
        return [done.result() for done in [pool.submit(deed) for deed in deeds]]


def test_twelve_equal_payments_at_once_charge_once(stack, token):
    order = stack.create("burst")
    replies = at_once(*[lambda: stack.pay(order, token, "burst-pay")] * 12)
    assert {reply.status for reply in replies} <= {200, 409}
    assert {r.code for r in replies if r.status == 409} <= {"idempotency_in_progress"}
    assert len({reply.text for reply in replies if reply.status == 200}) == 1
    assert stack.effects(token, "capture") == [435]


def test_two_keys_at_once_charge_once(stack, token):
    order = stack.create("two-keys")
    other = next(stack.tokens)
    replies = at_once(
        lambda: stack.pay(order, token, "two-keys-1"), lambda: stack.pay(order, other, "two-keys-2")
    )
    assert sorted(reply.status for reply in replies) == [200, 409]
    assert len(stack.effects(token, "capture") + stack.effects(other, "capture")) == 1


def test_a_lost_answer_of_the_psp_is_asked_for_again_with_the_same_key(stack, token):
    order = stack.create("dropped")
    stack.psp.arm(action="create", token=token, max_s=1.5)
    reply = stack.pay(order, token, "dropped-pay")
    # 200 where a webhook or the sweep was quicker than the time-out.
    assert reply.status in (200, 202)
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "capture") == [435]
    assert stack.pay(order, token, "dropped-pay").text == reply.text


@pytest.mark.parametrize("behaviour", ["commit_then_drop", "commit_then_500"])
def test_a_psp_that_loses_every_first_answer_charges_once(stack, token, behaviour):
    order = stack.create(behaviour)
    stack.psp.behave({behaviour: 1.0})
    try:
        reply = stack.pay(order, token, f"{behaviour}-pay")
    finally:
        stack.psp.behave({})
    assert reply.status == 200
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "capture") == [435]


@pytest.mark.parametrize("behaviour", ["commit_then_drop", "commit_then_500"])
def test_a_psp_that_loses_the_answer_to_a_refund_refunds_once(stack, token, behaviour):
    order = stack.create(f"refund-{behaviour}")
    stack.pay(order, token, f"refund-{behaviour}-pay")
    stack.psp.behave({behaviour: 1.0})
    try:
        reply = stack.refund(order, 100, f"refund-{behaviour}-1")
    finally:
        stack.psp.behave({})
    assert reply.status in (200, 202)
    stack.await_state(order, "partially_refunded")
    assert stack.effects(token, "refund") == [100]


def test_a_payment_that_commits_after_everybody_gave_up_is_kept_once(stack, token):
    order = stack.create("slow")
    stack.psp.behave({"slow_commit": 1.0, "slow_commit_s": 3.0})
    try:
        assert stack.pay(order, token, "slow-pay").status == 202
    finally:
        stack.psp.behave({})
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "capture") == [435]


def test_events_that_come_twice_change_nothing(stack, token, await_that):
    order = stack.create("twice")
    stack.psp.behave({"webhook_duplicate": 1.0})
    try:
        stack.pay(order, token, "twice-pay")
        await_that(lambda: stack.psp.status().pending == 0, "all webhooks are delivered")
    finally:
        stack.psp.behave({})
    stack.await_state(order, "fulfilled")
    rows = stack.sql(f"SELECT to_state FROM order_history WHERE order_id = '{order}' ORDER BY seq")
    assert [row[0] for row in rows] == ["created", "reserved", "payment_pending", "paid", "fulfilled"]


def test_a_forged_event_is_refused(stack):
    reply = stack.post("/v1/webhooks/psp", {"id": "evt_1", "type": "x", "data": {"object": {}}}, None)
    assert (reply.status, reply.code) == (400, "bad_signature")


def test_cancel_and_pay_at_once_never_both_win(stack):
    for n in range(6):
        token = next(stack.tokens)
        order = stack.create(f"race-{n}")
        pay, cancel = at_once(
            lambda order=order, token=token, n=n: stack.pay(order, token, f"race-{n}-pay"),
            lambda order=order, n=n: stack.cancel(order, f"race-{n}-cancel"),
        )
        assert sorted((pay.status, cancel.status)) == [200, 409]
        assert len(stack.effects(token, "capture")) == (pay.status == 200)


def test_two_refunds_at_once_never_give_back_more_than_was_paid(stack, token):
    order = stack.create("refund-race")
    stack.pay(order, token, "refund-race-pay")
    replies = at_once(
        lambda: stack.refund(order, 300, "refund-race-1"), lambda: stack.refund(order, 300, "refund-race-2")
    )
    assert sorted(reply.status for reply in replies) == [200, 409]
    assert stack.effects(token, "refund") == [300]


def test_an_unknown_charge_is_attached_to_the_order_that_waits_for_it(stack, token):
    order = stack.create("stray")
    stack.charge_at_psp(token, 435, {"order": order, "payment": "pay_unheard_of"})
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "refund") == []
    assert stack.pay(order, next(stack.tokens), "stray-pay").code == "state_conflict"


def test_unknown_charges_that_no_order_may_keep_are_given_back(stack, await_that):
    orders = {why: stack.create(f"stray-{why}") for why in ("cancelled", "paid", "wrong_amount", "no_order")}
    tokens = {why: next(stack.tokens) for why in orders}
    stack.cancel(orders["cancelled"], "stray-cancel")
    assert stack.pay(orders["paid"], next(stack.tokens), "stray-paid").status == 200
    for why, order in orders.items():
        metadata = {"order": "ord_none" if why == "no_order" else order}
        stack.charge_at_psp(tokens[why], 400 if why == "wrong_amount" else 435, metadata)
    for why, token in tokens.items():
        await_that(lambda token=token: stack.effects(token, "refund"), f"{why}: the charge is given back")
        assert stack.effects(token, "refund") == stack.effects(token, "capture")
    states = {why: stack.state(order) for why, order in orders.items()}
    assert states == {
        "cancelled": "cancelled",
        "paid": "fulfilled",
        "wrong_amount": "reserved",
        "no_order": "reserved",
    }


def test_a_payments_node_killed_while_the_psp_has_charged_charges_once(stack, token):
    order = stack.create("killed")
    stack.psp.arm(action="create", effect="capture", token=token, max_s=20)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(stack.pay, order, token, "killed-pay")
        held = stack.psp.wait_held(10)
        assert held is not None
        killed = [node for name, node in stack.nodes.items() if name.startswith("payments")]
        for node in killed:
            node.kill()
        stack.psp.release(held.hold, "drop")
        for node in killed:
            node.start()
        first.result()
    stack.pay_surely(order, token, "killed-pay")
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "capture") == [435]


def test_an_orders_node_killed_while_paying_leaves_nothing_open(stack, token):
    order = stack.create("orders-killed")
    stack.psp.arm(action="create", effect="capture", token=token, max_s=20)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(stack.pay, order, token, "orders-killed-pay")
        held = stack.psp.wait_held(10)
        assert held is not None
        for name in ("orders-1", "orders-2"):
            stack.nodes[name].kill()
            stack.nodes[name].start()
        stack.psp.release(held.hold)
        assert first.result().status == 502
    assert stack.pay_surely(order, token, "orders-killed-pay").status == 200
    assert stack.effects(token, "capture") == [435]


def test_an_attempt_that_no_payments_node_heard_of_is_made_by_the_worker(stack, token, await_that):
    order = stack.create("unheard")
    payments = [node for name, node in stack.nodes.items() if name.startswith("payments")]
    for node in payments:
        node.kill()
    try:
        assert stack.pay(order, token, "unheard-pay").status == 202
        stack.await_state(order, "paid", "fulfilled")
    finally:
        for node in payments:
            node.start()
    for node in payments:
        await_that(node.is_healthy, "payments are healthy")
    assert stack.effects(token, "capture") == [435]


def test_a_worker_killed_between_event_and_mark_sends_it_again_and_nothing_else(stack):
    for n in range(5):
        token = next(stack.tokens)
        order = stack.create(f"worker-{n}")
        stack.pay(order, token, f"worker-{n}-pay")
        stack.nodes["worker"].kill()
        stack.nodes["worker"].start()
    stack.settle()
    rows = stack.sql("SELECT count(*) FROM orders WHERE client_ref LIKE 'worker-_' AND state <> 'fulfilled'")
    assert rows == [["0"]]


def test_a_database_that_drops_every_connection_loses_nothing(stack, token):
    order = stack.create("dropped-db")
    stack.psp.arm(action="create", effect="capture", token=token, max_s=20)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(stack.pay, order, token, "dropped-db-pay")
        held = stack.psp.wait_held(10)
        assert held is not None
        stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        stack.psp.release(held.hold)
        first.result()
    stack.pay_surely(order, token, "dropped-db-pay")
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "capture") == [435]


def test_the_books_agree_after_all_that(start_stack):
    """On a stack of its own: a little of everything, then stock, history and facts are counted."""
    with start_stack() as stack:
        stack.psp.behave({"decline": 0.3, "commit_then_drop": 0.3, "commit_then_500": 0.2})
        orders = [stack.create(f"books-{n}") for n in range(20)]
        at_once(*[lambda o=o: stack.pay(o, next(stack.tokens), f"{o}-pay") for o in orders])
        stack.psp.behave({})
        stack.settle()
        states = {fact["ref"]: fact["state"] for fact in stack.facts("sut_fact") if fact["kind"] == "order"}
        sold = sum(state == "fulfilled" for state in states.values())
        assert {"fulfilled", "payment_failed"} == set(states.values())
        assert sum(len(stack.effects(t, "capture")) for t in range(1, 100)) == sold
        tea = next(row for row in stack.facts("stock") if row["sku"] == "tea-green")
        assert (tea["sold"], tea["reserved"], tea["left"]) == (sold, 0, tea["initial"] - sold)
        moves = sorted(stack.facts("transition"), key=lambda row: row["seq"])
        last = {(row["kind"], row["ref"]): row["to"] for row in moves}
        assert all(last["order", ref] == state for ref, state in states.items())
