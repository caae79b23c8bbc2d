"""Card numbers do not belong into free text: they are taken out before it is stored (pure)."""

from __future__ import annotations

import re

REMOVED = "[card number removed]"
_CANDIDATE = re.compile(r"(?<!\d)\d(?:[ .\-]?\d){12,18}(?!\d)")


def without_card_numbers(text: str | None) -> str | None:
    """The text with every run of 13 to 19 digits that passes the Luhn check replaced."""
    return text and _CANDIDATE.sub(lambda found: REMOVED if _is_luhn(found[0]) else found[0], text)


def _is_luhn(text: str) -> bool:
    digits = [int(sign) for sign in reversed(text) if sign.isascii() and sign.isdecimal()]
    doubled = (sum(divmod(digit * 2, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
