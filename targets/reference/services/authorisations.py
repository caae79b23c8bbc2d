"""Capturing what is held, in whole or in part, and letting it go: written down first, with a key of its own."""

from __future__ import annotations

from pydantic import Field

from services.answers import not_found, state_conflict
from services.database import Connection
from services.payment_open import load_payment
from services.payment_states import Cause, Locked, Operation, begin_operation, lock_payment
from services.web import Body


class CapturePayment(Body):
    """`amount`: the rest is let go. None: all of it."""

    amount: int | None = Field(default=None, gt=0)


class VoidPayment(Body):
    """The whole hold is let go."""


async def begin_capture(tx: Connection, payment_id: str, wish: CapturePayment, lease_s: float) -> None:
    """Raises Refusal 404, and 409 where there is nothing to capture, or less than that."""
    held = await _held(tx, payment_id)
    amount = wish.amount or held.amount
    if amount > held.amount:
        raise state_conflict(f"that is more than the {held.amount} {held.currency} that are held")
    await begin_operation(tx, held, "capturing", Operation("capture", amount, lease_s), Cause("api"))


async def begin_void(tx: Connection, payment_id: str, lease_s: float) -> None:
    """Raises Refusal 404, and 409 where nothing is held."""
    held = await _held(tx, payment_id)
    await begin_operation(tx, held, "voiding", Operation("void", None, lease_s), Cause("api"))


async def _held(tx: Connection, payment_id: str) -> Locked:
    if await load_payment(tx, payment_id) is None:
        raise not_found()
    locked = await lock_payment(tx, payment_id)
    if locked.state != "authorised":
        raise state_conflict(f"the payment is {locked.state}")
    return locked
