"""How long the parts of a rhythm last: around their means, from the seed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

SPREAD = 0.5
LEAST_MS = 100
"""Shorter parts would be blurred by the conductor, which looks at the clock every 50 ms."""


def lengths_s(chance: Random, *means_ms: int) -> Iterator[float]:
    """Seconds of each part in turn, over and over, each between half and one and a half of its mean."""
    while True:
        for mean_ms in means_ms:
            yield mean_ms / 1000 * (1 - SPREAD + 2 * SPREAD * chance.random())


def check_means(**means_ms: int) -> None:
    """Raises ValueError for a part that is too short."""
    for name, mean_ms in means_ms.items():
        if mean_ms < LEAST_MS:
            raise ValueError(f"{name} is at least {LEAST_MS}, not {mean_ms}")
