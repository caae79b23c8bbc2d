"""A budget for retries, so that a PSP in trouble is not asked several times as much. Pure: the clock is injected."""

from __future__ import annotations

from collections.abc import Callable

ROUNDING = 1e-9


class RetryBudget:
    """Each first try earns `share` of a retry, and time a little, so that a quiet process may retry too."""

    def __init__(
        self, clock: Callable[[], float], share: float = 0.1, per_s: float = 1.0, most: float = 20.0
    ) -> None:
        self._clock = clock
        self._share = share
        self._per_s = per_s
        self._most = most
        self._left = most
        self._at = clock()

    def earn(self) -> None:
        """A first try has been made."""
        self._left = min(self._most, self._left + self._share)

    def spend(self) -> bool:
        """Whether there is a retry left; it is taken."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1.0 - ROUNDING:
            return False
        self._left -= 1.0
        return True
