"""What an order costs by the rules that the target declares (pure): the harness's own reckoning.

Prices include tax. A promotion's discount is taken line by line, rounded half up to the currency's
step; the tax contained in the total is shown, never added. The target has written its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from paydrill.target import Pricing, Promotion

STEPS = {"KWD": 10}
"""Minor units to which amounts of a currency are rounded; 1 where it is not named."""


@dataclass(frozen=True, slots=True)
class Line:
    """`unit_price` in minor units."""

    sku: str
    unit_price: int
    qty: int

    @property
    def total(self) -> int:
        return self.unit_price * self.qty


@dataclass(frozen=True, slots=True)
class Quote:
    """Minor units. `total` is what is paid: the discount is off already, the tax is in it."""

    total: int
    discount: int
    tax: int


def quote(lines: Iterable[Line], currency: str, promotion: Promotion | None, pricing: Pricing) -> Quote:
    """The price of some lines of one currency."""
    step = STEPS.get(currency, 1)
    total = discount = 0
    for line in lines:
        off = _discount(line, promotion, step)
        discount += off
        total += line.total - off
    rate_bp = pricing.tax_bp.get(currency, 0)
    return Quote(total, discount, half_up(total * rate_bp, 10_000 + rate_bp, step))


def _discount(line: Line, promotion: Promotion | None, step: int) -> int:
    if promotion is None or (promotion.skus and line.sku not in promotion.skus):
        return 0
    return half_up(line.total * promotion.percent, 100, step)


def half_up(numerator: int, denominator: int, step: int = 1) -> int:
    """numerator / denominator to the nearest multiple of `step`, a half upwards. Nothing is negative."""
    wide = denominator * step
    return (2 * numerator + wide) // (2 * wide) * step


def in_steps(amount: int, currency: str) -> int:
    """The most that can be paid of it: down to a multiple of the currency's step, and at least one step."""
    step = STEPS.get(currency, 1)
    return max(step, amount // step * step)


def thirds(amount: int, currency: str) -> tuple[int, int, int]:
    """Three parts that sum up exactly, the last being the rest; all different from six steps on."""
    step = STEPS.get(currency, 1)
    part = amount // step // 3
    return (part - 1) * step, part * step, amount - (2 * part - 1) * step
