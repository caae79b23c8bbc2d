"""Doing a request once, whatever clients, crashes and retries do.

A key is claimed in the same transaction that writes down the intent. Who finds the key finished gets
the kept answer, byte for byte; who finds it at work gets 409; who finds its holder dead (the lease has
run out) resumes the work where it was left. Nothing is ever started twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from services.answers import Answer, Refusal
from services.database import Connection, Database

Step = TypeVar("Step")


@dataclass(frozen=True)
class Scope:
    """A key means something only to its caller and on its route (method and path)."""

    caller: str
    route: str
    key: str
    fingerprint: str


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
) -> Answer:
    """Claim and intent in one transaction, `proceed` outside of any, the result in a second one."""
    begun = await _begin(db, scope, lease_s, begin)
    if isinstance(begun, Answer):
        return begun
    step = await proceed(begun.resource)
    async with db.transaction() as tx:
        return await _keep(tx, scope, await finish(tx, begun.resource, step))


async def _begin(db: Database, scope: Scope, lease_s: float, begin: Begin) -> Answer | Begun:
    try:
        async with db.transaction() as tx:
            claim = await _claim(tx, scope, lease_s)
            if isinstance(claim, Answer):
                return claim
            if claim.resource is not None:
                return Begun(claim.resource)
            begun = await begin(tx)
            if isinstance(begun, Answer):
                return await _keep(tx, scope, begun)
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


async def _claim(tx: Connection, scope: Scope, lease_s: float) -> _Claim | Answer:
    """Raises Refusal 409 while another holder is at work, 422 where the key belongs to another body."""
    fresh = await tx.fetchval(
        """INSERT INTO idempotency (caller, route, key, fingerprint, state, lease_until)
           VALUES ($1, $2, $3, $4, 'in_progress', clock_timestamp() + make_interval(secs => $5))
           ON CONFLICT DO NOTHING RETURNING true""",
        scope.caller, scope.route, scope.key, scope.fingerprint, lease_s,
    )  # fmt: skip
    if fresh:
        return _Claim(None)
    row = await tx.fetchrow(
        """SELECT fingerprint, state, resource, status, body, lease_until > clock_timestamp() AS leased
           FROM idempotency WHERE caller = $1 AND route = $2 AND key = $3 FOR UPDATE""",
        scope.caller, scope.route, scope.key,
    )  # fmt: skip
    if row["fingerprint"] != scope.fingerprint:
        raise Refusal(422, "idempotency_key_reused", "this Idempotency-Key was used with another body")
    if row["state"] == "completed":
        return Answer(row["status"], row["body"], replayed=True)
    if row["leased"]:
        raise Refusal(
            409, "idempotency_in_progress", "a request with this Idempotency-Key is being worked on"
        )
    await tx.execute(
        """UPDATE idempotency SET lease_until = clock_timestamp() + make_interval(secs => $4)
           WHERE caller = $1 AND route = $2 AND key = $3""",
        scope.caller, scope.route, scope.key, lease_s,
    )  # fmt: skip
    return _Claim(row["resource"])


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
