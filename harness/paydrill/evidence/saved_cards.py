"""Charges of saved cards: which of several intents that paid by one card a charge belongs to (pure).

The PSP knows only the card. Those who pay by it differ in their amounts, so the amount of an object's
first charge says whose it is; the object keeps that. An object with no such amount stays with the card,
which is nobody's token: it is attributed to no intent, and never dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeGuard

from paydrill.psp.journal_reader import Journal

DECIDE = frozenset({"auth", "capture", "decline"})


class SavedToken(NamedTuple):
    """Issued for one payment by the card `saved`; `amount` in minor units."""

    token: int
    saved: int
    amount: int
    currency: str


@dataclass
class SavedCards:
    """Fed with the PSP's effects in their order, it knows the token of every object that they told of."""

    _tokens: Mapping[tuple[int, int, str], int]
    _cards: frozenset[int]
    _of_object: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, issued: Iterable[SavedToken]) -> SavedCards:
        """An amount that two payments by one card share is told apart by nothing: it counts as unknown."""
        tokens: dict[tuple[int, int, str], int] = {}
        shared: set[tuple[int, int, str]] = set()
        cards: set[int] = set()
        for one in issued:
            key = (one.saved, one.amount, one.currency.upper())
            cards.add(one.saved)
            if tokens.setdefault(key, one.token) != one.token:
                shared.add(key)
        return cls({key: token for key, token in tokens.items() if key not in shared}, frozenset(cards))

    def read(self, journals: Iterable[Journal]) -> None:
        """Everything that the PSPs did."""
        if not self._cards:
            return
        for journal in journals:
            for one in journal.effects:
                self.effect(one.pi, one.token, one.kind, one.amount, one.currency)

    def effect(self, pi: str | None, card: int | None, kind: str, amount: int, currency: str) -> None:
        """Something that the PSP did, told in the order in which it did it; what is no such thing is passed over."""
        if not self._is_card(card) or type(pi) is not str or type(kind) is not str or kind not in DECIDE:
            return
        if type(amount) is not int or type(currency) is not str:
            return
        token = self._tokens.get((card, amount, currency.upper()))
        if token is not None:
            self._of_object.setdefault(pi, token)

    def token(self, pi: str | None, token: int | None) -> int | None:
        """The token that a row of this object belongs to: its own, unless that is a saved card."""
        if not self._is_card(token) or type(pi) is not str:
            return token
        return self._of_object.get(pi, token)

    def _is_card(self, number: int | None) -> TypeGuard[int]:
        # By its type first: a line of a foreign journal may hold anything there, also what has no hash.
        return type(number) is int and number in self._cards


def saved_token(row: Mapping[str, object]) -> SavedToken | None:
    """Of a row of `intent_token` or a `token` line of the history; None for a card of its own."""
    token, saved, amount, currency = (row.get(name) for name in ("token", "saved", "amount", "currency"))
    if type(token) is int and type(saved) is int and type(amount) is int and isinstance(currency, str):
        return SavedToken(token, saved, amount, currency)
    return None
