"""Events for other systems, written by the statement that makes the change that they tell of (order_states.py).

relay.py sends them.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.answers import to_json

ORDER_PAID = "order.paid"
ORDER_REFUNDED = "order.refunded"


@dataclass(frozen=True)
class Event:
    kind: str
    payload: str

    @classmethod
    def paid(cls, order_id: str, amount: int, currency: str) -> Event:
        return cls(ORDER_PAID, to_json({"order": order_id, "amount": amount, "currency": currency}))

    @classmethod
    def refunded(cls, order_id: str, refunded: int, currency: str) -> Event:
        """`refunded`: of the order in all."""
        return cls(ORDER_REFUNDED, to_json({"order": order_id, "refunded": refunded, "currency": currency}))
