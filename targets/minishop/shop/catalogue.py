"""What is sold, in cents, and how amounts are written: as text, `12.34`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shop.refusals import Refused

CURRENCY = "EUR"
PRICES = {
    "paper-a4": 499,
    "pencil": 85,
    "notebook": 1290,
    "fountain-pen": 5905,
    "ink-blue": 829,
    "ink-black": 829,
    "eraser": 115,
    "ruler": 335,
    "compass": 2749,
    "folder": 219,
}
MOST_OF_ONE = 99
_AMOUNT = re.compile(r"(\d{1,7})\.(\d\d)")


def price(articles: Iterable[tuple[str, int]]) -> int:
    """Cents for all of them. Raises Refused for what is not sold."""
    cents = 0
    for article, count in articles:
        if article not in PRICES:
            raise Refused(400, "unknown_article", f"{article!r} is not sold here")
        if not 1 <= count <= MOST_OF_ONE:
            raise Refused(400, "bad_count", f"expected 1 to {MOST_OF_ONE} of {article}, got {count}")
        cents += PRICES[article] * count
    if not cents:
        raise Refused(400, "empty_cart", "there is nothing in the cart")
    return cents


def as_text(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def as_cents(text: object) -> int:
    """Raises Refused for what is no amount."""
    match = _AMOUNT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise Refused(400, "bad_amount", f"expected an amount such as '12.34', got {text!r}")
    return int(match[1]) * 100 + int(match[2])
