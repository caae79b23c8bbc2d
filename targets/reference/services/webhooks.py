"""The PSP's signed events: each has its effect once, in one transaction with its place in the inbox.

Events come late, twice and in any order; settlement takes evidence in any order. One about a payment
that is not ours is only noted: the worker compares the PSP's whole list with ours anyway.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import stripe

from services.answers import Refusal
from services.database import Connection, Database
from services.psp_outcomes import NotExecuted, Pending, Refunded, RefundOutcome, read_intent
from services.refunding import settle_refund
from services.settlement import Cause, settle

TOLERANCE_S = 300


async def take_in(db: Database, raw: bytes, signature: str, secret: str) -> str:
    """The effect of an event: `none`, `duplicate`, or the state of what it was about. Raises Refusal 400."""
    event = _verified(raw, signature, secret)
    async with db.transaction() as tx:
        fresh = await tx.fetchval(
            """INSERT INTO webhook_inbox (event_id, type, effect) VALUES ($1, $2, 'none')
               ON CONFLICT DO NOTHING RETURNING true""",
            event["id"], event["type"],
        )  # fmt: skip
        if not fresh:
            return "duplicate"
        effect = await _apply(tx, event)
        if effect != "none":
            await tx.execute("UPDATE webhook_inbox SET effect = $2 WHERE event_id = $1", event["id"], effect)
        return effect


def _verified(raw: bytes, signature: str, secret: str) -> dict[str, object]:
    try:
        text = raw.decode()
        stripe.WebhookSignature.verify_header(text, signature, secret, tolerance=TOLERANCE_S)
        event = json.loads(text)
        assert isinstance(event["id"], str) and isinstance(event["type"], str)
        assert isinstance(event["data"]["object"], dict)
    except stripe.SignatureVerificationError:
        raise Refusal(400, "bad_signature", "the event is not signed by the PSP, or too old") from None
    except (ValueError, KeyError, TypeError, AssertionError):
        raise Refusal(400, "invalid", "that is no event") from None
    return dict(event)


async def _apply(tx: Connection, event: Mapping[str, object]) -> str:
    data = event["data"]
    assert isinstance(data, Mapping)
    record = data["object"]
    cause = Cause("webhook", str(event["id"]))
    kind = str(event["type"])
    if kind.startswith("payment_intent."):
        return await _apply_payment(tx, record, cause)
    if kind.startswith("refund."):
        return await _apply_refund(tx, record, cause)
    return "none"


async def _apply_payment(tx: Connection, record: Mapping[str, object], cause: Cause) -> str:
    intent = read_intent(record)
    ours = await tx.fetchval(
        "SELECT id FROM payments WHERE id = $1 AND (psp_id IS NULL OR psp_id = $2)",
        intent.payment_id, intent.psp_id,
    )  # fmt: skip
    if ours is None or (
        intent.error_code is None and intent.status not in ("succeeded", "processing", "canceled")
    ):
        return "none"
    return await settle(tx, ours, intent.outcome(), cause)


async def _apply_refund(tx: Connection, record: Mapping[str, object], cause: Cause) -> str:
    metadata = record.get("metadata") or {}
    assert isinstance(metadata, Mapping)
    ours = await tx.fetchval("SELECT id FROM refunds WHERE id = $1", metadata.get("refund"))
    if ours is None:
        return "none"
    outcome: RefundOutcome = Pending(str(record["id"]))
    if record["status"] == "succeeded":
        outcome = Refunded(str(record["id"]))
    elif record["status"] in ("failed", "canceled"):
        outcome = NotExecuted(f"refund_{record['status']}")
    return await settle_refund(tx, ours, outcome, cause)
