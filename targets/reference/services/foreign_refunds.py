"""Refunds as the PSP tells of them: ours, and those that it, or somebody at its desk, has made without us."""

from __future__ import annotations

from services.breaks import report
from services.database import Connection
from services.payment_states import Cause
from services.psp_outcomes import PspRefund
from services.refunding import settle_refund


async def take_in_refund(tx: Connection, found: PspRefund, psp: str | None, cause: Cause) -> str:
    """What the PSP tells of a refund, whoever has made it; its state, or `none` if it is not ours to know.

    `psp`: whose word it is, where that is known.
    """
    ours = await tx.fetchval(
        "SELECT id FROM refunds WHERE id = $1 OR psp_id = $2", found.refund_id, found.psp_id
    )
    if ours is None:
        ours = await _write_down(tx, found, psp, cause)
    return "none" if ours is None else await settle_refund(tx, ours, found.outcome(), cause)


async def _write_down(tx: Connection, found: PspRefund, psp: str | None, cause: Cause) -> str | None:
    """A refund that the PSP has made by itself, or somebody at its desk; None if another one was quicker."""
    payment = await tx.fetchrow("SELECT id, order_id, psp FROM payments WHERE psp_id = $1", found.psp_payment)
    surplus = await tx.fetchval(
        "SELECT psp FROM refunds WHERE psp_payment = $1 AND kind = 'surplus'", found.psp_payment
    )
    whose = payment["psp"] if payment is not None else psp or surplus
    if whose is None:
        return None
    refund_id: str | None = await tx.fetchval(
        """WITH made AS (INSERT INTO refunds (id, kind, order_id, payment_id, psp, psp_payment, amount, currency, reason,
                                              state, psp_id, psp_key, next_check_at)
                         VALUES ('rf_' || $1, 'psp', $2, $3, $4, $5, $6, $7, 'made_by_psp', 'submitted', $1,
                                 $1 || ':psp', clock_timestamp() + make_interval(secs => 0.5))
                         ON CONFLICT DO NOTHING RETURNING id)
           INSERT INTO refund_history (refund_id, seq, from_state, to_state, cause, cause_ref)
           SELECT id, 1, '', 'submitted', $8, $9 FROM made RETURNING refund_id""",
        found.psp_id, payment and payment["order_id"], payment and payment["id"], whose, found.psp_payment,
        found.amount, found.currency, cause.name, cause.ref,
    )  # fmt: skip
    if refund_id is not None:
        refs = {"psp_refund": found.psp_id, "psp_payment": found.psp_payment, "refund": refund_id}
        await report(
            tx, "unknown_refund", found.psp_id, whose, refs, found.amount, found.currency, how="booked"
        )
    return refund_id
