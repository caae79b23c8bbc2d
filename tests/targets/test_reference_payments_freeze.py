"""While payments are frozen nothing that moves money is begun, and what is known goes on."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest


@pytest.fixture(scope="module")
def cold(request):
    start_stack = request.getfixturevalue("start_stack_for_module")
    with start_stack() as stack:
        yield stack


@contextmanager
def frozen(stack):
    assert stack.admin("/admin/freeze", {}).status == 200
    try:
        yield
    finally:
        assert stack.admin("/admin/unfreeze", {}).status == 200


def posts(stack):
    """How many calls that move money the PSP has received."""
    lines = [
        json.loads(line.partition(" ")[2]) for line in (stack.folder / "psp.jsonl").read_text().splitlines()
    ]
    moving = ("create", "confirm", "capture", "cancel", "refund")
    return sum(line["kind"] == "request" and line.get("action") in moving for line in lines)


def test_a_frozen_stack_begins_nothing_and_goes_on_afterwards(cold, await_that):
    stack = cold
    paid, unpaid = stack.create("frozen-paid"), stack.create("frozen-unpaid")
    token = next(stack.tokens)
    stack.pay(paid, token, "frozen-paid-pay")
    challenged = stack.create("frozen-challenge")
    reply = stack.pay(challenged, f"{next(stack.tokens)}_challenge", "frozen-challenge-pay")
    stray = next(stack.tokens)
    with frozen(stack):
        before = posts(stack)
        stack.charge_at_psp(stray, 435, {"order": paid})
        assert stack.pay(unpaid, next(stack.tokens), "frozen-unpaid-pay").code == "frozen"
        assert stack.refund(paid, 100, "frozen-refund").code == "frozen"
        stack.await_sql("SELECT count(*) FROM refunds WHERE kind = 'surplus' AND checks > 1", "1")
        stack.await_sql(f"SELECT checks > 2 FROM payments WHERE order_id = '{challenged}'", "t")
        assert posts(stack) == before + 1
        assert stack.state(challenged) == "payment_pending"
        stack.do_challenge(reply.body["next_action"]["challenge"])
        stack.await_state(challenged, "fulfilled")
    await_that(lambda: stack.effects(stray, "refund") == [435], "the surplus is given back after the thaw")


def test_a_payment_whose_answer_was_lost_is_not_asked_for_again_while_frozen(cold, await_that):
    stack = cold
    order, token = stack.create("frozen-lost"), next(stack.tokens)
    late = {"webhook_delay": 1.0, "webhook_delay_s": 30.0}
    stack.psp.behave({"slow_commit": 1.0, "slow_commit_s": 4.0, **late})
    try:
        assert stack.pay(order, token, "frozen-lost-pay").status == 202
    finally:
        stack.psp.behave({})
    with frozen(stack):
        before = posts(stack)
        stack.await_state(order, "fulfilled")
        assert posts(stack) == before
    assert stack.effects(token, "capture") == [435]


def test_an_attempt_that_was_promised_waits_for_the_thaw(cold, await_that):
    """Orders had begun it when payments were frozen: it is neither lost nor made before."""
    stack = cold
    order, token = stack.create("frozen-between"), next(stack.tokens)
    stack.sql("UPDATE switches SET is_on = true WHERE name = 'freeze'")
    body = {"order": order, "attempt": 1, "amount": 435, "currency": "USD", "payment_token": f"pm_pd_{token}"}
    stack.sql(
        f"UPDATE orders SET state = 'payment_pending', pay_attempt = 1, pay_token = 'pm_pd_{token}' WHERE id = '{order}'"
    )
    reply = stack.post_to_payments("/v1/payments", body, f"order:{order}:pay:1")
    assert (reply.status, reply.body["status"]) == (202, "submitted")
    stack.await_sql(f"SELECT checks > 1 FROM payments WHERE order_id = '{order}'", "t")
    assert stack.effects(token, "capture") == []
    stack.sql("UPDATE switches SET is_on = false WHERE name = 'freeze'")
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "capture") == [435]
