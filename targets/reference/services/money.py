"""Currencies and rounding. An amount is an integer of minor units; a price as written is a Decimal (pure)."""

from __future__ import annotations

from decimal import Decimal

EXPONENT = {"USD": 2, "EUR": 2, "CNY": 2, "JPY": 0, "KWD": 3}
"""ISO 4217: how many digits of a currency are minor units."""

STEP = {"KWD": 10}
"""The smallest amount that can be charged, in minor units, where it is not 1: card networks drop KWD's third digit."""


def to_minor(price: Decimal, currency: str) -> int:
    """8.20 USD -> 820, 1080 JPY -> 1080, 2.150 KWD -> 2150. Raises ValueError where a fraction would be left."""
    minor = price.scaleb(EXPONENT[currency])
    if minor != int(minor):
        raise ValueError(f"{price} {currency} has more digits than the currency")
    return int(minor)


def step_of(currency: str) -> int:
    return STEP.get(currency, 1)


def half_up(numerator: int, denominator: int, step: int = 1) -> int:
    """numerator / denominator, not negative, rounded to a multiple of `step`; halves go up."""
    return (2 * numerator + denominator * step) // (2 * denominator * step) * step
