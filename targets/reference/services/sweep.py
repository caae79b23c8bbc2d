"""Compares a PSP's own lists with ours, so that no charge stays without an order and no refund unbooked.

What we know and left open is settled by it. A charge that we do not know is attached to its order where
that order still waits for it, and given back where none does; a hold is let go. Each pass looks at what
was recorded since the last one, with an overlap; a deeper pass now and then forgives clocks and late
records. A stranger that the PSP has not decided yet is looked at until it has.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import stripe

from services.answers import Refusal
from services.database import Database, Row
from services.foreign_refunds import take_in_refund
from services.log import log
from services.payment_rows import CAME_TO_NOTHING, OPEN_PAYMENT
from services.payment_states import Cause
from services.psp import Psp
from services.psp_errors import code_of
from services.psp_outcomes import (
    ActionRequired,
    Authorised,
    Captured,
    ChargeOutcome,
    Declined,
    Pending,
    PspIntent,
)
from services.settlement import settle
from services.strays import take_in_stray
from services.surplus import release_hold, return_charge

OVERLAP_S = 8
DEEP_OVERLAP_S = 60
DEEP_EVERY = 10
GRACE_S = 3.0
"""A charge that we do not know is given that long, by our own clock, to turn up in our database."""

WATCH_S = 120.0
"""A stranger that the PSP has not decided by then is left to the settlement file."""

MOST_WATCHED = 100
CAUSE = Cause("sweep")


class Sweep:
    """One pass over one PSP. Its position is stored, so that a restarted worker goes on from there."""

    def __init__(self, db: Database, psp: Psp) -> None:
        self._db = db
        self._psp = psp
        self._passes = 0
        self._seen_at: dict[str, float] = {}
        self._watched: set[str] = set()

    async def run_once(self) -> None:
        """Raises StripeError, NotSent or DatabaseUnavailable; then the position stays and the next pass repeats it."""
        overlap_s = DEEP_OVERLAP_S if self._passes % DEEP_EVERY == 0 else OVERLAP_S
        await self._compare_charges(overlap_s)
        await self._compare_refunds(overlap_s)
        self._passes += 1

    async def look_at(self, psp_payment: str) -> None:
        """Compare one charge, whenever it was recorded. Raises as `run_once`."""
        await self._compare([await self._psp.retrieve_intent(psp_payment)])

    async def _compare_charges(self, overlap_s: int) -> None:
        reached = await self._position("charges")
        newest = reached
        async for page in self._psp.charges_since(max(0, reached - overlap_s)):
            await self._compare(page)
            newest = max(newest, max(intent.created_s for intent in page))
        await self._look_again()
        await self._advance("charges", reached, newest)

    async def _look_again(self) -> None:
        for psp_payment in list(self._watched):
            try:
                await self.look_at(psp_payment)
            except stripe.InvalidRequestError as error:
                self._watched.discard(psp_payment)
                log("stranger_vanished", psp_payment=psp_payment, why=code_of(error))

    async def _compare_refunds(self, overlap_s: int) -> None:
        reached = await self._position("refunds")
        newest = reached
        async for page in self._psp.refunds.since(max(0, reached - overlap_s)):
            async with self._db.connection() as connection:
                known = await connection.fetch(
                    """SELECT psp_id FROM refunds WHERE psp_id = ANY($1) AND state IN ('succeeded', 'failed')
                       AND (state = 'failed' OR psp_id <> ALL($2))""",
                    [refund.psp_id for refund in page],
                    [refund.psp_id for refund in page if refund.status in ("failed", "canceled")],
                )  # fmt: skip
            settled = {row["psp_id"] for row in known}
            for refund in page:
                if refund.psp_id not in settled:
                    async with self._db.transaction() as tx:
                        await take_in_refund(tx, refund, self._psp.name, CAUSE)
            newest = max(newest, max(refund.created_s for refund in page))
        await self._advance("refunds", reached, newest)

    async def _position(self, what: str) -> int:
        async with self._db.connection() as connection:
            return (
                await connection.fetchval(
                    "SELECT watermark FROM sweep_position WHERE name = $1", f"{self._psp.name}:{what}"
                )
                or 0
            )

    async def _advance(self, what: str, reached: int, newest: int) -> None:
        if newest <= reached:
            return
        async with self._db.connection() as connection:
            await connection.execute(
                """INSERT INTO sweep_position (name, watermark) VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET watermark = greatest(sweep_position.watermark, excluded.watermark)""",
                f"{self._psp.name}:{what}", newest,
            )  # fmt: skip

    async def _compare(self, page: Sequence[PspIntent]) -> None:
        async with self._db.connection() as connection:
            rows = await connection.fetch(
                """SELECT p.id, p.order_id, p.state, p.psp, p.psp_id FROM payments p WHERE p.id = ANY($1)
                   UNION SELECT p.id, p.order_id, p.state, p.psp, p.psp_id FROM payments p WHERE p.psp_id = ANY($2)""",
                [intent.payment_id for intent in page if intent.payment_id],
                [intent.psp_id for intent in page],
            )  # fmt: skip
            returned = await connection.fetch(
                "SELECT psp_payment FROM refunds WHERE kind = 'surplus' AND psp_payment = ANY($1)",
                [intent.psp_id for intent in page],
            )
        done = {row["psp_payment"] for row in returned}
        by_id = {row["id"]: row for row in rows}
        by_psp_id = {row["psp_id"]: row for row in rows}
        for intent in page:
            self._watched.discard(intent.psp_id)
            if intent.psp_id in done:
                continue
            ours = by_psp_id.get(intent.psp_id) or by_id.get(intent.payment_id)
            try:
                await self._judge(intent, ours)
            except Refusal as refusal:
                # Somebody was quicker: the next pass sees what became of it.
                log("not_judged", psp_payment=intent.psp_id, why=refusal.message)
                self._watch(intent.psp_id)

    def _watch(self, psp_payment: str) -> None:
        now = time.monotonic()
        young = now - self._seen_at.setdefault(psp_payment, now) < WATCH_S
        if young and len(self._watched) < MOST_WATCHED:
            self._watched.add(psp_payment)

    async def _judge(self, intent: PspIntent, ours: Row | None) -> None:
        outcome = intent.outcome()
        is_its_own = (
            ours is not None and ours["psp"] == self._psp.name and ours["psp_id"] in (None, intent.psp_id)
        )
        if isinstance(outcome, Pending | ActionRequired) and not is_its_own:
            self._watch(intent.psp_id)
        elif ours is None:
            await self._judge_stranger(intent, outcome)
        elif is_its_own:
            await self._judge_own(intent, outcome, ours)
        elif isinstance(outcome, Captured):
            async with self._db.transaction() as tx:
                await return_charge(tx, outcome, self._psp.name, ours["order_id"], CAUSE.name)
        elif isinstance(outcome, Authorised):
            await self._release(intent)

    async def _judge_own(self, intent: PspIntent, outcome: ChargeOutcome, ours: Row) -> None:
        came_to_nothing = ours["state"] in CAME_TO_NOTHING
        if came_to_nothing and isinstance(outcome, Authorised):
            await self._release(intent)
            return
        is_open = ours["state"] in OPEN_PAYMENT
        charged = isinstance(outcome, Captured) and (is_open or came_to_nothing)
        if charged or (is_open and isinstance(outcome, Declined)):
            async with self._db.transaction() as tx:
                await settle(tx, ours["id"], outcome, CAUSE)

    async def _judge_stranger(self, intent: PspIntent, outcome: ChargeOutcome) -> None:
        if isinstance(outcome, Captured | Authorised) and not self._is_stray(intent.psp_id):
            self._watch(intent.psp_id)
        elif isinstance(outcome, Captured):
            async with self._db.transaction() as tx:
                await take_in_stray(tx, intent, outcome, self._psp.name, CAUSE)
        elif isinstance(outcome, Authorised):
            await self._release(intent)

    async def _release(self, intent: PspIntent) -> None:
        """Let a hold go, if it is one still: our own voiding may have come between the PSP's list and our look."""
        hold = await self._psp.retrieve(intent.psp_id)
        if not isinstance(hold, Authorised):
            return
        async with self._db.transaction() as tx:
            order_id = await tx.fetchval("SELECT id FROM orders WHERE id = $1", intent.order_id)
            await release_hold(tx, hold, self._psp.name, order_id, CAUSE.name)

    def _is_stray(self, psp_id: str) -> bool:
        """Whether we have not known of the charge for long enough."""
        now = time.monotonic()
        return now - self._seen_at.setdefault(psp_id, now) >= GRACE_S
