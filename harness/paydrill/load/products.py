"""What can be bought: the target's catalogue, and carts drawn from it (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from paydrill.errors import UsageError

MAX_LINES = 3
MAX_QTY = 3


@dataclass(frozen=True, slots=True)
class Product:
    """`unit_price` is in minor units of `currency`; `weight` is how much likelier than others it is bought."""

    sku: str
    unit_price: int
    currency: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Cart:
    """`items` are `{"sku", "qty"}`; `amount` is their total in minor units."""

    items: list[dict[str, object]]
    amount: int
    currency: str


def read_products(rows: Iterable[Mapping[str, object]]) -> tuple[Product, ...]:
    """The catalogue as products. Raises UsageError naming the row that is wrong, or when there is none."""
    products = tuple(_product(index, row) for index, row in enumerate(rows))
    if not products:
        raise UsageError("the target's catalogue is empty: expected rows of {sku, unit_price, currency}")
    return products


def _product(index: int, row: Mapping[str, object]) -> Product:
    price, sku, currency = row.get("unit_price"), row.get("sku"), row.get("currency")
    weight = row.get("weight", 1.0)
    if not isinstance(price, int) or isinstance(price, bool) or price <= 0 or not sku or not currency:
        raise UsageError(
            f"catalogue[{index}]: expected {{sku, unit_price: minor units > 0, currency}}, got {dict(row)!r}"
        )
    if not isinstance(weight, int | float) or not weight > 0:
        raise UsageError(f"catalogue[{index}].weight: expected a number > 0, got {weight!r}")
    return Product(str(sku), price, str(currency), float(weight))


class Shelves:
    """Draws carts. All products of a cart have one currency."""

    def __init__(self, products: tuple[Product, ...]) -> None:
        self._products = products
        self._weights = list(accumulate(product.weight for product in products))
        self._by_currency: dict[str, tuple[list[Product], list[float]]] = {}
        for currency in {product.currency for product in products}:
            same = [product for product in products if product.currency == currency]
            self._by_currency[currency] = (same, list(accumulate(product.weight for product in same)))

    def cart(self, random: Random) -> Cart:
        """One to three different products, one to three of each."""
        first = random.choices(self._products, cum_weights=self._weights)[0]
        same, weights = self._by_currency[first.currency]
        chosen = {first.sku: first}
        for _ in range(random.randrange(MAX_LINES)):
            product = random.choices(same, cum_weights=weights)[0]
            chosen.setdefault(product.sku, product)
        lines = [(product, random.randint(1, MAX_QTY)) for product in chosen.values()]
        return Cart(
            items=[{"sku": product.sku, "qty": qty} for product, qty in lines],
            amount=sum(product.unit_price * qty for product, qty in lines),
            currency=first.currency,
        )
