"""Writing a payment down, before the PSP hears of it."""

from __future__ import annotations

from pydantic import Field

from services.answers import state_conflict
from services.database import Connection
from services.ids import new_id
from services.payment_rows import PAYMENT_COLUMNS, Payment
from services.web import Body


class OpenPayment(Body):
    order: str = Field(min_length=1, max_length=64)
    attempt: int = Field(ge=1)
    amount: int = Field(gt=0)
    currency: str = Field(pattern="^[A-Z]{3}$")
    payment_token: str = Field(min_length=1, max_length=128)


async def open_payment(tx: Connection, wish: OpenPayment, lease_s: float) -> str:
    """The id of the attempt's payment, new or already there. Raises Refusal if another one is live."""
    payment_id = new_id("pay")
    fresh = await tx.fetchval(
        """INSERT INTO payments (id, order_id, attempt, amount, currency, token, state, psp_key, next_check_at)
           SELECT $1, o.id, $3, $4, $5, $6, 'submitted', $1 || ':charge:1',
                  clock_timestamp() + make_interval(secs => $7)
           FROM orders o WHERE o.id = $2 AND o.pay_attempt = $3 AND o.state = 'payment_pending' FOR UPDATE
           ON CONFLICT DO NOTHING RETURNING true""",
        payment_id, wish.order, wish.attempt, wish.amount, wish.currency, wish.payment_token, lease_s,
    )  # fmt: skip
    if not fresh:
        return await _existing(tx, wish)
    await tx.execute(
        """INSERT INTO payment_history (payment_id, seq, from_state, to_state, cause)
           VALUES ($1, 1, '', 'intent', 'api'), ($1, 2, 'intent', 'submitted', 'api')""",
        payment_id,
    )
    return payment_id


async def _existing(tx: Connection, wish: OpenPayment) -> str:
    found: str | None = await tx.fetchval(
        "SELECT id FROM payments WHERE order_id = $1 AND attempt = $2", wish.order, wish.attempt
    )
    if found is None:
        raise state_conflict("the order does not wait for this attempt to pay")
    return found


async def load_payment(tx: Connection, payment_id: str) -> Payment:
    return Payment.of(await tx.fetchrow(f"SELECT {PAYMENT_COLUMNS} FROM payments WHERE id = $1", payment_id))
