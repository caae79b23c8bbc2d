"""What can be bought: the target's catalogue, and carts drawn from it (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from paydrill.errors import UsageError
from paydrill.load.prices import Line, quote
from paydrill.plan import SCARCE
from paydrill.target import Pricing, Promotion

MAX_LINES = 3
MAX_QTY = 3
ODD = "odd"
NOT_EVERYDAY = frozenset({SCARCE, "extra"})
"""Products with one of these tags are in no ordinary cart."""
LEAST_CHARGE = 50
"""PSPs refuse less than this, in minor units of most currencies."""


@dataclass(frozen=True, slots=True)
class Product:
    """`unit_price` is in minor units of `currency`; `weight` is how much likelier than others it is bought."""

    sku: str
    unit_price: int
    currency: str
    weight: float = 1.0
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cart:
    """`items` are `{"sku", "qty"}`; `amount` is what they cost in minor units, the promotion being off."""

    items: list[dict[str, object]]
    amount: int
    currency: str
    promo_code: str | None = None


def read_products(rows: Iterable[Mapping[str, object]]) -> tuple[Product, ...]:
    """The catalogue as products. Raises UsageError naming the row that is wrong, or when there is none."""
    products = tuple(_product(index, row) for index, row in enumerate(rows))
    if not products:
        raise UsageError("the target's catalogue is empty: expected rows of {sku, unit_price, currency}")
    return products


def _product(index: int, row: Mapping[str, object]) -> Product:
    price, sku, currency = row.get("unit_price"), row.get("sku"), row.get("currency")
    weight, tags = row.get("weight", 1.0), row.get("tags", [])
    if not isinstance(price, int) or isinstance(price, bool) or price <= 0 or not sku or not currency:
        raise UsageError(
            f"catalogue[{index}]: expected {{sku, unit_price: minor units > 0, currency}}, got {dict(row)!r}"
        )
    if not isinstance(weight, int | float) or not weight > 0:
        raise UsageError(f"catalogue[{index}].weight: expected a number > 0, got {weight!r}")
    if not isinstance(tags, list | tuple):
        raise UsageError(f"catalogue[{index}].tags: expected a list of words, got {tags!r}")
    return Product(str(sku), price, str(currency), float(weight), frozenset(map(str, tags)))


class _Shelf:
    """Some of the products. All that one cart takes from it has one currency."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._products = products
        self._weights = list(accumulate(product.weight for product in products))
        self._by_currency: dict[str, tuple[list[Product], list[float]]] = {}
        for currency in {product.currency for product in products}:
            same = [product for product in products if product.currency == currency]
            self._by_currency[currency] = (same, list(accumulate(product.weight for product in same)))

    def lines(self, random: Random) -> tuple[list[Line], str]:
        """One to three different products, one to three of each."""
        first = random.choices(self._products, cum_weights=self._weights)[0]
        same, weights = self._by_currency[first.currency]
        chosen = {first.sku: first}
        for _ in range(random.randrange(MAX_LINES)):
            product = random.choices(same, cum_weights=weights)[0]
            chosen.setdefault(product.sku, product)
        lines = [
            Line(product.sku, product.unit_price, random.randint(1, MAX_QTY)) for product in chosen.values()
        ]
        return lines, first.currency


class Shelves:
    """Draws carts, and reckons what they cost."""

    def __init__(self, products: Sequence[Product], pricing: Pricing | None = None) -> None:
        self._products = products
        everyday = [product for product in products if not product.tags & NOT_EVERYDAY]
        self._everyday = _Shelf(everyday or products)
        self._shelves: dict[str, _Shelf] = {}
        self._pricing = pricing or Pricing()

    def cart(self, random: Random) -> Cart:
        """What customers ordinarily buy."""
        lines, currency = self._everyday.lines(random)
        return Cart(_items(lines), sum(line.total for line in lines), currency)

    def cart_of(self, tag: str, random: Random) -> Cart:
        """Products with that tag, of one currency, often with a promotion and then with what it is for.

        Never so cheap that a PSP would refuse it.
        """
        if tag not in self._shelves:
            tagged = [product for product in self._products if tag in product.tags]
            self._shelves[tag] = _Shelf(tagged or self._products)
        lines, currency = self._shelves[tag].lines(random)
        while sum(line.total for line in lines) < LEAST_CHARGE:
            lines = [Line(line.sku, line.unit_price, line.qty + 1) for line in lines]
        promotion = random.choice((None, *self._pricing.promotions))
        if promotion is not None:
            lines += self._line_for(promotion, lines, currency)
        cart = self._priced(lines, currency, promotion)
        return cart if cart.amount >= LEAST_CHARGE else self._priced(lines, currency, None)

    def units_of(self, tag: str, qty: int, random: Random) -> Cart:
        """`qty` units of one product with that tag."""
        tagged = [product for product in self._products if tag in product.tags]
        product = random.choice(tagged or list(self._products))
        return self._priced([Line(product.sku, product.unit_price, qty)], product.currency, None)

    def units(self, sku: str, qty: int) -> Cart:
        """`qty` units of one product."""
        product = next(product for product in self._products if product.sku == sku)
        return self._priced([Line(product.sku, product.unit_price, qty)], product.currency, None)

    def other_cart(self, random: Random, taken: Collection[int]) -> Cart:
        """An ordinary cart that costs none of these amounts."""
        cart = self.cart(random)
        for _ in range(100):
            if cart.amount not in taken:
                return cart
            cart = self.cart(random)
        # So few products that all carts cost the same: one more of the first makes a difference.
        sku = str(cart.items[0]["sku"])
        product = next(product for product in self._products if product.sku == sku)
        qty = next(qty for qty in range(1, 1000) if product.unit_price * qty not in taken)
        return self._priced([Line(sku, product.unit_price, qty)], product.currency, None)

    def _line_for(self, promotion: Promotion, lines: Sequence[Line], currency: str) -> list[Line]:
        """A line that the promotion is for, where it is not for all and none is in the cart."""
        if any(line.sku in promotion.skus for line in lines):
            return []
        wanted = (one for one in self._products if one.sku in promotion.skus and one.currency == currency)
        return [Line(one.sku, one.unit_price, 1) for one in wanted][:1]

    def _priced(self, lines: Sequence[Line], currency: str, promotion: Promotion | None) -> Cart:
        total = quote(lines, currency, promotion, self._pricing).total
        return Cart(_items(lines), total, currency, promotion.code if promotion else None)


def _items(lines: Iterable[Line]) -> list[dict[str, object]]:
    return [{"sku": line.sku, "qty": line.qty} for line in lines]
