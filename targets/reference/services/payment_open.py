"""Writing a payment down, before the PSP hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from services.answers import state_conflict
from services.database import Connection
from services.payment_rows import PAYMENT_COLUMNS, Payment
from services.routing import Earlier, choose
from services.web import Body


class OpenPayment(Body):
    order: str = Field(min_length=1, max_length=64)
    attempt: int = Field(ge=1)
    amount: int = Field(gt=0)
    currency: str = Field(pattern="^[A-Z]{3}$")
    payment_token: str = Field(min_length=1, max_length=128)
    capture: Literal["now", "later"] = "now"


async def open_payment(
    tx: Connection, payment_id: str, wish: OpenPayment, psps: Sequence[str], lease_s: float
) -> tuple[Payment, bool]:
    """The attempt's payment, and whether it is new, with that id. Raises Refusal if another one is live."""
    row = await tx.fetchrow(
        f"""WITH made AS (INSERT INTO payments (id, order_id, attempt, amount, currency, token, psp, capture, state,
                                               psp_key, next_check_at)
                         SELECT $1, o.id, $3, $4, $5, $6, $8, $9, 'submitted', $1 || ':charge:1',
                                clock_timestamp() + make_interval(secs => $7)
                         FROM orders o WHERE o.id = $2 AND o.pay_attempt = $3 AND o.state = 'payment_pending' FOR UPDATE
                         ON CONFLICT DO NOTHING RETURNING *),
                history AS (INSERT INTO payment_history (payment_id, seq, from_state, to_state, cause)
                            SELECT id, h.seq, h.was, h.now, 'api' FROM made,
                                   (VALUES (1, '', 'intent'), (2, 'intent', 'submitted')) AS h (seq, was, now))
           SELECT {PAYMENT_COLUMNS} FROM made""",
        payment_id, wish.order, wish.attempt, wish.amount, wish.currency, wish.payment_token, lease_s,
        await _route(tx, wish, psps), wish.capture,
    )  # fmt: skip
    if row is None:
        return await _existing(tx, wish), False
    return Payment.of(row), True


async def _route(tx: Connection, wish: OpenPayment, psps: Sequence[str]) -> str:
    if len(psps) == 1 or wish.attempt == 1:
        return psps[0]
    rows = await tx.fetch(
        "SELECT psp, state, decline_code FROM payments WHERE order_id = $1 AND attempt < $2 ORDER BY attempt",
        wish.order, wish.attempt,
    )  # fmt: skip
    return choose(psps, [Earlier(*row.values()) for row in rows])


async def _existing(tx: Connection, wish: OpenPayment) -> Payment:
    row = await tx.fetchrow(
        f"SELECT {PAYMENT_COLUMNS} FROM payments WHERE order_id = $1 AND attempt = $2",
        wish.order,
        wish.attempt,
    )
    if row is None:
        raise state_conflict("the order does not wait for this attempt to pay")
    return Payment.of(row)


async def load_payment(tx: Connection, payment_id: str) -> Payment | None:
    row = await tx.fetchrow(f"SELECT {PAYMENT_COLUMNS} FROM payments WHERE id = $1", payment_id)
    return Payment.of(row) if row is not None else None


async def reroute(tx: Connection, payment: Payment, psp: str) -> Payment | None:
    """The payment at another PSP, since nothing was sent to the first. None if somebody else has taken it up."""
    row = await tx.fetchrow(
        f"""UPDATE payments SET psp = $2 WHERE id = $1 AND psp = $3 AND state = 'submitted' AND checks = 0
            RETURNING {PAYMENT_COLUMNS}""",
        payment.id, psp, payment.psp,
    )  # fmt: skip
    return Payment.of(row) if row is not None else None
