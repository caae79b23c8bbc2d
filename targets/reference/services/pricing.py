"""What an order costs by a version of the price rules (pure).

Prices include tax. line_total = unit_price x qty; a promotion of P percent on a line takes off
half_up(line_total x P / 100); the order's total is what is left of all lines. The tax that is contained in
the total is half_up(total x bp / (10000 + bp)), shown and never added. All roundings are to the currency's step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from services.money import half_up, step_of, to_minor


@dataclass(frozen=True)
class Promotion:
    """`skus` is None for a promotion on everything."""

    percent: int
    skus: frozenset[str] | None

    def covers(self, sku: str) -> bool:
        return self.skus is None or sku in self.skus


@dataclass(frozen=True)
class PriceRule:
    """promotions: by code; tax: basis points by currency, contained in prices"""

    version: int
    promotions: Mapping[str, Promotion]
    tax: Mapping[str, int]


@dataclass(frozen=True)
class Line:
    """One article of an order, `price` in major units as it stands in the catalogue."""

    sku: str
    qty: int
    price: Decimal


@dataclass(frozen=True)
class PricedLine:
    """Minor units. `discount` is of the whole line."""

    sku: str
    qty: int
    unit_price: int
    discount: int

    @property
    def total(self) -> int:
        return self.unit_price * self.qty - self.discount


@dataclass(frozen=True)
class Quote:
    """Minor units. `total` is what the customer pays; `tax` is contained in it."""

    lines: tuple[PricedLine, ...]
    total: int
    discount: int
    tax: int


class UnknownPromotion(ValueError):
    """The rules have no promotion of that code."""


def quote(lines: Sequence[Line], currency: str, rule: PriceRule, promo_code: str | None) -> Quote:
    """Price an order. Raises UnknownPromotion."""
    promotion = None
    if promo_code is not None:
        promotion = rule.promotions.get(promo_code)
        if promotion is None:
            raise UnknownPromotion(promo_code)
    priced = tuple(_priced(line, currency, promotion) for line in lines)
    total = sum(line.total for line in priced)
    return Quote(
        lines=priced,
        total=total,
        discount=sum(line.discount for line in priced),
        tax=tax_within(total, rule.tax[currency], currency),
    )


def tax_within(total: int, basis_points: int, currency: str) -> int:
    """The tax that a price with tax contains."""
    return half_up(total * basis_points, 10_000 + basis_points, step_of(currency))


def _priced(line: Line, currency: str, promotion: Promotion | None) -> PricedLine:
    unit_price = to_minor(line.price, currency)
    discount = 0
    if promotion is not None and promotion.covers(line.sku):
        discount = half_up(unit_price * line.qty * promotion.percent, 100, step_of(currency))
    return PricedLine(line.sku, line.qty, unit_price, discount)


@lru_cache(maxsize=64)
def read_rule(version: int, promotions: str, tax: str) -> PriceRule:
    """A row of `price_rules`. A version never changes, so each is parsed once in a process."""
    return PriceRule(
        version=version,
        promotions={
            code: Promotion(one["percent"], None if one["skus"] is None else frozenset(one["skus"]))
            for code, one in json.loads(promotions).items()
        },
        tax=json.loads(tax),
    )
