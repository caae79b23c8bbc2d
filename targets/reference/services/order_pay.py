"""Paying an order: the attempt is written down, the payments service does it, the order tells the result."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from services.answers import Answer, Refusal, not_found, state_conflict
from services.database import Connection
from services.order_states import PAYABLE, move_order
from services.order_view import order_by_id
from services.stock import reserve_again
from services.web import Body


class PayOrder(Body):
    payment_token: str = Field(min_length=1, max_length=128)
    amount: int = Field(gt=0)
    currency: str = Field(pattern="^[A-Z]{3}$")
    consent_id: str | None = Field(default=None, max_length=128)


@dataclass(frozen=True)
class Attempt:
    """One attempt to have an order paid, as the payments service is told of it."""

    order_id: str
    number: int

    @property
    def key(self) -> str:
        """The same from every node and for every retry: it names the attempt, not the call."""
        return f"order:{self.order_id}:pay:{self.number}"

    @classmethod
    def parse(cls, key: str) -> Attempt:
        _, order_id, _, number = key.split(":")
        return cls(order_id, int(number))


async def begin_attempt(tx: Connection, customer: str, order_id: str, wish: PayOrder) -> Attempt:
    """The order waits for its payment from here on. Raises Refusal; then nothing has been attempted."""
    order = await tx.fetchrow(
        "SELECT state, total, currency, stock_held, pay_attempt FROM orders WHERE id = $1 AND customer = $2 FOR UPDATE",
        order_id, customer,
    )  # fmt: skip
    if order is None:
        raise not_found()
    if (wish.amount, wish.currency) != (order["total"], order["currency"]):
        message = f"the order costs {order['total']} {order['currency']}"
        raise Refusal(422, "amount_mismatch", message, executed=True)
    if order["state"] not in PAYABLE:
        raise state_conflict(f"the order is {order['state']}")
    attempt = Attempt(order_id, order["pay_attempt"] + 1)
    await tx.execute(
        "UPDATE orders SET pay_attempt = $2, pay_token = $3 WHERE id = $1",
        order_id, attempt.number, wish.payment_token,
    )  # fmt: skip
    await move_order(tx, order_id, order["state"], "payment_pending", "api", attempt.key)
    if not order["stock_held"]:
        await reserve_again(tx, order_id)
    return attempt


async def attempt_answer(tx: Connection, attempt: Attempt) -> Answer:
    """What the customer is told: 200, 402 and 400 only on what the PSP is known to have done, else 202."""
    payment = await tx.fetchrow(
        "SELECT state, decline_code FROM payments WHERE order_id = $1 AND attempt = $2",
        attempt.order_id, attempt.number,
    )  # fmt: skip
    view = await order_by_id(tx, attempt.order_id)
    state = payment["state"] if payment else None
    if state in ("captured", "partially_refunded", "refunded"):
        return Answer.of(200, view)
    if state == "declined":
        error = {
            "code": "card_declined",
            "message": "the card was declined",
            "reason": payment["decline_code"],
        }
        return Answer.of(402, {**view, "error": error})
    if state == "failed":
        error = {
            "code": "payment_refused",
            "message": "the payment could not be made and nothing was charged",
        }
        return Answer.of(400, {**view, "error": error})
    return Answer.of(202, view)
