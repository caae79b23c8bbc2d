"""The report of breaks: where the PSP's books and ours differed, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping

from services.answers import to_json
from services.database import Connection
from services.log import log
from services.payment_metrics import BREAKS


async def report(
    tx: Connection,
    kind: str,
    subject: str,
    psp: str,
    refs: Mapping[str, object],
    amount: int,
    currency: str,
    *,
    how: str | None = None,
) -> None:
    """Once for each kind and subject. `how`: it was resolved in the same step."""
    fresh = await tx.fetchval(
        """INSERT INTO recon_breaks (kind, subject, psp, refs, amount, currency, how, resolved_at)
           VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, CASE WHEN $7::text IS NOT NULL THEN clock_timestamp() END)
           ON CONFLICT DO NOTHING RETURNING true""",
        kind, subject, psp, to_json(refs), amount, currency, how,
    )  # fmt: skip
    if fresh:
        BREAKS.labels(kind).inc()
        log("break_found", kind=kind, subject=subject, amount=amount, currency=currency, how=how)


async def resolve(tx: Connection, kinds: tuple[str, ...], subject: str, how: str) -> None:
    """Close the open breaks of these kinds about the subject."""
    closed = await tx.fetch(
        """UPDATE recon_breaks SET resolved_at = clock_timestamp(), how = $3
           WHERE kind = ANY($1) AND subject = $2 AND resolved_at IS NULL RETURNING kind""",
        list(kinds), subject, how,
    )  # fmt: skip
    for row in closed:
        log("break_resolved", kind=row["kind"], subject=subject, how=how)
