"""Charges that we had not written down: attached to the order that waits for exactly them, else given back."""

from __future__ import annotations

from services.breaks import report
from services.database import Connection, Row
from services.ledger import capture_of_order, post
from services.log import log
from services.order_states import move_order
from services.outbox import Event
from services.payment_rows import CAME_TO_NOTHING
from services.payment_states import Cause
from services.psp_outcomes import Captured, PspIntent
from services.stock import sell
from services.surplus import return_charge


async def take_in_stray(tx: Connection, intent: PspIntent, charge: Captured, psp: str, cause: Cause) -> None:
    """Attach the charge to the order that waits for exactly it, else give it back."""
    order = await tx.fetchrow(
        "SELECT id, state, total, currency, pay_attempt FROM orders WHERE id = $1 FOR UPDATE", intent.order_id
    )
    live = order and await tx.fetchval(
        "SELECT true FROM payments WHERE order_id = $1 AND state <> ALL($2)",
        order["id"], list(CAME_TO_NOTHING),
    )  # fmt: skip
    if (
        order is None
        or live
        or order["state"] not in ("reserved", "payment_pending")
        or (charge.amount, charge.currency) != (order["total"], order["currency"])
    ):
        await return_charge(tx, charge, psp, order and order["id"], cause.name)
        return
    await _attach(tx, order, intent, charge, psp, cause)


async def _attach(
    tx: Connection, order: Row, intent: PspIntent, charge: Captured, psp: str, cause: Cause
) -> None:
    """The order is paid by a charge that we had not written down. Its stock is still reserved."""
    attempt = order["pay_attempt"]
    if order["state"] == "reserved":
        attempt += 1
        await tx.execute("UPDATE orders SET pay_attempt = $2 WHERE id = $1", order["id"], attempt)
        await move_order(tx, order["id"], "reserved", "payment_pending", cause.name, charge.psp_id)
    payment_id = intent.payment_id or charge.psp_id
    await tx.execute(
        """WITH history AS (INSERT INTO payment_history (payment_id, seq, from_state, to_state, cause, cause_ref)
                            VALUES ($1, 1, '', 'intent', $7, $6), ($1, 2, 'intent', 'captured', $7, $6))
           INSERT INTO payments (id, order_id, attempt, amount, currency, token, state, psp, psp_id, psp_key, next_check_at)
           VALUES ($1, $2, $3, $4, $5, '', 'captured', $8, $6, $1 || ':attached', clock_timestamp())""",
        payment_id, order["id"], attempt, charge.amount, charge.currency, charge.psp_id, cause.name, psp,
    )  # fmt: skip
    posting = capture_of_order(charge.psp_id, charge.amount, charge.currency, psp, order["id"], cause.name)
    await post(tx, posting)
    event = Event.paid(order["id"], charge.amount, charge.currency)
    await move_order(tx, order["id"], "payment_pending", "paid", cause.name, payment_id, event)
    await sell(tx, order["id"])
    refs = {"psp_payment": charge.psp_id, "order": order["id"], "payment": payment_id}
    await report(
        tx, "charge_without_order", charge.psp_id, psp, refs, charge.amount, charge.currency, how="attached"
    )
    log("stray_charge_attached", order=order["id"], psp_payment=charge.psp_id)
