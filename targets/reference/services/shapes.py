"""The shapes of answers, for the OpenAPI file: what order_view.py and others build, written as models."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NextAction(Shape):
    """The customer has to do this challenge at the PSP."""

    challenge: str


class OrderItem(Shape):
    sku: str
    qty: int
    unit_price: int


class OrderPayment(Shape):
    """The newest attempt to pay. Only what waits for a challenge has a next_action."""

    id: str
    status: str
    amount: int
    refunded: int
    next_action: NextAction | None = None


class OrderRefund(Shape):
    id: str
    amount: int
    status: str


class Order(Shape):
    """All amounts are integer minor units. `tax` is contained in `total`, from which `discount` is gone already."""

    id: str
    client_ref: str
    status: str
    total: int
    currency: str
    discount: int
    tax: int
    promo_code: str | None
    price_rule: int
    version: int
    items: list[OrderItem]
    payment: OrderPayment | None
    refunds: list[OrderRefund]


class OrderInPayment(Order):
    next_action: NextAction | None = None


class OrderWithRefund(Order):
    refund: OrderRefund


class Frozen(Shape):
    frozen: bool


class Asked(Shape):
    status: str


class AuditRow(Shape):
    """hash = SHA-256 of the previous hash followed by the row's JSON; services/audit.py."""

    seq: int
    at_us: int
    who: str
    what: str
    object: str
    hash: str


class AuditRows(Shape):
    rows: list[AuditRow]


class Breaks(Shape):
    """Differences between our books and the PSP's, as the payments side records them."""

    breaks: list[dict[str, object]]


class Settlements(Shape):
    """What the PSP's settlement files say of a day, and how many of their lines our ledger has."""

    settlements: list[dict[str, object]]
