"""The audit log: who did what to which object, each row chained to the one before by its hash.

hash = SHA-256 in hexadecimal of the previous row's hash followed by the row as JSON with sorted keys and no
spaces: {"at_us", "object", "seq", "what", "who"}; the first row follows the empty string. The database
refuses to change or delete rows.
"""

from __future__ import annotations

import hashlib
import json
import time

from services.database import Connection


def link(previous: str, seq: int, at_us: int, who: str, what: str, object_: str) -> str:
    """The hash of a row that follows `previous`."""
    row = {"seq": seq, "at_us": at_us, "who": who, "what": what, "object": object_}
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256((previous + text).encode()).hexdigest()


async def record(tx: Connection, who: str, what: str, object_: str) -> None:
    """Append a row in this transaction. Writers take turns from here to their commit: call it late."""
    head = await tx.fetchrow("SELECT seq, hash FROM audit_head FOR UPDATE")
    seq, at_us = head["seq"] + 1, time.time_ns() // 1000
    await tx.execute(
        """WITH head AS (UPDATE audit_head SET seq = $1, hash = $6)
           INSERT INTO audit (seq, at_us, who, what, object, hash) VALUES ($1, $2, $3, $4, $5, $6)""",
        seq, at_us, who, what, object_, link(head["hash"], seq, at_us, who, what, object_),
    )  # fmt: skip


async def read_audit(connection: Connection, after: int, limit: int) -> list[dict[str, object]]:
    rows = await connection.fetch(
        "SELECT seq, at_us, who, what, object, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2",
        after, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]
