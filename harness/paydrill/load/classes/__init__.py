"""Traffic classes: one file each; the class's `name` is the word in a scenario's `mix`.

A class says in the steps of `Shopper` what one customer does. To add one: write `classes/<name>.py`
with a class and a last line `TRAFFIC = <class>()`; nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from paydrill.target import Outcome

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class Traffic(Protocol):
    """One kind of customer.

    needs:    the requests that the target's client must describe
    checkout: its intents count as checkouts: what they want is to buy and pay
    """

    name: str
    summary: str
    needs: tuple[str, ...]
    checkout: bool

    def run(self, shopper: Shopper) -> Outcome:
        """Do everything that this customer does; the outcome is what they believe in the end."""
        ...


def known() -> dict[str, Traffic]:
    """Every traffic class by name, found by looking at the files of this folder."""
    import importlib
    import pkgutil

    found: dict[str, Traffic] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        traffic = getattr(importlib.import_module(f"{__name__}.{module.name}"), "TRAFFIC", None)
        if traffic is not None:
            found[traffic.name] = traffic
    return found
