"""Challenges that nobody does: cancelled at the PSP after a while.

The customer may be doing it at that moment. Both ask the PSP, which grants one of them: either the
payment is cancelled and fails, or the cancelling is refused and the payment goes on.
"""

from __future__ import annotations

from services.database import Connection
from services.payment_open import load_payment
from services.payment_rows import Payment
from services.payment_states import Cause, Operation, begin_operation, lock_payment


async def give_up(tx: Connection, payment_id: str, lease_s: float) -> Payment | None:
    """The payment with its cancelling written down; None if it waits for no challenge any more."""
    locked = await lock_payment(tx, payment_id)
    if locked.state != "requires_action" or locked.op is not None:
        return None
    cause = Cause("challenge_abandoned")
    await begin_operation(tx, locked, "requires_action", Operation("cancel", None, lease_s), cause)
    return await load_payment(tx, payment_id)
