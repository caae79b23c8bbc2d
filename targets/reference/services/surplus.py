"""Charges that no order may keep: written down to be given back, once per charge."""

from __future__ import annotations

from services.database import Connection
from services.ids import new_id
from services.log import log
from services.psp_outcomes import Captured


async def return_charge(tx: Connection, charge: Captured, order_id: str | None, cause: str) -> None:
    """Have the worker refund the whole charge. `order_id` must exist if it is given."""
    refund_id = await tx.fetchval(
        """INSERT INTO refunds (id, kind, order_id, psp_payment, amount, currency, reason, state, psp_key, next_check_at)
           VALUES ($1, 'surplus', $2, $3, $4, $5, $6, 'requested', $3 || ':surplus:1', clock_timestamp())
           ON CONFLICT (psp_payment) WHERE kind = 'surplus' DO NOTHING RETURNING id""",
        new_id("rf"), order_id, charge.psp_id, charge.amount, charge.currency, cause,
    )  # fmt: skip
    if refund_id is not None:
        await tx.execute(
            "INSERT INTO refund_history (refund_id, seq, from_state, to_state, cause) VALUES ($1, 1, '', 'requested', $2)",
            refund_id, cause,
        )  # fmt: skip
        log("surplus_charge", psp_payment=charge.psp_id, order=order_id, refund=refund_id, cause=cause)
