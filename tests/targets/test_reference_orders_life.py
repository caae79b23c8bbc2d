"""An order's life beyond buying: reservations end, operators decide, cancels race payments, payments are frozen."""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest


def _history(stack, order):
    rows = stack.sql(f"SELECT to_state, cause FROM order_history WHERE order_id = '{order}' ORDER BY seq")
    return [tuple(row) for row in rows]


def _stock(stack, sku):
    return next(row for row in stack.facts("stock") if row["sku"] == sku)


# Reservations


@pytest.fixture(scope="module")
def short(pg, running):
    """A stack where reservations end after a second."""
    with running(pg, env={"RESERVATION_LIFE_S": "1"}) as started:
        yield started


def test_an_order_that_nobody_pays_gives_its_stock_back_and_can_still_be_paid(short):
    order, token = short.create("expired", [{"sku": "cup", "qty": 3}], total=345), next(short.tokens)
    assert short.state(order) == "reserved" and _stock(short, "cup")["reserved"] == 3
    short.await_state(order, "created")
    assert _stock(short, "cup")["reserved"] == 0
    assert short.pay(order, token, "expired-pay", 345).status == 200
    short.await_state(order, "fulfilled")
    history = _history(short, order)
    # The PSP's event may be there before the request has written down the PSP's answer.
    assert history.pop(-2) in (("paid", "request"), ("paid", "webhook"))
    assert history == [
        ("created", "api"),
        ("reserved", "api"),
        ("created", "expiry"),
        ("reserved", "api"),
        ("payment_pending", "api"),
        ("fulfilled", "fulfilment"),
    ]
    assert (_stock(short, "cup")["sold"], _stock(short, "cup")["reserved"]) == (3, 0)


def test_an_expired_order_of_what_is_sold_out_is_refused_and_stays_as_it_is(short):
    first = short.create("hot-1", [{"sku": "hot", "qty": 200}], total=200 * 2999)
    short.await_state(first, "created")
    second = short.create("hot-2", [{"sku": "hot", "qty": 150}], total=150 * 2999)
    refused = short.pay(first, next(short.tokens), "hot-1-pay", 200 * 2999)
    assert (refused.status, refused.code) == (409, "insufficient_stock")
    assert short.state(first) == "created"
    assert short.cancel(first, "hot-1-cancel").status == short.cancel(second, "hot-2-cancel").status == 200
    assert _stock(short, "hot")["left"] == 200


AHEAD = "clock_timestamp() + interval '10 minutes'"


def test_what_was_written_while_the_databases_clock_was_ahead_is_not_waited_for(short):
    order, token = short.create("ahead"), next(short.tokens)
    short.sql(f"UPDATE orders SET held_since = {AHEAD} WHERE id = '{order}'")
    short.await_state(order, "created")
    short.sql(f"ALTER TABLE outbox ALTER next_try_at SET DEFAULT {AHEAD}")
    try:
        assert short.pay(order, token, "ahead-pay", 435).status == 200
        short.await_state(order, "fulfilled")
    finally:
        short.sql("ALTER TABLE outbox ALTER next_try_at SET DEFAULT clock_timestamp()")


def test_stock_never_expires_while_a_payment_is_under_way(short):
    order, token = short.create("slow", [{"sku": "pot", "qty": 1}], total=1999), next(short.tokens)
    short.psp.arm(action="create", token=token, point="before_commit", max_s=20)
    with ThreadPoolExecutor(1) as pool:
        paying = pool.submit(short.pay, order, token, "slow-pay", 1999)
        held = short.psp.wait_held(10)
        other = short.create("bystander")
        # The bystander is younger: when its reservation has ended, this order's would have, too.
        short.await_state(other, "created")
        assert (short.state(order), _stock(short, "pot")["reserved"]) == ("payment_pending", 1)
        short.psp.release(held.hold)
        paying.result()
    short.await_state(order, "fulfilled")
    assert short.effects(token, "capture") == [1999]


# Held money


def test_what_is_held_waits_for_an_operator_who_captures_a_part_of_it(stack, token):
    order = stack.create("under-review")
    reply = stack.pay_later(order, token, "under-review-pay")
    assert (reply.status, reply.body["status"]) == (202, "under_review")
    assert stack.cancel(order, "under-review-cancel").code == "state_conflict"
    assert stack.admin(f"/admin/orders/{order}/capture", {"amount": 436}).code == "amount_invalid"
    captured = stack.admin(f"/admin/orders/{order}/capture", {"amount": 400}, "under-review-capture")
    assert captured.status == 200 and captured.body["status"] in ("paid", "fulfilled")
    assert stack.effects(token, "capture") == [400]
    again = stack.admin(f"/admin/orders/{order}/capture", {"amount": 400}, "under-review-capture")
    assert (again.replayed, again.text) == (True, captured.text)
    assert stack.admin(f"/admin/orders/{order}/capture", {}).code == "state_conflict"
    assert stack.refund(order, 401, "under-review-refund-too-much").code == "state_conflict"
    assert stack.refund(order, 400, "under-review-refund").status == 200


