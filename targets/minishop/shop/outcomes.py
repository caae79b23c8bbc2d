"""What a call to the PSP is evidence of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paid:
    psp_id: str


@dataclass(frozen=True)
class Declined:
    """Certainly not charged, and never will be by this payment."""

    why: str


@dataclass(frozen=True)
class Unknown:
    """May be charged now or later. `reached`: the PSP answered at all."""

    why: str
    reached: bool
    psp_id: str | None = None


Charge = Paid | Declined | Unknown
