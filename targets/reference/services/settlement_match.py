"""Matches a PSP's settlement file with our ledger, line by line, and reports what does not fit.

A line without an entry of ours is also evidence: what it tells of is looked up and taken in. Fees are
known from here only, and are booked here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import aiohttp

from services.breaks import report, resolve
from services.chargebacks import PspDispute, take_in_dispute
from services.database import Connection, Database, Row
from services.foreign_refunds import take_in_refund
from services.ledger import CLEARING
from services.log import log
from services.payment_states import Cause
from services.psp import Psp
from services.psp_errors import CallFailed, code_of
from services.settings import PspAccount
from services.settlement_file import Lines, NoFile, fetch
from services.sweep import Sweep

GRACE_S = 5.0
"""News travels that long before a difference is one."""

NEW_DAY_S = 600
"""So long after midnight yesterday's file is read too."""

BATCH = 200
CAUSE = Cause("settlement_file")
DIFFERENCES = ("line_without_entry", "entry_without_line", "amount_differs")

_STORE = """
INSERT INTO settlement_lines (ref, psp, day, type, id, payment, amount, currency, fee, net)
SELECT u.ref, $1, $2, u.type, u.id, u.payment, u.amount, u.currency, u.fee, u.net
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[])
     AS u (ref, type, id, payment, amount, currency, fee, net)
ON CONFLICT DO NOTHING"""

_MATCH = """
UPDATE settlement_lines l SET matched_at = clock_timestamp() FROM ledger_entries e
WHERE l.psp = $1 AND l.matched_at IS NULL AND e.ref = l.ref AND e.account = 'psp_clearing'
  AND e.amount = l.amount AND e.currency = l.currency RETURNING l.ref"""

_FEES = """
INSERT INTO ledger_entries (ref, line, account, amount, currency, psp, cause)
SELECT 'fee:' || l.ref, leg.line, leg.account, leg.sign * l.fee, l.currency, l.psp, $2
FROM settlement_lines l, (VALUES (1, 'fees', 1), (2, 'psp_clearing', -1)) AS leg (line, account, sign)
WHERE l.ref = ANY($1) AND l.fee <> 0 ON CONFLICT DO NOTHING"""

_UNMATCHED = """
SELECT l.ref, l.type, l.id, l.payment, l.amount, l.currency, e.amount AS ours
FROM settlement_lines l LEFT JOIN ledger_entries e ON e.ref = l.ref AND e.account = 'psp_clearing'
WHERE l.psp = $1 AND l.matched_at IS NULL AND l.seen_at < clock_timestamp() - make_interval(secs => $2)
ORDER BY l.seen_at LIMIT $3"""

_LINELESS = """
SELECT e.ref, e.amount, e.currency FROM ledger_entries e
WHERE e.psp = $1 AND e.account = 'psp_clearing' AND e.ref ~ '^(capture|refund|refund_failed|chargeback):'
  AND e.at >= $4 AND e.at < clock_timestamp() - make_interval(secs => $2)
  AND NOT EXISTS (SELECT 1 FROM settlement_lines l WHERE l.ref = e.ref) LIMIT $3"""


