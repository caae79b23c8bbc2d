"""Orders that promised a payment which no payments node has heard of: the payment is written down for them."""

from __future__ import annotations

from services.answers import Refusal
from services.database import Database
from services.ids import new_id
from services.log import log
from services.payment_open import OpenPayment, open_payment
from services.psps import Psps

BATCH = 100


async def open_lost_attempts(db: Database, psps: Psps, older_than_s: float) -> None:
    async with db.connection() as connection:
        rows = await connection.fetch(
            """SELECT o.id, o.pay_attempt, o.total, o.currency, o.pay_token, o.pay_capture FROM orders o
               WHERE o.state = 'payment_pending'
                 AND is_older(o.updated_at, $1)
                 AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.id AND p.attempt = o.pay_attempt)
               LIMIT $2""",
            older_than_s, BATCH,
        )  # fmt: skip
    for row in rows:
        wish = OpenPayment(
            order=row["id"],
            attempt=row["pay_attempt"],
            amount=row["total"],
            currency=row["currency"],
            payment_token=row["pay_token"],
            capture=row["pay_capture"],
        )
        await _open(db, psps, wish)


async def _open(db: Database, psps: Psps, wish: OpenPayment) -> None:
    """Due at once. A payments node that hears of the attempt later finds this payment."""
    try:
        async with db.transaction() as tx:
            payment, _ = await open_payment(tx, new_id("pay"), wish, psps.names(), 0.0)
    except Refusal:
        return
    log("lost_attempt_opened", order=wish.order, payment=payment.id)
