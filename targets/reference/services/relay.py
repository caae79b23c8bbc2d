"""Sends the outbox to fulfilment: at least once, the events of one order in their order.

An event is leased, sent, and marked as sent only after the receiver has acknowledged it. A relay that
dies in between leaves an expired lease, and the event is sent again: the receiver knows it by its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp

from services.database import Database, Row
from services.log import log
from services.order_states import move_those_in
from services.outbox import ORDER_PAID

BATCH = 50
SEND_S = 2.0
LEASE_S = 4.0
IDLE_S = 0.1
RETRY_S = 0.5

_TAKE = """
UPDATE outbox SET tries = tries + 1, next_try_at = clock_timestamp() + make_interval(secs => $2)
WHERE id IN (SELECT o.id FROM outbox o
             WHERE o.sent_at IS NULL AND is_due(o.next_try_at)
               AND NOT EXISTS (SELECT 1 FROM outbox e
                               WHERE e.order_id = o.order_id AND e.sent_at IS NULL AND e.seq < o.seq)
             ORDER BY o.id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING id, event_ref, order_id, kind, seq, payload"""


class Relay:
    """One pass sends what is due; several relays may run at once."""

    def __init__(self, db: Database, session: aiohttp.ClientSession, url: str) -> None:
        self._db = db
        self._session = session
        self._url = f"{url}/v1/events"

    async def run_once(self) -> int:
        """How many events were acknowledged."""
        async with self._db.connection() as connection:
            taken = await connection.fetch(_TAKE, BATCH, LEASE_S)
        results = await asyncio.gather(*(self._send(event) for event in taken))
        sent = [event for event, done in zip(taken, results, strict=True) if done]
        await self._mark(sent)
        return len(sent)

    async def _send(self, event: Row) -> bool:
        body = {
            "event_ref": event["event_ref"],
            "order_ref": event["order_id"],
            "kind": event["kind"],
            "seq": event["seq"],
            "payload": event["payload"],
        }
        try:
            limit = aiohttp.ClientTimeout(total=SEND_S)
            async with self._session.post(self._url, json=body, timeout=limit) as response:
                await response.read()
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log("event_not_sent", event_ref=event["event_ref"], error=type(error).__name__)
            return False

    async def _mark(self, sent: Sequence[Row]) -> None:
        if sent:
            # Fulfilment has these orders. Where a refund came first, the order stays where that took it.
            orders = {event["order_id"]: event["event_ref"] for event in sent if event["kind"] == ORDER_PAID}
            async with self._db.transaction() as tx:
                await move_those_in(tx, "paid", "fulfilled", "fulfilment", orders)
                await tx.execute(
                    "UPDATE outbox SET sent_at = clock_timestamp() WHERE id = ANY($1)",
                    [event["id"] for event in sent],
                )
            return
        async with self._db.connection() as connection:
            await connection.execute(
                """UPDATE outbox SET next_try_at = least(next_try_at, clock_timestamp() + make_interval(secs => $1))
                   WHERE sent_at IS NULL AND tries > 0""",
                RETRY_S,
            )
