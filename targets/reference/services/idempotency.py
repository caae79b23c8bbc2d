"""Doing a request once, whatever clients, crashes and retries do.

A key is claimed in the same transaction that writes down the intent. Who finds the key finished gets
the kept answer, byte for byte; who finds it at work gets 409; who finds its holder dead (the lease has
run out) resumes the work where it was left. Nothing is ever started twice. A claim also reads the freeze
switch: while that is on, work that moves money is neither begun nor resumed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from services.answers import Answer, Refusal
from services.database import Connection, Database
from services.freeze import IS_FROZEN, frozen
from services.metrics import KEYS, PURGED

Step = TypeVar("Step")


@dataclass(frozen=True)
class Scope:
    """A key means something only to its caller and on its route (method and path)."""

    caller: str
    route: str
    key: str
    fingerprint: str
    moves_money: bool = False


@dataclass(frozen=True)
class Begun:
    """The intent is written down as `resource` (an id); the work itself comes after the commit."""

    resource: str


@dataclass(frozen=True)
class _Claim:
    resource: str | None


Begin = Callable[[Connection], Awaitable[Answer | Begun]]


async def once(db: Database, scope: Scope, begin: Begin) -> Answer:
    """One transaction: claim, work, keep the answer. Raises Refusal for what is not kept."""
    begun = await _begin(db, scope, 0.0, begin)
    assert isinstance(begun, Answer), "work that goes on after its transaction needs once_in_phases"
    return begun


async def once_in_phases(
    db: Database,
    scope: Scope,
    lease_s: float,
    begin: Begin,
    proceed: Callable[[str], Awaitable[Step]],
    finish: Callable[[Connection, str, Step], Awaitable[Answer]],
    *,
    new_resource: str | None = None,
    finish_reads: bool = False,
) -> Answer:
    """Claim and intent in one transaction, `proceed` outside of any, the result in a second one.

    new_resource: the id that `begin` gives to what it writes down, where it has to: the claim says so at once.
    A Refusal of `finish` says that in the end nothing was done: the key is free again. One that only reads
    (`finish_reads`) needs no transaction: keeping what it says is one statement.
    """
    begun = await _begin(db, scope, lease_s, begin, new_resource)
    if isinstance(begun, Answer):
        return begun
    step = await proceed(begun.resource)
    try:
        async with db.connection() if finish_reads else db.transaction() as tx:
            return await _keep(tx, scope, await finish(tx, begun.resource, step))
    except Refusal:
        async with db.connection() as connection:
            await connection.execute(
                "DELETE FROM idempotency WHERE caller = $1 AND route = $2 AND key = $3 AND state = 'in_progress'",
                scope.caller, scope.route, scope.key,
            )  # fmt: skip
        raise


async def _begin(
    db: Database, scope: Scope, lease_s: float, begin: Begin, new_resource: str | None = None
) -> Answer | Begun:
    try:
        async with db.transaction() as tx:
            claim = await _claim(tx, scope, lease_s, new_resource)
            if isinstance(claim, Answer):
                return claim
            if claim.resource is not None:
                return Begun(claim.resource)
            begun = await begin(tx)
            if isinstance(begun, Answer):
                return await _keep(tx, scope, begun)
            if begun.resource != new_resource:
                await _remember(tx, scope, begun.resource)
            return begun
    except Refusal as refusal:
        if not refusal.executed:
            raise
        # All that `begin` wrote is rolled back; only the refusal itself is kept.
        async with db.transaction() as tx:
            claim = await _claim(tx, scope, lease_s)
            if isinstance(claim, Answer):
                return claim
            return await _keep(tx, scope, refusal.answer())


async def _claim(
    tx: Connection, scope: Scope, lease_s: float, new_resource: str | None = None
) -> _Claim | Answer:
    """Raises Refusal: 409 while another holder is at work, 422 for a key of another body, 503 while frozen."""
    fresh = await tx.fetchrow(
        f"""INSERT INTO idempotency (caller, route, key, fingerprint, state, resource, lease_until)
            VALUES ($1, $2, $3, $4, 'in_progress', $6, clock_timestamp() + make_interval(secs => $5))
            ON CONFLICT DO NOTHING RETURNING {IS_FROZEN} AS frozen""",
        scope.caller, scope.route, scope.key, scope.fingerprint, lease_s, new_resource,
    )  # fmt: skip
    if fresh is not None:
        KEYS.labels("fresh").inc()
        if scope.moves_money and fresh["frozen"]:
            raise frozen()
        return _Claim(None)
    row = await tx.fetchrow(
        f"""SELECT fingerprint, state, resource, status, body, NOT is_due(lease_until) AS leased,
                   {IS_FROZEN} AS frozen
            FROM idempotency WHERE caller = $1 AND route = $2 AND key = $3 FOR UPDATE""",
        scope.caller, scope.route, scope.key,
    )  # fmt: skip
    if row is None:
        # Purged at this very moment, at the end of its life: the next try finds it free.
        raise _in_progress()
    if row["fingerprint"] != scope.fingerprint:
        KEYS.labels("reused").inc()
        raise Refusal(422, "idempotency_key_reused", "this Idempotency-Key was used with another body")
    if row["state"] == "completed":
        KEYS.labels("replayed").inc()
        return Answer(row["status"], row["body"], replayed=True)
    if row["leased"]:
        KEYS.labels("in_progress").inc()
        raise _in_progress()
    if scope.moves_money and row["frozen"]:
        raise frozen()
    KEYS.labels("resumed").inc()
    await tx.execute(
        """UPDATE idempotency SET lease_until = clock_timestamp() + make_interval(secs => $4)
           WHERE caller = $1 AND route = $2 AND key = $3""",
        scope.caller, scope.route, scope.key, lease_s,
    )  # fmt: skip
    return _Claim(row["resource"])


def _in_progress() -> Refusal:
    return Refusal(
        409,
        "idempotency_in_progress",
        "a request with this Idempotency-Key is being worked on",
        retry_after_s=1,
    )


async def _remember(tx: Connection, scope: Scope, resource: str) -> None:
    await tx.execute(
        "UPDATE idempotency SET resource = $4 WHERE caller = $1 AND route = $2 AND key = $3",
        scope.caller, scope.route, scope.key, resource,
    )  # fmt: skip


async def _keep(tx: Connection, scope: Scope, answer: Answer) -> Answer:
    """Keep the answer. A slow holder whose work was resumed by another says what the other has said."""
    kept = await tx.fetchval(
        """UPDATE idempotency SET state = 'completed', status = $4, body = $5
           WHERE caller = $1 AND route = $2 AND key = $3 AND state = 'in_progress' RETURNING true""",
        scope.caller, scope.route, scope.key, answer.status, answer.body,
    )  # fmt: skip
    if kept:
        return answer
    row = await tx.fetchrow(
        "SELECT status, body FROM idempotency WHERE caller = $1 AND route = $2 AND key = $3",
        scope.caller, scope.route, scope.key,
    )  # fmt: skip
    return Answer(row["status"], row["body"], replayed=True)


async def purge_keys(db: Database, older_than_s: float, at_most: int) -> int:
    """Forget keys at the end of their life, a bounded number at a time; how many."""
    async with db.transaction() as tx:
        gone = await tx.fetch(
            """DELETE FROM idempotency WHERE (caller, route, key) IN (
                   SELECT caller, route, key FROM idempotency
                   WHERE created_at < clock_timestamp() - make_interval(secs => $1)
                     AND lease_until < clock_timestamp()
                   ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)
               RETURNING 1""",
            older_than_s, at_most,
        )  # fmt: skip
    PURGED.inc(len(gone))
    return len(gone)
