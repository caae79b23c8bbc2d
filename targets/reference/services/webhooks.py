"""The PSP's signed events: each has its effect once, in one transaction with its place in the inbox.

Events come late, twice and in any order; settlement takes evidence in any order. One about a payment
that is not ours is only noted: the worker compares the PSP's whole list with ours anyway.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

import stripe

from services.answers import Refusal
from services.chargebacks import PspDispute, take_in_dispute
from services.database import Connection, Database
from services.foreign_refunds import take_in_refund
from services.log import log
from services.payment_rows import HOLDS_MONEY
from services.payment_states import Cause
from services.psp_outcomes import Captured, read_intent, read_refund
from services.settlement import settle

TOLERANCE_S = 300
NOTED = """INSERT INTO webhook_inbox (event_id, type, effect) VALUES ($1, $2, 'none')
           ON CONFLICT DO NOTHING RETURNING true"""

Record = Mapping[str, object]
Apply = Callable[[Connection, Record, Cause], Awaitable[str]]


async def take_in(db: Database, raw: bytes, signature: str, secret: str) -> str:
    """The effect of an event: `none`, `duplicate`, or the state of what it was about. Raises Refusal 400."""
    event = _verified(raw, signature, secret)
    apply = EFFECTS.get(str(event["type"]))
    if apply is None:
        # The inbox makes effects happen once; without one there is nothing to make sure of.
        log("event_without_effect", event_id=event["id"], type=event["type"])
        return "none"
    if apply is _payment and (known := await _noted_charge(db, event)):
        return known
    async with db.transaction() as tx:
        fresh = await tx.fetchval(NOTED, event["id"], event["type"])
        if not fresh:
            return "duplicate"
        effect = await apply(tx, _object_of(event), Cause("webhook", str(event["id"])))
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


def _object_of(event: Record) -> Record:
    data = event["data"]
    assert isinstance(data, Mapping)
    record = data["object"]
    assert isinstance(record, Mapping)
    return record


async def _noted_charge(db: Database, event: Record) -> str | None:
    """An event of a charge that we know already, since the request was quicker, as it mostly is: noted, and that is all.

    Nothing takes a charge back, so it needs neither a lock nor more than this one statement. None: it is not that.
    """
    intent = read_intent(_object_of(event))
    if not isinstance(intent.outcome(), Captured):
        return None
    async with db.connection() as connection:
        state: str | None = await connection.fetchval(
            """INSERT INTO webhook_inbox (event_id, type, effect)
               SELECT $1, $2, state FROM payments WHERE id = $3 AND psp_id = $4 AND state = ANY($5)
               ON CONFLICT DO NOTHING RETURNING effect""",
            event["id"], event["type"], intent.payment_id, intent.psp_id, HOLDS_MONEY,
        )  # fmt: skip
    return state


async def _payment(tx: Connection, record: Record, cause: Cause) -> str:
    intent = read_intent(record)
    ours = await tx.fetchval(
        "SELECT id FROM payments WHERE id = $1 AND (psp_id IS NULL OR psp_id = $2)",
        intent.payment_id, intent.psp_id,
    )  # fmt: skip
    return "none" if ours is None else await settle(tx, ours, intent.outcome(), cause)


async def _refund(tx: Connection, record: Record, cause: Cause) -> str:
    return await take_in_refund(tx, read_refund(record), None, cause)


async def _dispute(tx: Connection, record: Record, cause: Cause) -> str:
    found = PspDispute(
        str(record["id"]),
        str(record["payment_intent"]),
        int(str(record["amount"])),
        str(record["currency"]).upper(),
    )
    return await take_in_dispute(tx, found, cause)


EFFECTS: Mapping[str, Apply] = {
    "payment_intent.succeeded": _payment,
    "payment_intent.payment_failed": _payment,
    "payment_intent.canceled": _payment,
    "payment_intent.processing": _payment,
    "payment_intent.requires_action": _payment,
    "payment_intent.amount_capturable_updated": _payment,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.refund.updated": _refund,
    "charge.dispute.created": _dispute,
}
"""What is not named here has none, and does not come into the inbox. `charge.refunded` shows a sum; the refund's own event tells which."""
