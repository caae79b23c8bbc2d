"""Objects that the harness's tokens stand for: nobody has to create them (pure)."""

from __future__ import annotations

import re

from paydrill.psp import tokens
from paydrill.psp.state import Customer, Method

_CUSTOMER = re.compile(r"cus_pd_[0-9]{1,18}")


def harness_method(token: str) -> Method | None:
    """The PaymentMethod of a token that the harness issued; None for other ids."""
    number = tokens.harness_number(token)
    if number is None:
        return None
    saved = tokens.harness_how(token) == tokens.SAVED
    return Method(token, 0, 0, token, customer=f"cus_pd_{number}" if saved else None)


def harness_customer(wanted: str) -> Customer | None:
    """The customer that a saved card of the harness belongs to; None for other ids."""
    return Customer(wanted, 0, 0) if _CUSTOMER.fullmatch(wanted) else None
