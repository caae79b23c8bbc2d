"""Charges and holds that no order may keep: written down to be given back, once each."""

from __future__ import annotations

from services.breaks import report
from services.database import Connection
from services.ids import new_id
from services.ledger import capture_of_nobody, post
from services.log import log
from services.psp_outcomes import Authorised, Captured

TRIES = 3
"""How often a refund that the PSP has let fail is begun anew; after that it is left to people."""


async def return_charge(tx: Connection, charge: Captured, psp: str, order_id: str | None, cause: str) -> None:
    """Have the worker refund the whole charge. `order_id` must exist if it is given."""
    refund_id = await _write_down(tx, "surplus", charge, psp, order_id, cause)
    if refund_id is None:
        return
    posting = capture_of_nobody(charge.psp_id, charge.amount, charge.currency, psp, order_id, cause)
    await post(tx, posting)
    kind = "surplus_charge" if order_id else "charge_without_order"
    refs = {"psp_payment": charge.psp_id, "order": order_id, "refund": refund_id}
    await report(tx, kind, charge.psp_id, psp, refs, charge.amount, charge.currency)


async def release_hold(tx: Connection, hold: Authorised, psp: str, order_id: str | None, cause: str) -> None:
    """Have the worker cancel it."""
    refund_id = await _write_down(tx, "release", hold, psp, order_id, cause)
    if refund_id is not None:
        refs = {"psp_payment": hold.psp_id, "order": order_id, "release": refund_id}
        await report(tx, "surplus_hold", hold.psp_id, psp, refs, hold.amount, hold.currency)


async def _write_down(
    tx: Connection, kind: str, found: Captured | Authorised, psp: str, order_id: str | None, cause: str
) -> str | None:
    """The id of the new refund; None if it is there already or was tried often enough."""
    refund_id: str | None = await tx.fetchval(
        """WITH tried AS (SELECT count(*) AS times FROM refunds WHERE kind = $2 AND psp_payment = $5),
                made AS (INSERT INTO refunds (id, kind, order_id, psp, psp_payment, amount, currency, reason, state,
                                              psp_key, next_check_at)
                         SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'requested', $5 || ':' || $2 || ':' || (times + 1),
                                clock_timestamp()
                         FROM tried WHERE times < $9 ON CONFLICT DO NOTHING RETURNING id)
           INSERT INTO refund_history (refund_id, seq, from_state, to_state, cause)
           SELECT id, 1, '', 'requested', $8 FROM made RETURNING refund_id""",
        new_id("rf"), kind, order_id, psp, found.psp_id, found.amount, found.currency, cause, TRIES,
    )  # fmt: skip
    if refund_id is not None:
        log(f"{kind}_found", psp_payment=found.psp_id, order=order_id, refund=refund_id, cause=cause)
    return refund_id
