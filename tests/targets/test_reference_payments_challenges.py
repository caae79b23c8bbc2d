"""Payments that need the customer once more, or time: challenges and asynchronous methods."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest


def challenged(stack, ref, token):
    """An order whose payment waits for a challenge; its id and the challenge's."""
    order = stack.create(ref)
    reply = stack.pay(order, f"{token}_challenge", f"{ref}-pay")
    assert (reply.status, reply.body["status"]) == (202, "payment_pending"), reply
    assert stack.get(f"/v1/orders/{order}").body["payment"]["next_action"] == reply.body["next_action"]
    return order, reply.body["next_action"]["challenge"]


def states(stack, order):
    rows = stack.sql(
        "SELECT to_state FROM payment_history h JOIN payments p ON p.id = h.payment_id "
        f"WHERE order_id = '{order}' ORDER BY p.attempt, seq"
    )
    return [row[0] for row in rows]


def test_a_challenge_that_is_done_pays_once_also_when_done_twice(stack, token):
    order, challenge = challenged(stack, "done", token)
    assert stack.do_challenge(challenge).status == 200
    stack.await_state(order, "fulfilled")
    assert stack.do_challenge(challenge).status == 200
    assert stack.effects(token, "capture") == [435]
    assert states(stack, order) == ["intent", "submitted", "requires_action", "captured"]


def test_a_challenge_that_is_refused_declines_and_another_card_may_follow(stack, token):
    order, challenge = challenged(stack, "refused", token)
    stack.do_challenge(challenge, "refuse")
    stack.await_state(order, "payment_failed")
    assert states(stack, order)[-1] == "declined"
    assert stack.pay(order, next(stack.tokens), "refused-pay-2").status == 200


def test_an_abandoned_challenge_is_cancelled_at_the_psp_and_fails_on_its_word(stack, token):
    order, challenge = challenged(stack, "abandoned", token)
    stack.await_state(order, "payment_failed")
    assert stack.at_psp(challenge)["status"] == "canceled"
    assert stack.do_challenge(challenge).status == 409
    assert stack.effects(token, "capture") == []
    assert states(stack, order) == ["intent", "submitted", "requires_action", "failed"]
    assert stack.pay(order, next(stack.tokens), "abandoned-pay-2").status == 200


@pytest.mark.parametrize("outcome", ["approve", "refuse"])
def test_a_challenge_whose_event_is_late_is_settled_by_the_reconciler(stack, token, outcome):
    stack.psp.behave({"webhook_delay": 1.0, "webhook_delay_s": 30.0})
    try:
        order, challenge = challenged(stack, f"late-event-{outcome}", token)
        stack.do_challenge(challenge, outcome)
        stack.await_state(order, "fulfilled" if outcome == "approve" else "payment_failed")
    finally:
        stack.psp.behave({})
    assert len(stack.effects(token, "capture")) == (outcome == "approve")


def test_an_approval_that_comes_before_the_cancelling_wins(stack, token):
    """The cancelling is held at the PSP's door; the customer approves meanwhile."""
    order, challenge = challenged(stack, "late-approval", token)
    stack.psp.arm(action="cancel", token=token, point="before_commit", max_s=20)
    held = stack.psp.wait_held(12)
    assert held is not None
    with ThreadPoolExecutor(1) as pool:
        approval = pool.submit(stack.do_challenge, challenge)
        stack.psp.release(held.hold, "drop")
        approval.result()
    state = stack.await_state(order, "fulfilled", "payment_failed")
    assert len(stack.effects(token, "capture")) == (state == "fulfilled")
    assert stack.at_psp(challenge)["status"] == ("succeeded" if state == "fulfilled" else "canceled")


def test_a_lost_answer_to_the_cancelling_fails_the_payment_once(stack, token):
    order, challenge = challenged(stack, "lost-cancel", token)
    stack.psp.arm(action="cancel", token=token, max_s=3)
    stack.await_state(order, "payment_failed")
    assert stack.at_psp(challenge)["status"] == "canceled"


def test_a_challenge_before_a_hold_ends_in_a_hold(stack, token):
    order = stack.create("challenged-hold")
    body = {"payment_token": f"pm_pd_{token}_challenge", "amount": 435, "currency": "USD", "capture": "later"}
    reply = stack.post(f"/v1/orders/{order}/pay", body, "challenged-hold-pay")
    stack.do_challenge(reply.body["next_action"]["challenge"])
    stack.await_state(order, "under_review")
    assert stack.admin(f"/admin/orders/{order}/void", {}).status == 200
    assert stack.effects(token, "capture") == []


@pytest.mark.parametrize(("how", "state"), [("async", "fulfilled"), ("asyncfail", "payment_failed")])
@pytest.mark.parametrize("events", ["prompt", "late"])
def test_an_asynchronous_method_settles_by_event_or_by_reconciler(stack, token, how, state, events):
    if events == "late":
        stack.psp.behave({"webhook_delay": 1.0, "webhook_delay_s": 30.0})
    try:
        order = stack.create(f"{how}-{events}")
        reply = stack.pay(order, f"{token}_{how}", f"{how}-{events}-pay")
        assert (reply.status, reply.body["payment"]["status"]) == (202, "pending_async")
        assert stack.cancel(order, f"{how}-{events}-cancel").code == "state_conflict"
        stack.await_state(order, state)
    finally:
        stack.psp.behave({})
    assert states(stack, order)[2] == "pending_async"
    assert len(stack.effects(token, "capture")) == (how == "async")