def test_what_is_held_may_be_let_go_and_the_order_paid_anew(stack, token):
    order, other = stack.create("let-go"), next(stack.tokens)
    assert stack.pay_later(order, token, "let-go-pay").status == 202
    voided = stack.admin(f"/admin/orders/{order}/void", {})
    assert (voided.status, voided.body["status"]) == (200, "payment_failed")
    assert stack.admin(f"/admin/orders/{order}/void", {}).code == "state_conflict"
    assert stack.pay(order, other, "let-go-pay-2").status == 200
    assert (stack.effects(token, "capture"), stack.effects(other, "capture")) == ([], [435])


# Cancel and pay


def test_an_attempt_that_no_payments_node_has_taken_up_can_be_cancelled_for_good(start_stack):
    with start_stack() as stack:
        order, token = stack.create("unheard"), next(stack.tokens)
        stack.nodes["payments-1"].kill()
        stack.nodes["worker"].kill()
        with ThreadPoolExecutor(1) as pool:
            paying = pool.submit(stack.pay, order, token, "unheard-pay")
            stack.await_state(order, "payment_pending")
            assert stack.cancel(order, "unheard-cancel").status == 200
            reply = paying.result()
        assert (reply.status, reply.code, reply.body["status"]) == (409, "state_conflict", "cancelled")
        stack.nodes["payments-1"].start()
        stack.nodes["worker"].start()
        again = stack.pay(order, token, "unheard-pay")
        assert (again.replayed, again.text) == (True, reply.text)
        stack.settle()
        assert (stack.effects(token, "capture"), stack.state(order)) == ([], "cancelled")


# Freeze


def test_frozen_payments_are_refused_before_anything_is_done_and_go_on_afterwards(start_stack):
    with start_stack() as stack:
        paid, token = stack.create("frozen-paid"), next(stack.tokens)
        first = stack.pay(paid, token, "frozen-paid-pay")
        order, other = stack.create("frozen"), next(stack.tokens)
        assert stack.admin("/admin/freeze", {"reason": "drill"}).body == {"frozen": True}
        for refused in (stack.pay(order, other, "frozen-pay"), stack.refund(paid, 35, "frozen-refund")):
            assert (refused.status, refused.code) == (503, "frozen")
            assert int(refused.headers["Retry-After"]) > 0
        assert stack.state(order) == "reserved" and stack.effects(token, "refund") == []
        assert stack.pay(paid, token, "frozen-paid-pay").text == first.text
        assert stack.cancel(stack.create("frozen-cancel"), "frozen-cancel").status == 200
        assert stack.admin("/admin/unfreeze", {}).body == {"frozen": False}
        assert stack.pay(order, other, "frozen-pay").status == 200
        assert stack.refund(paid, 35, "frozen-refund").status == 200
        assert (stack.effects(other, "capture"), stack.effects(token, "refund")) == ([435], [35])


def test_after_a_freeze_is_acknowledged_the_psp_is_asked_for_nothing(start_stack):
    with start_stack(payments=2, env={"CALLER_RATE": "1000"}) as stack:
        stop_at_s = time.monotonic() + 3

        def shop(n):
            ref, statuses = 0, []
            while time.monotonic() < stop_at_s:
                ref += 1
                order = stack.create(f"rush-{n}-{ref}")
                statuses.append(stack.pay(order, next(stack.tokens), f"rush-{n}-{ref}-pay").status)
            return statuses

        with ThreadPoolExecutor(4) as pool:
            shoppers = [pool.submit(shop, n) for n in range(4)]
            while stack.sql("SELECT count(*) FROM payments WHERE state = 'captured'")[0][0] < "5":
                pass
            assert stack.admin("/admin/freeze", {}).status == 200
            acknowledged_ns = time.monotonic_ns()
            statuses = {status for shopper in shoppers for status in shopper.result()}
        assert statuses <= {200, 202, 503} and {200, 503} <= statuses
        lines = (stack.folder / "psp.jsonl").read_text().splitlines()
        asked = [
            one for one in (json.loads(line.partition(" ")[2]) for line in lines) if one["kind"] == "request"
        ]
        late = [one for one in asked if one["t_recv"] > acknowledged_ns + 500_000_000]
        assert not [one for one in late if one["money"]]


# The audit log


def test_what_operators_do_is_chained_and_cannot_be_changed(start_stack):
    with start_stack() as stack:
        for path in ("freeze", "unfreeze", "reconcile"):
            assert stack.admin(f"/admin/{path}", {}, f"audit-{path}").status in (200, 202)
        stack.admin("/admin/freeze", {}, "audit-freeze")
        rows = stack.admin("/admin/audit").body["rows"]
        assert [(row["seq"], row["what"]) for row in rows] == [
            (1, "freeze"),
            (2, "unfreeze"),
            (3, "reconcile"),
        ]
        previous = ""
        for row in rows:
            told = {key: row[key] for key in ("at_us", "object", "seq", "what", "who")}
            text = previous + json.dumps(told, sort_keys=True, separators=(",", ":"))
            previous = hashlib.sha256(text.encode()).hexdigest()
            assert row["hash"] == previous
        assert stack.admin("/admin/audit?after=1&limit=1").body["rows"] == rows[1:2]
        for change in ("UPDATE audit SET who = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"):
            with pytest.raises(AssertionError, match="append-only"):
                stack.sql(change)
