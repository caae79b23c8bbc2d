"""The double-entry ledger: what one effect at the PSP does to our books, posted with the change it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from services.database import Connection

CLEARING = "psp_clearing"


@dataclass(frozen=True)
class Posting:
    """Two lines: `amount` > 0 is debited to one account and credited to the other."""

    ref: str
    debit: str
    credit: str
    amount: int
    currency: str
    psp: str
    order_id: str | None
    cause: str


def capture_of_order(
    psp_payment: str, amount: int, currency: str, psp: str, order_id: str, cause: str
) -> Posting:
    return Posting(f"capture:{psp_payment}", CLEARING, "revenue", amount, currency, psp, order_id, cause)


def capture_of_nobody(
    psp_payment: str, amount: int, currency: str, psp: str, order_id: str | None, cause: str
) -> Posting:
    """Money that no order may keep."""
    return Posting(f"capture:{psp_payment}", CLEARING, "suspense", amount, currency, psp, order_id, cause)


async def post(tx: Connection, posting: Posting) -> None:
    """Once for each reference. It stands, or the transaction around it fails."""
    await tx.execute(
        """INSERT INTO ledger_entries (ref, line, account, amount, currency, psp, order_id, cause)
           VALUES ($1, 1, $2, $4, $5, $6, $7, $8), ($1, 2, $3, -$4::bigint, $5, $6, $7, $8)
           ON CONFLICT DO NOTHING""",
        posting.ref, posting.debit, posting.credit, posting.amount, posting.currency, posting.psp,
        posting.order_id, posting.cause,
    )  # fmt: skip
