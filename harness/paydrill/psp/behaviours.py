"""Which operations the simulator treats badly, decided from the seed (pure).

Each decision is blake2b(seed | rule | token | operation | n-th execution): neither the order in
which requests arrive nor a restart nor another rule changes it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from paydrill.errors import UsageError
from paydrill.psp.terms import LATER

DECLINE = "decline"
COMMIT_THEN_DROP = "commit_then_drop"
COMMIT_THEN_500 = "commit_then_500"
SLOW_COMMIT = "slow_commit"
WEBHOOK_DUPLICATE = "webhook_duplicate"
WEBHOOK_DELAY = "webhook_delay"

OPERATION_RULES = (DECLINE, COMMIT_THEN_DROP, COMMIT_THEN_500, SLOW_COMMIT)
"""In this order the first one that is drawn wins."""
WEBHOOK_RULES = (WEBHOOK_DUPLICATE, WEBHOOK_DELAY)
SHARES = ("approve", *OPERATION_RULES, *WEBHOOK_RULES)
DURATIONS = {"slow_commit_s": 2.0, "webhook_delay_s": 2.0, **LATER}
"""How long a behaviour lasts, in seconds, where nothing else is asked for."""

CHARGES = ("create", "confirm")
"""The operations that a card can decline."""


def draw(seed: int, rule: str, token: str, operation: str, nth: int) -> float:
    """A number in [0, 1), always the same for the same arguments."""
    text = f"{seed}|{rule}|{token}|{operation}|{nth}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64


@dataclass(frozen=True)
class Behaviours:
    """Shares by rule (0…1) and durations; whatever no rule takes is approved."""

    seed: int
    settings: Mapping[str, float]

    @classmethod
    def of(cls, seed: int, settings: Mapping[str, object]) -> Behaviours:
        """Raises UsageError for an unknown name or a share that is none."""
        return cls(seed, {name: _checked(name, value) for name, value in settings.items()})

    def operation(self, token: str | None, operation: str, nth: int | None) -> str | None:
        """The rule for one execution of a money operation, or None: it is approved and answered."""
        if token is None or nth is None:
            return None
        for rule in OPERATION_RULES:
            if rule == DECLINE and operation not in CHARGES:
                continue
            if self._drawn(rule, token, operation, nth):
                return rule
        return None

    def webhook(self, rule: str, subject: str, event_type: str, nth: int) -> bool:
        """Whether a webhook rule is for the nth event of that type of that token (or intent)."""
        return self._drawn(rule, subject, event_type, nth)

    def seconds(self, name: str) -> float:
        return self.settings.get(name, DURATIONS[name])

    def _drawn(self, rule: str, token: str, operation: str, nth: int) -> bool:
        share = self.settings.get(rule, 0.0)
        return share > 0.0 and draw(self.seed, rule, token, operation, nth) < share


def _checked(name: str, value: object) -> float:
    if name not in SHARES and name not in DURATIONS:
        known = ", ".join((*SHARES, *DURATIONS))
        raise UsageError(f"unknown PSP behaviour {name!r}; known are: {known}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"PSP behaviour {name}: expected a number, got {value!r}")
    top = 1.0 if name in SHARES else 3600.0
    if not 0.0 <= value <= top:
        raise UsageError(f"PSP behaviour {name}: expected a number from 0 to {top:g}, got {value!r}")
    return float(value)
