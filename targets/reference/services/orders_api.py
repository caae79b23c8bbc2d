"""The operations of the orders service."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.admin import AskReconcile, CaptureOrder, Switch, VoidOrder
from services.fields import Reference
from services.operations import ADMIN, BOTH, CUSTOMER, POSTING, READING, Link, Operation, Success
from services.order_cancel import CancelOrder
from services.order_create import CreateOrder
from services.order_pay import PayOrder
from services.order_refund import RefundOrder
from services.shapes import (
    Asked,
    AuditRows,
    Breaks,
    Frozen,
    Order,
    OrderInPayment,
    OrderWithRefund,
    Settlements,
)
from services.web import Query

ORDER = "/v1/orders/{order_id}"

_ID = {"order_id": "$response.body#/id"}
_TO_READ = Link("read_order", _ID, {})
_TO_PAY = Link("pay_order", _ID, {"amount": "$response.body#/total", "currency": "$response.body#/currency"})
_TO_CANCEL = Link("cancel_order", _ID, {})
_TO_REFUND = Link("refund_order", _ID, {"currency": "$response.body#/currency"})
_TO_CAPTURE = Link("capture_order", _ID, {})
_TO_VOID = Link("void_order", _ID, {})
_TO_FIND = Link("find_order", {"client_ref": "$response.body#/client_ref"}, {})


class ReadOrder(Query):
    """`eventual` allows an answer from a standby."""

    consistency: Literal["strong", "eventual"] = "strong"


class FindOrder(ReadOrder):
    """`customer` is for operators, who must say whose order they mean."""

    client_ref: Reference
    customer: str | None = Field(default=None, pattern="^[A-Za-z0-9_-]{1,64}$")


class ReadAudit(Query):
    after: int = Field(default=0, ge=0, le=2**53)
    limit: int = Field(default=100, ge=1, le=1000)


OPERATIONS = (
    Operation(
        "create_order", "POST", "/v1/orders",
        "Place an order: priced by the rules in force, its stock reserved. One order a customer and client_ref.",
        CUSTOMER,
        (
            Success(201, "Placed and reserved.", Order),
            Success(200, "This client_ref has this order already.", Order),
        ),
        (*POSTING, "forbidden", "insufficient_stock", "state_conflict", "amount_mismatch", "not_sold",
         "unknown_promo_code"),
        body=CreateOrder,
        links=(_TO_READ, _TO_PAY, _TO_CANCEL, _TO_FIND),
    ),
    Operation(
        "find_order", "GET", "/v1/orders", "The order of a client_ref.", BOTH,
        (Success(200, "The order.", Order),), (*READING, "not_found"),
        query=FindOrder,
        links=(_TO_READ,),
    ),
    Operation(
        "read_order", "GET", ORDER, "An order.", BOTH,
        (Success(200, "The order.", Order),), (*READING, "not_found"),
        query=ReadOrder,
        links=(_TO_PAY, _TO_CANCEL, _TO_REFUND, _TO_CAPTURE, _TO_VOID),
    ),
    Operation(
        "pay_order", "POST", f"{ORDER}/pay",
        "Pay an order. After a decline it may be paid again; at most one payment is under way or made.",
        CUSTOMER,
        (
            Success(200, "Charged.", OrderInPayment),
            Success(202, "Not decided yet: it will be, read the order. With next_action the customer decides.",
                    OrderInPayment),
        ),
        (*POSTING, "payment_refused", "card_declined", "forbidden", "not_found", "insufficient_stock",
         "state_conflict", "amount_mismatch", "frozen"),
        body=PayOrder,
        links=(_TO_READ, _TO_REFUND, _TO_CANCEL, _TO_CAPTURE, _TO_VOID),
        moves_money=True,
        bulkhead="money",
    ),
    Operation(
        "cancel_order", "POST", f"{ORDER}/cancel", "Cancel an order for which no payment is under way or made.", BOTH,
        (Success(200, "Cancelled.", Order),), (*POSTING, "not_found", "state_conflict"),
        body=CancelOrder,
        links=(_TO_READ,),
    ),
    Operation(
        "refund_order", "POST", f"{ORDER}/refunds",
        "Give money back. A refund_ref makes it once, whatever keys it comes with.", BOTH,
        (
            Success(200, "Given back.", OrderWithRefund),
            Success(202, "Under way: read the order.", OrderWithRefund),
        ),
        (*POSTING, "not_found", "state_conflict", "refund_refused", "amount_invalid", "frozen"),
        body=RefundOrder,
        links=(_TO_READ,),
        moves_money=True,
        bulkhead="money",
    ),
    Operation(
        "freeze", "POST", "/admin/freeze",
        "Stop everything that could move money, in requests and in the background.", ADMIN,
        (Success(200, "No payment, refund, capture or void begins any more.", Frozen),), (*POSTING, "forbidden"),
        body=Switch,
        bulkhead="operators",
    ),
    Operation(
        "unfreeze", "POST", "/admin/unfreeze", "Let money move again.", ADMIN,
        (Success(200, "Payments go on.", Frozen),), (*POSTING, "forbidden"),
        body=Switch,
        bulkhead="operators",
    ),
    Operation(
        "ask_reconcile", "POST", "/admin/reconcile", "Have the PSP's whole list compared with ours.", ADMIN,
        (Success(202, "The worker's next pass does it.", Asked),), (*POSTING, "forbidden"),
        body=AskReconcile,
        bulkhead="operators",
    ),
    Operation(
        "read_breaks", "GET", "/admin/reconcile", "Differences that the comparison with the PSP has found.", ADMIN,
        (Success(200, "The newest of them.", Breaks),), (*READING, "forbidden"),
        bulkhead="operators",
    ),
    Operation(
        "read_settlements", "GET", "/admin/settlements",
        "The PSP's settlement files, a day and currency each, and how they match our ledger.", ADMIN,
        (Success(200, "The newest of them.", Settlements),), (*READING, "forbidden"),
        bulkhead="operators",
    ),
    Operation(
        "read_audit", "GET", "/admin/audit", "The audit log, oldest first.", ADMIN,
        (Success(200, "Rows after `after`.", AuditRows),), (*READING, "forbidden"),
        query=ReadAudit,
        bulkhead="operators",
    ),
    Operation(
        "capture_order", "POST", "/admin/orders/{order_id}/capture",
        "Capture what is held for an order under review, or a part of it.", ADMIN,
        (Success(200, "Captured.", Order), Success(202, "Under way: read the order.", Order)),
        (*POSTING, "forbidden", "not_found", "state_conflict", "amount_invalid", "frozen"),
        body=CaptureOrder,
        moves_money=True,
        bulkhead="money",
    ),
    Operation(
        "void_order", "POST", "/admin/orders/{order_id}/void", "Let go what is held for an order under review.", ADMIN,
        (Success(200, "Let go.", Order), Success(202, "Under way: read the order.", Order)),
        (*POSTING, "forbidden", "not_found", "state_conflict", "amount_invalid", "frozen"),
        body=VoidOrder,
        moves_money=True,
        bulkhead="money",
    ),
)  # fmt: skip
