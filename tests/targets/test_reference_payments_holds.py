"""Money that is held first: captured in whole or in part, let go, or gone by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest


def hold(stack, ref, token):
    """An order whose money is held; its id."""
    order = stack.create(ref)
    body = {"payment_token": f"pm_pd_{token}", "amount": 435, "currency": "USD", "capture": "later"}
    reply = stack.post(f"/v1/orders/{order}/pay", body, f"{ref}-pay")
    assert (reply.status, reply.body["status"]) == (202, "under_review"), reply
    return order


def states(stack, order):
    rows = stack.sql(
        "SELECT to_state FROM payment_history h JOIN payments p ON p.id = h.payment_id "
        f"WHERE order_id = '{order}' ORDER BY p.attempt, seq"
    )
    return [row[0] for row in rows]


def test_a_hold_is_captured_once_and_pays_the_order(stack, token):
    order = hold(stack, "hold", token)
    assert stack.effects(token, "capture") == []
    first = stack.admin(f"/admin/orders/{order}/capture", {}, "hold-capture")
    again = stack.admin(f"/admin/orders/{order}/capture", {}, "hold-capture")
    assert (first.status, again.text) == (200, first.text)
    assert stack.admin(f"/admin/orders/{order}/capture", {}).code == "state_conflict"
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "capture") == [435]
    assert states(stack, order) == ["intent", "submitted", "authorised", "capturing", "captured"]


def test_a_part_of_a_hold_is_captured_and_only_that_can_be_refunded(stack, token):
    order = hold(stack, "part", token)
    assert stack.admin(f"/admin/orders/{order}/capture", {"amount": 436}).status == 422
    captured = stack.admin(f"/admin/orders/{order}/capture", {"amount": 300})
    assert (captured.status, captured.body["payment"]["amount"]) == (200, 300)
    assert stack.effects(token, "capture") == [300]
    assert stack.refund(order, 301, "part-refund-1").code == "state_conflict"
    assert stack.refund(order, 300, "part-refund-2").body["status"] == "refunded"
    assert stack.effects(token, "refund") == [300]


def test_a_hold_that_is_let_go_can_be_paid_anew(stack, token):
    order = hold(stack, "void", token)
    voided = stack.admin(f"/admin/orders/{order}/void", {})
    assert (voided.status, voided.body["status"]) == (200, "payment_failed")
    assert states(stack, order) == ["intent", "submitted", "authorised", "voiding", "voided"]
    assert stack.admin(f"/admin/orders/{order}/capture", {}).code == "state_conflict"
    assert stack.pay(order, next(stack.tokens), "void-pay-2").status == 200
    assert stack.effects(token, "capture") == []


def test_a_declined_hold_is_told_at_once(stack, token):
    order = stack.create("hold-declined")
    body = {"payment_token": f"pm_pd_{token}_declined", "amount": 435, "currency": "USD", "capture": "later"}
    assert stack.post(f"/v1/orders/{order}/pay", body, "hold-declined-pay").status == 402


@pytest.mark.parametrize("behaviour", ["commit_then_drop", "commit_then_500"])
def test_a_lost_answer_to_a_capture_captures_once(stack, token, behaviour):
    order = hold(stack, f"capture-{behaviour}", token)
    stack.psp.behave({behaviour: 1.0})
    try:
        assert stack.admin(f"/admin/orders/{order}/capture", {"amount": 200}).status in (200, 202)
    finally:
        stack.psp.behave({})
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "capture") == [200]


def test_a_capture_that_commits_after_everybody_gave_up_is_kept_once(stack, token):
    order = hold(stack, "slow-capture", token)
    stack.psp.behave({"slow_commit": 1.0, "slow_commit_s": 3.0})
    try:
        assert stack.admin(f"/admin/orders/{order}/capture", {}).status == 202
    finally:
        stack.psp.behave({})
    assert "unknown" in states(stack, order)
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "capture") == [435]


def test_a_payments_node_killed_while_capturing_captures_once(stack, token):
    order = hold(stack, "killed-capture", token)
    stack.psp.arm(action="capture", token=token, max_s=20)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(stack.admin, f"/admin/orders/{order}/capture", {})
        held = stack.psp.wait_held(10)
        assert held is not None
        killed = [node for name, node in stack.nodes.items() if name.startswith("payments")]
        for node in killed:
            node.kill()
        stack.psp.release(held.hold, "drop")
        for node in killed:
            node.start()
        first.result()
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "capture") == [435]


def test_capture_and_void_at_once_never_both_win(stack):
    for n in range(4):
        token = next(stack.tokens)
        order = hold(stack, f"hold-race-{n}", token)
        with ThreadPoolExecutor(2) as pool:
            done = [
                pool.submit(stack.admin, f"/admin/orders/{order}/{what}", {}) for what in ("capture", "void")
            ]
            capture, void = [future.result() for future in done]
        assert sorted((capture.status, void.status)) == [200, 409]
        assert len(stack.effects(token, "capture")) == (capture.status == 200)


def test_a_hold_that_expires_fails_on_the_psps_word(stack, token):
    stack.psp.behave({"auth_life_s": 1.0})
    try:
        order = hold(stack, "expires", token)
        stack.await_state(order, "payment_failed")
    finally:
        stack.psp.behave({})
    assert states(stack, order) == ["intent", "submitted", "authorised", "expired"]
    assert stack.admin(f"/admin/orders/{order}/capture", {}).code == "state_conflict"


def test_a_capture_that_comes_too_late_takes_nothing(stack, token):
    """The PSP has let the hold go, and its event is late: the capture is refused, and its record shows why."""
    stack.psp.behave({"auth_life_s": 1.0, "webhook_delay": 1.0, "webhook_delay_s": 5.0})
    try:
        order = hold(stack, "too-late", token)
        stack.sql(f"UPDATE payments SET next_check_at = now() + interval '1 hour' WHERE order_id = '{order}'")
        intent = stack.sql(f"SELECT psp_id FROM payments WHERE order_id = '{order}'")[0][0]
        stack.await_at_psp(intent, "canceled")
        late = stack.admin(f"/admin/orders/{order}/capture", {})
    finally:
        stack.psp.behave({})
    assert (late.status, stack.state(order)) == (409, "payment_failed")
    assert states(stack, order)[-2:] == ["capturing", "expired"]


def test_a_hold_that_we_know_nothing_of_is_let_go(stack, token, await_that):
    intent = stack.charge_at_psp(token, 435, {"order": "ord_none"}, capture_method="manual")
    await_that(lambda: stack.at_psp(intent)["status"] == "canceled", "the stray hold is cancelled")
    await_that(
        lambda: stack.sql(f"SELECT how FROM recon_breaks WHERE subject = '{intent}'") == [["released"]],
        "the break is closed",
    )
