"""Who is told of events: the URL of the command line, and those that were registered by API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paydrill.psp.ledger import Ledger

MAIN = "main"
"""The endpoint of the command line; it is owed every event, also while nobody gave its URL."""


@dataclass(frozen=True)
class Endpoint:
    """`types` are event types, or `*`."""

    id: str
    url: str
    secret: str
    types: tuple[str, ...] = ("*",)

    def wants(self, event_type: str) -> bool:
        return "*" in self.types or event_type in self.types


Registered = Callable[[Ledger], Sequence[Endpoint]]


def registered(ledger: Ledger) -> Sequence[Endpoint]:
    """Endpoints that the API holds, those that are enabled."""
    return [Endpoint(one.id, one.url, one.secret, one.events) for one in ledger.enabled_endpoints()]


def listening(ledger: Ledger, event_type: str) -> list[str]:
    """The ids of those that are owed an event of a type from now on."""
    return [MAIN, *(one.id for one in registered(ledger) if one.wants(event_type))]
