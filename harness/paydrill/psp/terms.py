"""What the provider does by itself, and when: compressed times, and its fee.

They are settings like the behaviours' durations, and are read through them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LATER = {
    "async_s": 2.0,
    "auth_life_s": 30.0,
    "refund_pending_s": 2.0,
    "refund_fail_s": 3.0,
    "late_decline_s": 3.0,
    "dispute_s": 5.0,
    "lookup_lag_s": 0.0,
    "fee_bp": 0.0,
}
"""Seconds by name, where nothing else is asked for; `fee_bp` is in hundredths of a percent of a charge."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long the provider takes for what nobody asks it for. Seconds."""

    async_s: float = LATER["async_s"]
    auth_life_s: float = LATER["auth_life_s"]
    refund_pending_s: float = LATER["refund_pending_s"]
    refund_fail_s: float = LATER["refund_fail_s"]
    late_decline_s: float = LATER["late_decline_s"]
    dispute_s: float = LATER["dispute_s"]
    fee_bp: float = LATER["fee_bp"]

    @classmethod
    def of(cls, setting: Callable[[str], float]) -> Terms:
        """From a lookup by name that knows the names of LATER."""
        return cls(
            async_s=setting("async_s"),
            auth_life_s=setting("auth_life_s"),
            refund_pending_s=setting("refund_pending_s"),
            refund_fail_s=setting("refund_fail_s"),
            late_decline_s=setting("late_decline_s"),
            dispute_s=setting("dispute_s"),
            fee_bp=setting("fee_bp"),
        )

    def fee(self, amount: int) -> int:
        """What the provider keeps of a charge, in whole minor units, half up."""
        return (amount * round(self.fee_bp) + 5_000) // 10_000


STANDARD = Terms()
