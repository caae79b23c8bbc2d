"""Who was charged twice, as far as a provider can tell from its own journal (pure).

A harness token (`pm_pd_<int>…`, saved cards left out) stands for one intention of one customer: more
than one PaymentIntent that keeps money of it is a double charge. Any other card may pay for many
things: there, two that keep the same amount for the same order are one, and without an order's id
(metadata `order_id` or `order`) nothing is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_SAVED = "_saved"
_ORDER_NAMES = ("order_id", "order")


@dataclass(frozen=True)
class DoubleCharge:
    """`kept` is what all of `intents` together keep, in minor units. Of a token, or else of an order."""

    token: str | None
    order: str | None
    intents: tuple[str, ...]
    kept: int
    currency: str

    def __str__(self) -> str:
        return (
            f"{self.token or f'order {self.order}'} was charged {len(self.intents)} times: "
            f"{self.kept} {self.currency.upper()} (minor units) are kept by {', '.join(self.intents)}"
        )


@dataclass(frozen=True)
class _Purchase:
    """What two charges must share to be the same one."""

    currency: str
    token: str | None = None
    order: str | None = None
    amount: int | None = None


@dataclass
class Charges:
    """The last state of every charge."""

    _charges: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def take(self, row: Mapping[str, Any]) -> None:
        """An effect line."""
        self._charges.update((one["id"], one) for one in row["objects"]["charges"])

    def found(self) -> tuple[DoubleCharge, ...]:
        kept: defaultdict[_Purchase, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        for charge in self._charges.values():
            purchase, left = _purchase(charge), _left(charge)
            if purchase is not None and left > 0:
                kept[purchase][charge["intent"]] += left
        return tuple(
            DoubleCharge(one.token, one.order, tuple(by_intent), sum(by_intent.values()), one.currency)
            for one, by_intent in kept.items()
            if len(by_intent) > 1
        )


def _left(charge: Mapping[str, Any]) -> int:
    left: int = charge["captured"] - charge["refunded"] - charge.get("disputed", 0)
    return left


def _purchase(charge: Mapping[str, Any]) -> _Purchase | None:
    """None: nobody can tell what it was for."""
    token, currency, metadata = charge["token"], charge["currency"], charge["metadata"]
    if token.startswith("pm_pd_") and not token.endswith(_SAVED):
        return _Purchase(currency, token=token)
    order = next((metadata[name] for name in _ORDER_NAMES if name in metadata), None)
    return _Purchase(currency, order=order, amount=charge["amount"]) if order is not None else None
