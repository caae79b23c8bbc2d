"""What the PSP does by itself with money: it charges back, refunds, lets refunds fail."""

from __future__ import annotations

import pytest


def refund(stack, order, amount, key):
    return stack.post(f"/v1/orders/{order}/refunds", {"amount": amount}, key)


def postings(stack, order):
    """Account and amount of each line about the order, as the ledger has them."""
    rows = stack.sql(
        f"SELECT account, amount FROM ledger_entries WHERE order_id = '{order}' ORDER BY at, ref, line"
    )
    return [(account, int(amount)) for account, amount in rows]


CAPTURED = [("psp_clearing", 435), ("revenue", -435)]


def test_a_chargeback_is_booked_and_shown(stack, token, await_that):
    stack.psp.behave({"dispute_s": 1.0})
    try:
        order = stack.create("disputed")
        assert stack.pay(order, f"{token}_disputed", "disputed-pay").status == 200
        stack.await_state(order, "refunded")
    finally:
        stack.psp.behave({})
    assert stack.get(f"/v1/orders/{order}").body["payment"]["status"] == "charged_back"
    assert postings(stack, order) == [*CAPTURED, ("chargebacks", 435), ("psp_clearing", -435)]
    assert stack.refund(order, 100, "disputed-refund").code == "state_conflict"


def test_a_chargeback_whose_event_is_late_is_found_in_the_settlement_file(start_stack, await_that):
    with start_stack(env={"SETTLEMENT_PERIOD_S": "0.5"}) as stack:
        stack.psp.behave({"dispute_s": 1.0, "webhook_delay": 1.0, "webhook_delay_s": 60.0})
        order, token = stack.create("disputed-late"), next(stack.tokens)
        stack.pay(order, f"{token}_disputed", "disputed-late-pay")
        stack.await_state(order, "refunded")
        breaks = "SELECT kind, how FROM recon_breaks WHERE kind = 'line_without_entry'"
        await_that(lambda: stack.sql(breaks) == [["line_without_entry", "matched"]], "the break is closed")


@pytest.mark.parametrize("events", ["prompt", "late"])
def test_a_refund_that_the_psp_has_made_is_booked_once(stack, token, events):
    late = {"webhook_delay": 1.0, "webhook_delay_s": 30.0} if events == "late" else {}
    stack.psp.behave({"late_decline_s": 1.0, **late})
    try:
        order = stack.create(f"late-decline-{events}")
        assert stack.pay(order, f"{token}_latedecline", f"late-decline-{events}-pay").status == 200
        stack.await_state(order, "refunded")
    finally:
        stack.psp.behave({})
    assert postings(stack, order) == [*CAPTURED, ("refunds", 435), ("psp_clearing", -435)]
    rows = stack.sql(f"SELECT kind, state FROM refunds WHERE order_id = '{order}'")
    assert rows == [["psp", "succeeded"]]


def test_a_pending_refund_ends_when_the_psp_says_so(stack, token):
    order = stack.create("refund-pending")
    stack.pay(order, f"{token}_refundpending", "refund-pending-pay")
    reply = stack.refund(order, 100, "refund-pending-1")
    assert (reply.status, reply.body["refund"]["status"]) == (202, "pending")
    stack.await_state(order, "partially_refunded")
    assert postings(stack, order) == [*CAPTURED, ("refunds", 100), ("psp_clearing", -100)]


def test_a_refund_that_fails_after_it_was_made_is_taken_back_and_reported(stack, token, await_that):
    stack.psp.behave({"refund_fail_s": 1.5})
    try:
        order = stack.create("refund-fails")
        stack.pay(order, f"{token}_refundfail", "refund-fails-pay")
        assert stack.refund(order, 435, "refund-fails-1").body["status"] == "refunded"
        stack.await_state(order, "fulfilled", "paid")
    finally:
        stack.psp.behave({})
    back = [("refunds", 435), ("psp_clearing", -435), ("psp_clearing", 435), ("refunds", -435)]
    assert postings(stack, order) == [*CAPTURED, *back]
    assert stack.get(f"/v1/orders/{order}").body["payment"]["refunded"] == 0
    refund = f"SELECT id FROM refunds WHERE order_id = '{order}'"
    assert stack.sql(f"SELECT kind, how FROM recon_breaks WHERE subject = ({refund})") == [
        ["refund_failed", ""]
    ]


def test_a_full_refund_by_the_psp_ends_one_that_we_have_under_way(stack, token):
    """Ours is refused, since nothing is left; the order is refunded all the same."""
    order = stack.create("both-refund")
    stack.pay(order, token, "both-refund-pay")
    payment = stack.sql(f"SELECT psp_id FROM payments WHERE order_id = '{order}'")[0][0]
    stack.psp.arm(action="refund", token=token, point="before_commit", max_s=1.5)
    stack.refund_at_psp(payment, token)
    stack.refund(order, 435, "both-refund-1")
    stack.await_state(order, "refunded")
    assert stack.effects(token, "refund") == [435]
