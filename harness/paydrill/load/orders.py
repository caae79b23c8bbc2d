"""Which orders clients learned of in this run, and which creates they never heard back from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from paydrill.load.intents import Intent


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """An order, as one intent's client learned of it."""

    intent: Intent
    order_ref: str

    def as_intent(self) -> Intent:
        """The intent, with this very order as its order (a faulty target may have made it several)."""
        return replace(self.intent, order_ref=self.order_ref)

    def without_ref(self) -> Intent:
        """The intent as if no order of it were known: who asks by the cart's id learns it from the answer."""
        return replace(self.intent, order_ref=None)


class Orders:
    """Grows during the load; the final reads ask for every one of its orders."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], KnownOrder] = {}
        self._acknowledged: list[KnownOrder] = []
        self._unheard: dict[int, Intent] = {}

    def create_sent(self, intent: Intent) -> None:
        if intent.order_ref is None:
            self._unheard[intent.id] = intent

    def learned(self, intent: Intent, order_ref: str) -> None:
        """An answer to this intent's own create (or find) named an order; two different ones are both kept."""
        self._unheard.pop(intent.id, None)
        key = (intent.id, order_ref)
        if key not in self._known:
            self._known[key] = KnownOrder(intent, order_ref)
            self._acknowledged.append(self._known[key])

    def refused(self, intent: Intent) -> None:
        """The create has definitely failed: there is nothing to look for."""
        self._unheard.pop(intent.id, None)

    def any_acknowledged(self, dice: float) -> KnownOrder | None:
        """One of the orders acknowledged so far, by a number in [0, 1); None when there is none yet."""
        if not self._acknowledged:
            return None
        return self._acknowledged[int(dice * len(self._acknowledged))]

    def known(self) -> Iterator[KnownOrder]:
        return iter(list(self._known.values()))

    def unheard(self) -> Iterator[Intent]:
        """Intents whose create was sent and never answered."""
        return iter(list(self._unheard.values()))
