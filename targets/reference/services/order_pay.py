"""Paying an order: the attempt is written down, the payments service does it, the order tells the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from services.answers import Answer, Refusal, not_found, state_conflict
from services.database import Connection
from services.fields import MAX_AMOUNT, CurrencyCode, Reference
from services.order_states import PAYABLE, move_order
from services.order_view import order_and_attempt
from services.stock import reserve_again
from services.web import Body

CAPTURED = ("captured", "partially_refunded", "refunded", "charged_back")
NOT_CHARGED = ("failed", "voided", "expired")


class PayOrder(Body):
    payment_token: str = Field(pattern="^pm_[A-Za-z0-9_]{1,120}$")
    amount: int = Field(gt=0, le=MAX_AMOUNT)
    currency: CurrencyCode
    consent_id: Reference | None = None
    capture: Literal["now", "later"] = "now"


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
        """UPDATE orders SET pay_attempt = pay_attempt + 1, pay_token = $5, pay_capture = $6
           WHERE id = $1 AND customer = $2 AND total = $3 AND currency = $4 AND state = ANY($7)
           RETURNING state, stock_held, pay_attempt""",
        order_id, customer, wish.amount, wish.currency, wish.payment_token, wish.capture, PAYABLE,
    )  # fmt: skip
    if order is None:
        raise await _why_not(tx, customer, order_id, wish)
    attempt, state = Attempt(order_id, order["pay_attempt"]), order["state"]
    if state == "created":
        await move_order(tx, order_id, "created", "reserved", "api", attempt.key)
        state = "reserved"
    await move_order(tx, order_id, state, "payment_pending", "api", attempt.key)
    if not order["stock_held"]:
        await reserve_again(tx, order_id)
    return attempt


async def _why_not(tx: Connection, customer: str, order_id: str, wish: PayOrder) -> Refusal:
    order = await tx.fetchrow(
        "SELECT state, total, currency FROM orders WHERE id = $1 AND customer = $2", order_id, customer
    )
    if order is None:
        return not_found()
    if (wish.amount, wish.currency) != (order["total"], order["currency"]):
        message = f"the order costs {order['total']} {order['currency']}"
        return Refusal(422, "amount_mismatch", message, executed=True)
    return state_conflict(f"the order is {order['state']}")


async def attempt_answer(connection: Connection, attempt: Attempt) -> Answer:
    """What the customer is told: 200, 402 and 400 only on what the PSP is known to have done, else 202.

    Raises Refusal 503 where the attempt has ended before the PSP was asked.
    """
    view, payment = await order_and_attempt(connection, attempt.order_id, attempt.number)
    if payment is None:
        return _not_begun(view)
    status, code = payment["status"], payment["code"]
    if status in CAPTURED:
        return Answer.of(200, view)
    if status == "declined":
        error = {"code": "card_declined", "message": "the card was declined", "reason": code}
        return Answer.of(402, {**view, "error": error})
    if status == "failed" and code == "overloaded":
        raise Refusal(503, "overloaded", "no payment can be made now; nothing was done", retry_after_s=1)
    if status in NOT_CHARGED:
        message = "the payment could not be made and nothing was charged"
        return Answer.of(400, {**view, "error": {"code": "payment_refused", "message": message}})
    if status == "requires_action" and payment["psp_id"] is not None:
        return Answer.of(202, {**view, "next_action": {"challenge": payment["psp_id"]}})
    return Answer.of(202, view)


def _not_begun(view: dict[str, object]) -> Answer:
    """No payments node has the attempt yet. A cancel that came first has ended it: none will begin it."""
    if view["status"] == "cancelled":
        error = {"code": "state_conflict", "message": "the order was cancelled before its payment began"}
        return Answer.of(409, {**view, "error": error})
    return Answer.of(202, view)
