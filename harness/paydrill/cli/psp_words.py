"""A PSP behaviour of a plan in words."""

from __future__ import annotations

from paydrill.psp.rules import NUMBERS


def psp_words(name: str, value: float) -> str:
    """A share is one of the operations, a setting is what it is."""
    return f"{name} {value:g}" if name in NUMBERS else f"{name}: {value:g} of the operations"
