"""A little of everything while payments nodes and the worker are killed: at the end all books agree."""

from __future__ import annotations

import http.client
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

HOWS = [
    "",
    "",
    "",
    "_declined",
    "_challenge",
    "_challenge",
    "_async",
    "_asyncfail",
    "_latedecline",
    "_disputed",
]
LATER = {"late_decline_s": 1.0, "dispute_s": 1.0, "async_s": 0.5, "webhook_delay_s": 1.0}
TROUBLE = {"commit_then_drop": 0.15, "commit_then_500": 0.1, "webhook_delay": 0.3, "webhook_duplicate": 0.2}


def patiently(ask):
    """The same request until somebody answers for good, as a patient client sends it."""
    for _ in range(60):
        with suppress(OSError, http.client.HTTPException):
            reply = ask()
            if reply.status < 500 and reply.code != "idempotency_in_progress":
                return reply
        threading.Event().wait(0.2)
    raise AssertionError("no answer within twelve seconds")


def one_customer(stack, dice, n):
    """Places an order and pays it, in one of many ways; the token's number."""
    token, how = next(stack.tokens), dice.choice(HOWS)
    order = stack.create(f"kills-{n}")
    body = {"payment_token": f"pm_pd_{token}{how}", "amount": 435, "currency": "USD"}
    body["capture"] = dice.choice(["now", "now", "later"])
    reply = patiently(lambda: stack.post(f"/v1/orders/{order}/pay", body, f"{order}-pay"))
    if "next_action" in reply.body and dice.random() < 0.7:
        stack.do_challenge(
            reply.body["next_action"]["challenge"], dice.choice(["approve", "approve", "refuse"])
        )
    if reply.status == 200 and dice.random() < 0.5:
        patiently(lambda: stack.refund(order, 100, f"{order}-refund"))
    return order, token


def operator(stack):
    """Captures, or lets go, all that is held; whether something was."""
    held = stack.sql("SELECT id FROM orders WHERE state = 'under_review' ORDER BY id")
    for n, (order,) in enumerate(held):
        what, body = ("void", {}) if n % 3 == 0 else ("capture", {"amount": 435 if n % 3 == 1 else 200})
        stack.admin(f"/admin/orders/{order}/{what}", body)
    return bool(held)


def test_after_kills_and_lost_answers_every_order_and_every_book_agrees(start_stack, await_that):
    dice = random.Random(4)
    with start_stack(payments=2, env={"SETTLEMENT_PERIOD_S": "0.5"}) as stack:
        stack.psp.behave({**TROUBLE, **LATER})
        stop = threading.Event()

        def killer():
            while not stop.wait(1.0):
                node = stack.nodes[dice.choice(["payments-1", "payments-2", "worker"])]
                node.kill()
                node.start()

        with ThreadPoolExecutor(9) as pool:
            killing = pool.submit(killer)
            made = [pool.submit(one_customer, stack, random.Random(n), n) for n in range(80)]
            orders = dict(done.result() for done in made)
            stop.set()
            killing.result()
        stack.psp.behave(LATER)
        for name in ("payments-1", "payments-2", "worker"):
            await_that(stack.nodes[name].is_healthy, f"{name} is healthy")
        await_that(
            lambda: not operator(stack) and stack.facts("open_work")[0]["open"] == 0, "nothing is open", 40
        )
        await_that(lambda: stack.psp.status().pending == 0, "the PSP has nothing left to do", 40)
        await_that(lambda: stack.facts("open_work")[0]["open"] == 0, "nothing is open any more", 40)
        assert_orders_tell_the_truth(stack, orders)
        assert_books_agree(stack, await_that)


def assert_orders_tell_the_truth(stack, orders):
    rows = stack.sql(
        "SELECT o.id, o.state, coalesce(sum(p.amount - p.refunded) FILTER (WHERE p.state IN "
        "('captured', 'partially_refunded', 'refunded')), 0) FROM orders o LEFT JOIN payments p ON p.order_id = o.id "
        "GROUP BY o.id"
    )
    shown = {order: (state, int(kept)) for order, state, kept in rows}
    for order, token in orders.items():
        captured, back = stack.effects(token, "capture"), stack.effects(token, "refund")
        net = sum(captured) - sum(back) - sum(stack.effects(token, "chargeback"))
        state, kept = shown[order]
        assert len(captured) <= 1, (order, state, captured)
        assert net == kept, (order, state, captured, back)
        assert (net > 0) == (state in ("fulfilled", "partially_refunded")), (order, state, captured, back)


def assert_books_agree(stack, await_that):
    def difference():
        ours = stack.sql("SELECT coalesce(sum(amount), 0) FROM ledger_entries WHERE account = 'psp_clearing'")
        return int(ours[0][0]) - sum(int(line["net"]) for line in stack.settlement_file())

    assert difference() == 0
    await_that(
        lambda: stack.sql("SELECT count(*) FROM settlement_lines WHERE matched_at IS NULL") == [["0"]],
        "matched",
    )
    lines = stack.sql("SELECT count(*) FROM settlement_lines")[0][0]
    assert int(lines) == len(stack.settlement_file())
    open_breaks = "SELECT kind, subject FROM recon_breaks WHERE resolved_at IS NULL"
    await_that(lambda: stack.sql(open_breaks) == [], "no break is open")
    assert stack.sql("SELECT sum(amount) FROM ledger_entries WHERE account = 'suspense'")[0][0] in ("", "0")
