"""Kinds of fields that several bodies have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

MAX_AMOUNT = 10**12

CurrencyCode = Literal["USD", "EUR", "CNY", "JPY", "KWD"]

Reference = Annotated[str, StringConstraints(pattern="^[!-~]{1,128}$")]
"""A name that a client gives: visible ASCII."""

FreeText = Annotated[str, StringConstraints(pattern="^[^\\u0000-\\u001f]*$")]
"""What people write. Never logged; card numbers are taken out before it is stored (redact.py)."""
