"""How many decimals a currency has, and amounts as people and some APIs write them: `12.34` (pure).

Everywhere else in the harness an amount is a whole number of minor units.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

_DIGITS: Mapping[str, int] = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}
LONGEST = 40


def digits(currency: str) -> int:
    """Decimals by ISO 4217; 2 for what is not known."""
    return _DIGITS.get(currency.upper(), 2)


def as_decimal(minor: int, currency: str) -> str:
    """1234 EUR is `12.34`, 500 JPY is `500`."""
    return f"{Decimal(minor).scaleb(-digits(currency)):f}"


def from_decimal(written: object, currency: str) -> int | None:
    """Minor units of `12.34` (text or number); None for what is no amount or no whole minor unit."""
    if isinstance(written, bool) or not isinstance(written, str | int | float):
        return None
    text = str(written)
    if len(text) > LONGEST or not text.isascii() or "_" in text:
        return None
    try:
        minor = Decimal(text).scaleb(digits(currency))
    except InvalidOperation:
        return None
    return int(minor) if minor.is_finite() and minor == minor.to_integral_value() else None
