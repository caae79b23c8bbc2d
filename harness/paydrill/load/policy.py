"""What a customer does about an unknown answer, drawn from the seed (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

GIVES_UP_SHARE = 0.2
PAYS_AGAIN_SHARE = 0.3
RETRIES = (3, 4, 6, 8)
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 2.0


@dataclass(frozen=True, slots=True)
class Policy:
    """`retries` of one unknown answer, always with the same key; 0 = gives up after the first.

    delays_s:   waits before the retries, one each, growing, with jitter
    pays_again: after a definite decline, pays once more with another card: new token, new key
    """

    retries: int
    delays_s: tuple[float, ...]
    pays_again: bool


def draw_policy(random: Random) -> Policy:
    """One in five gives up at once; three in ten of those declined take another card."""
    retries = 0 if random.random() < GIVES_UP_SHARE else random.choice(RETRIES)
    delays = tuple(
        min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**nth) * random.uniform(0.75, 1.25) for nth in range(retries)
    )
    return Policy(retries, delays, random.random() < PAYS_AGAIN_SHARE)
