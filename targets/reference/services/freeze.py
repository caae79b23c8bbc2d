"""The freeze switch: while it is on, nothing that could move money is begun, by whomever.

Requests read it within the statement that claims their key (idempotency.py); whoever calls the PSP reads it
again right before each call. Nobody keeps an answer of it, so that a freeze which has been committed, and only
then is acknowledged, leaves no call to begin but those that are on their way already.
"""

from __future__ import annotations

from services.answers import Refusal
from services.database import Connection

RETRY_AFTER_S = 2

IS_FROZEN = "(SELECT is_on FROM switches WHERE name = 'freeze')"


async def is_frozen(connection: Connection) -> bool:
    return bool(await connection.fetchval(f"SELECT {IS_FROZEN}"))


async def set_frozen(tx: Connection, frozen: bool, who: str) -> None:
    """Takes effect with the transaction's commit."""
    await tx.execute(
        """UPDATE switches SET is_on = $1, changed_by = $2, changed_at = clock_timestamp()
           WHERE name = 'freeze' AND is_on <> $1""",
        frozen, who,
    )  # fmt: skip


def frozen() -> Refusal:
    return Refusal(
        503, "frozen", "payments are frozen; nothing was done, try again later", retry_after_s=RETRY_AFTER_S
    )
