"""What a customer does when nothing is broken."""

from __future__ import annotations


def test_an_order_is_placed_paid_and_fulfilled(stack, token):
    order = stack.create("happy")
    paid = stack.pay(order, token, "happy-pay")
    assert (paid.status, paid.body["total"], paid.body["currency"]) == (200, 435, "USD")
    stack.await_state(order, "fulfilled")
    assert stack.effects(token, "capture") == [435]
    delivered = [
        line for line in (stack.folder / "deliveries.jsonl").read_text().splitlines() if order in line
    ]
    assert len(delivered) == 1 and '"order.paid"' in delivered[0]


def test_a_customer_sees_only_their_own_orders(stack):
    order = stack.create("mine", customer="ann")
    assert stack.get(f"/v1/orders/{order}", customer="bob").status == 404
    assert stack.cancel(order, "x").status == 200
    assert stack.pay(order, 9, "theirs", customer="bob").status == 404
    assert stack.get("/v1/orders?client_ref=mine").body["id"] == order
    assert stack.get("/v1/orders?client_ref=mine", customer="bob").status == 404


def test_who_is_not_named_is_refused(stack):
    assert stack.get("/v1/orders/x", customer="not a customer").status == 401


def test_a_repeated_request_is_answered_byte_for_byte(stack, token):
    order = stack.create("replay")
    first, second = stack.pay(order, token, "replay-pay"), stack.pay(order, token, "replay-pay")
    assert (first.replayed, second.replayed) == (False, True)
    assert first.text == second.text and first.status == second.status
    assert stack.effects(token, "capture") == [435]


def test_a_key_with_another_body_is_refused(stack, token):
    order = stack.create("reuse")
    assert stack.pay(order, token, "reuse-pay").status == 200
    other = stack.pay(order, token + 5000, "reuse-pay")
    assert (other.status, other.code) == (422, "idempotency_key_reused")


def test_a_post_without_a_key_is_refused(stack):
    reply = stack.post("/v1/orders", {}, None)
    assert (reply.status, reply.code) == (400, "idempotency_key_missing")


def test_one_order_for_one_client_ref_whatever_the_keys(stack):
    order = stack.create("same-cart")
    cart = {"client_ref": "same-cart", "items": [{"sku": "tea-green", "qty": 1}], "currency": "USD"}
    again = stack.post("/v1/orders", {**cart, "expected_total": 435}, "same-cart-other-key")
    assert (again.status, again.body["id"]) == (200, order)


def test_a_wrong_total_is_refused_and_leaves_nothing_behind(stack):
    cart = {"client_ref": "wrong", "items": [{"sku": "tea-green", "qty": 1}], "currency": "USD"}
    reply = stack.post("/v1/orders", {**cart, "expected_total": 434}, "wrong-create")
    assert (reply.status, reply.code) == (422, "amount_mismatch")
    assert stack.get("/v1/orders?client_ref=wrong").status == 404
    assert stack.post("/v1/orders", {**cart, "expected_total": 434}, "wrong-create").replayed


def test_more_than_the_stock_is_refused_and_nothing_is_reserved(stack):
    before = stack.sql("SELECT sum(reserved) FROM stock")
    items = [{"sku": "tea-green", "qty": 1}, {"sku": "hot", "qty": 201}]
    cart = {"client_ref": "greedy", "items": items, "currency": "USD", "expected_total": 435 + 201 * 2999}
    reply = stack.post("/v1/orders", cart, "greedy-create")
    assert (reply.status, reply.code) == (409, "insufficient_stock")
    assert stack.sql("SELECT sum(reserved) FROM stock") == before


def test_a_refund_is_made_once(stack, token):
    order = stack.create("refund")
    stack.pay(order, token, "refund-pay")
    first, second = stack.refund(order, 135, "refund-1"), stack.refund(order, 135, "refund-1")
    assert (first.status, second.text) == (200, first.text)
    assert first.body["status"] == "partially_refunded"
    assert stack.refund(order, 301, "refund-too-much").code == "state_conflict"
    assert stack.refund(order, 300, "refund-2").body["status"] == "refunded"
    assert stack.effects(token, "refund") == [135, 300]


def test_an_unpaid_order_can_be_cancelled_and_then_not_be_paid(stack, token):
    order = stack.create("cancel")
    assert stack.cancel(order, "cancel-1").body["status"] == "cancelled"
    assert stack.pay(order, token, "cancel-pay").code == "state_conflict"
    assert stack.effects(token, "capture") == []


def test_a_paid_order_cannot_be_cancelled(stack, token):
    order = stack.create("cancel-paid")
    stack.pay(order, token, "cancel-paid-pay")
    assert stack.cancel(order, "cancel-paid-1").code == "state_conflict"


def test_a_decline_is_told_and_another_card_may_follow(stack, token):
    order = stack.create("declined")
    stack.psp.behave({"decline": 1.0})
    try:
        declined = stack.pay(order, token, "declined-1")
    finally:
        stack.psp.behave({})
    assert (declined.status, declined.body["status"]) == (402, "payment_failed")
    other = next(stack.tokens)
    assert stack.pay(order, other, "declined-2").status == 200
    assert (stack.effects(token, "capture"), stack.effects(other, "capture")) == ([], [435])
