"""Money at risk: told per currency, never added across currencies (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from paydrill.currencies import digits as digits_of
from paydrill.verdict import Money


def shown(money: Money) -> str:
    """`49.98 USD`, `500 JPY`: minor units with the decimals of ISO 4217."""
    digits = digits_of(money.currency)
    sign, minor = "-" if money.minor < 0 else "", abs(money.minor)
    whole, part = divmod(minor, 10**digits)
    decimals = f".{part:0{digits}d}" if digits else ""
    return f"{sign}{whole:,}{decimals} {money.currency}"


def shown_all(amounts: Iterable[Money]) -> str:
    """All amounts side by side; `none` when there are none."""
    return " + ".join(shown(money) for money in amounts) or "none"


def largest(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """The largest amount of each currency: several rules see the same money of one intent."""
    most: dict[str, int] = {}
    for money in amounts:
        most[money.currency] = max(money.minor, most.get(money.currency, money.minor))
    return _by_currency(most)


def total(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """The sum of each currency, of amounts that belong to different intents."""
    sums: dict[str, int] = {}
    for money in amounts:
        sums[money.currency] = sums.get(money.currency, 0) + money.minor
    return _by_currency(sums)


def _by_currency(minor: Mapping[str, int]) -> tuple[Money, ...]:
    return tuple(Money(currency, amount) for currency, amount in sorted(minor.items()) if amount)
