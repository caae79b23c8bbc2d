"""What operators can do: freeze, capture or void what is under review, compare with the PSP, look at records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from services.answers import Answer, Refusal, not_found, state_conflict
from services.audit import record
from services.database import Connection
from services.fields import MAX_AMOUNT, FreeText
from services.freeze import set_frozen
from services.ids import new_id
from services.money import step_of
from services.order_pay import CAPTURED
from services.order_view import order_by_id
from services.web import Body

SHOWN_ROWS = 500


class Switch(Body):
    reason: FreeText | None = Field(default=None, max_length=200)


class AskReconcile(Body):
    pass


class CaptureOrder(Body):
    """`amount`: less than the hold for a partial capture; all of it where it is left out."""

    amount: int | None = Field(default=None, gt=0, le=MAX_AMOUNT)


class VoidOrder(Body):
    reason: FreeText | None = Field(default=None, max_length=200)


async def switch_freeze(tx: Connection, frozen: bool, who: str) -> Answer:
    await set_frozen(tx, frozen, who)
    await record(tx, who, "freeze" if frozen else "unfreeze", "payments")
    return Answer.of(200, {"frozen": frozen})


async def ask_reconcile(tx: Connection, who: str) -> Answer:
    """The worker's next pass compares the PSP's whole list with ours, not only what is new in it."""
    await tx.execute("UPDATE sweep_position SET watermark = 0")
    await record(tx, who, "reconcile", "payments")
    return Answer.of(202, {"status": "asked"})


@dataclass(frozen=True)
class Decision:
    """An operator's decision on a held payment. `id` names it towards the payments service, for every retry."""

    what: Literal["capture", "void"]
    payment_id: str
    amount: int
    id: str

    def __str__(self) -> str:
        return f"{self.what} {self.payment_id} {self.amount} {self.id}"

    @classmethod
    def parse(cls, text: str) -> Decision:
        what, payment_id, amount, own_id = text.split()
        return cls("capture" if what == "capture" else "void", payment_id, int(amount), own_id)

    @property
    def body(self) -> dict[str, object]:
        return {"amount": self.amount} if self.what == "capture" else {}


async def begin_decision(
    tx: Connection, what: Literal["capture", "void"], order_id: str, amount: int | None, who: str
) -> Decision:
    """Raises Refusal; then nothing is captured or voided."""
    order = await tx.fetchrow("SELECT state, currency FROM orders WHERE id = $1 FOR UPDATE", order_id)
    if order is None:
        raise not_found()
    payment = await tx.fetchrow(
        "SELECT id, amount FROM payments WHERE order_id = $1 AND state = 'authorised'", order_id
    )
    if payment is None:
        raise state_conflict(f"the order is {order['state']} and nothing is held for it")
    taken = payment["amount"] if amount is None else amount
    if taken > payment["amount"] or taken % step_of(order["currency"]):
        message = f"at most {payment['amount']} {order['currency']} are held, in steps of {step_of(order['currency'])}"
        raise Refusal(422, "amount_invalid", message)
    await record(tx, who, what, order_id)
    return Decision(what, payment["id"], taken, new_id("dec"))


async def decision_answer(tx: Connection, decision: Decision) -> Answer:
    """200 done, 202 under way, 409 when the PSP has definitely not done it."""
    payment = await tx.fetchrow("SELECT state, order_id FROM payments WHERE id = $1", decision.payment_id)
    view = await order_by_id(tx, payment["order_id"])
    done = CAPTURED if decision.what == "capture" else ("voided", "expired")
    if payment["state"] in done:
        return Answer.of(200, view)
    other = "voiding" if decision.what == "capture" else "capturing"
    if payment["state"] in (*CAPTURED, other, "voided", "expired", "failed", "declined"):
        error = {"code": "state_conflict", "message": f"the payment is {payment['state']}"}
        return Answer.of(409, {**view, "error": error})
    return Answer.of(202, view)


async def rows_of(connection: Connection, record_: str, newest: str) -> list[object]:
    """The newest rows of a record of the payments side, as they are; none where nothing keeps it."""
    if await connection.fetchval("SELECT to_regclass($1) IS NULL", record_):
        return []
    rows = await connection.fetch(
        f"SELECT row_to_json(r)::text AS row FROM {record_} r ORDER BY {newest} DESC LIMIT {SHOWN_ROWS}"
    )
    return [json.loads(row["row"]) for row in rows]
