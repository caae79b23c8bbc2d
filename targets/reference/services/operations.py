"""The public API as a table: from it come the routes (orders.py) and the OpenAPI file (openapi.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from services.access import Role
from services.web import Body, Query

CUSTOMER: tuple[Role, ...] = ("customer",)
ADMIN: tuple[Role, ...] = ("admin",)
BOTH: tuple[Role, ...] = ("customer", "admin")


@dataclass(frozen=True)
class Code:
    """What a client may conclude from an error code.

    alone: an error is all that the body has; otherwise the order's view stands beside it
    """

    status: int
    means: str
    alone: bool = True


CODES = {
    "invalid": Code(400, "The request does not have the form that is documented. Nothing was done."),
    "idempotency_key_missing": Code(400, "Every POST needs an Idempotency-Key. Nothing was done."),
    "payment_refused": Code(
        400, "The payment could not be made; nothing was or will be charged.", alone=False
    ),
    "unauthorised": Code(401, "No valid bearer token. Nothing was done."),
    "card_declined": Code(402, "The card was declined; nothing was or will be charged.", alone=False),
    "forbidden": Code(403, "Not for callers of this role. Nothing was done."),
    "not_found": Code(404, "There is no such object that the caller may see. Nothing was done."),
    "insufficient_stock": Code(409, "Not enough is left. Nothing was done."),
    "state_conflict": Code(409, "Not possible in the order's state. Nothing was done."),
    "refund_refused": Code(
        409, "The PSP has refused the refund for good; nothing was given back.", alone=False
    ),
    "idempotency_in_progress": Code(
        409,
        "A request with this key is being worked on: says nothing of its outcome. Repeat with the same key.",
    ),
    "idempotency_key_reused": Code(422, "The key was used with another body. Nothing was done."),
    "amount_mismatch": Code(422, "The order costs something else. Nothing was done."),
    "amount_invalid": Code(422, "Not an amount that can be moved. Nothing was done."),
    "not_sold": Code(422, "An article is not sold, or not in this currency. Nothing was done."),
    "unknown_promo_code": Code(422, "There is no promotion of that code. Nothing was done."),
    "rate_limited": Code(429, "Too many requests of this caller. Nothing was done; try again later."),
    "overloaded": Code(503, "Too much is under way. Nothing was done; try again later."),
    "frozen": Code(503, "Operators have frozen payments. Nothing was done; try again later."),
    "unavailable": Code(503, "The outcome is unknown. Repeat with the same key, or read."),
}

READING = ("invalid", "unauthorised", "rate_limited", "overloaded", "unavailable")
POSTING = (
    *READING,
    "idempotency_key_missing",
    "idempotency_in_progress",
    "idempotency_key_reused",
)


@dataclass(frozen=True)
class Success:
    status: int
    means: str
    model: type[BaseModel]


@dataclass(frozen=True)
class Link:
    """How an answer leads to another operation: values are OpenAPI runtime expressions."""

    to: str
    parameters: dict[str, str]
    body: dict[str, str]


@dataclass(frozen=True)
class Operation:
    """One method on one path.

    codes:       the error codes that it may answer with
    moves_money: refused while payments are frozen
    bulkhead:    what it competes with for a place in a process
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    summary: str
    roles: tuple[Role, ...]
    successes: tuple[Success, ...]
    codes: tuple[str, ...]
    body: type[Body] | None = None
    query: type[Query] | None = None
    links: tuple[Link, ...] = ()
    moves_money: bool = False
    bulkhead: Literal["money", "work", "operators"] = "work"