class SettlementMatch:
    """One pass over one PSP's files: today's, and yesterday's while that may still be news."""

    def __init__(
        self,
        db: Database,
        session: aiohttp.ClientSession,
        account: PspAccount,
        psp: Psp,
        sweep: Sweep,
        now: Callable[[], datetime],
    ) -> None:
        self._db = db
        self._session = session
        self._account = account
        self._psp = psp
        self._sweep = sweep
        self._now = now
        self._stored: dict[date, int] = {}
        self._since = now()
        """All older entries had their lines, but for what clocks may differ by."""

    async def run_once(self) -> None:
        """Raises DatabaseUnavailable. A file that cannot be had is left to the next pass."""
        try:
            for day in self._days():
                lines = await fetch(self._session, self._account, day)
                await self._store(day, lines)
        except NoFile as error:
            log("no_settlement_file", psp=self._account.name, why=str(error))
            return
        async with self._db.transaction() as tx:
            matched = [row["ref"] for row in await tx.fetch(_MATCH, self._account.name)]
            await tx.execute(_FEES, matched, CAUSE.name)
            await _close(tx)
        await self._report()

    def _days(self) -> Sequence[date]:
        now = self._now()
        recent = (now - timedelta(seconds=NEW_DAY_S)).date()
        return sorted({recent, now.date()})

    async def _store(self, day: date, lines: Lines) -> None:
        """The file only grows, so that what was stored before is left out."""
        fresh = lines[self._stored.get(day, 0) :]
        columns = [
            [line.ref for line in fresh],
            [line.type for line in fresh],
            [line.id for line in fresh],
            [line.payment for line in fresh],
            [line.amount for line in fresh],
            [line.currency for line in fresh],
            [line.fee for line in fresh],
            [line.net for line in fresh],
        ]
        async with self._db.transaction() as tx:
            if fresh:
                await tx.execute(_STORE, self._account.name, day, *columns)
            await tx.execute(
                """INSERT INTO settlement_days (psp, day, lines, read_at) VALUES ($1, $2, $3, clock_timestamp())
                   ON CONFLICT (psp, day) DO UPDATE SET lines = excluded.lines, read_at = excluded.read_at""",
                self._account.name, day, len(lines),
            )  # fmt: skip
        self._stored[day] = len(lines)

    async def _report(self) -> None:
        begun = self._now()
        async with self._db.connection() as connection:
            unmatched = await connection.fetch(_UNMATCHED, self._account.name, GRACE_S, BATCH)
            lineless = await connection.fetch(
                _LINELESS, self._account.name, GRACE_S, BATCH, self._since - timedelta(seconds=NEW_DAY_S)
            )
        if not lineless:
            self._since = begun
        for line in unmatched:
            await self._report_line(line)
        for entry in lineless:
            async with self._db.transaction() as tx:
                await report(
                    tx, "entry_without_line", entry["ref"], self._account.name, {"entry": entry["ref"]},
                    entry["amount"], entry["currency"],
                )  # fmt: skip

    async def _report_line(self, line: Row) -> None:
        kind = "line_without_entry" if line["ours"] is None else "amount_differs"
        refs = {"line": line["id"], "psp_payment": line["payment"], "entry": line["ref"]}
        async with self._db.transaction() as tx:
            await report(tx, kind, line["ref"], self._account.name, refs, line["amount"], line["currency"])
        if line["ours"] is None:
            await self._take_in(line)

    async def _take_in(self, line: Row) -> None:
        """What we have not heard of: the PSP's own record of it is looked up, and judged as any other news."""
        take: dict[str, Callable[[Row], Awaitable[None]]] = {
            "charge": self._take_in_charge,
            "refund": self._take_in_refund,
            "dispute": self._take_in_dispute,
        }
        try:
            await take[line["type"]](line)
        except CallFailed as error:
            log("line_not_looked_up", line=line["id"], why=code_of(error))

    async def _take_in_charge(self, line: Row) -> None:
        await self._sweep.look_at(line["payment"])

    async def _take_in_refund(self, line: Row) -> None:
        found = await self._psp.refunds.retrieve_record(line["id"])
        async with self._db.transaction() as tx:
            await take_in_refund(tx, found, self._account.name, CAUSE)

    async def _take_in_dispute(self, line: Row) -> None:
        found = PspDispute(line["id"], line["payment"], -line["amount"], line["currency"])
        async with self._db.transaction() as tx:
            await take_in_dispute(tx, found, CAUSE)


async def _close(tx: Connection) -> None:
    """Differences that are none any more."""
    rows = await tx.fetch(
        """SELECT b.subject FROM recon_breaks b WHERE b.resolved_at IS NULL AND b.kind = ANY($1)
           AND (EXISTS (SELECT 1 FROM settlement_lines l WHERE l.ref = b.subject AND l.matched_at IS NOT NULL)
                OR (b.kind = 'line_without_entry'
                    AND EXISTS (SELECT 1 FROM ledger_entries e WHERE e.ref = b.subject AND e.account = $2)))""",
        list(DIFFERENCES), CLEARING,
    )  # fmt: skip
    for row in rows:
        await resolve(tx, DIFFERENCES, row["subject"], "matched")


def wall_clock() -> datetime:
    return datetime.now(UTC)
