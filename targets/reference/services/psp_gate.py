"""What each call to a PSP passes before it is sent: the freeze switch, the circuit breaker, the bulkhead.

Who is not let through has sent nothing: that is certain, and the caller may say so or go elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import stripe

from services.breaker import Breaker
from services.payment_metrics import CIRCUIT_OPEN, PSP_CALLS

FROZEN = "frozen"
OVERLOADED = "overloaded"

IsFrozen = Callable[[], Awaitable[bool]]


class NotSent(Exception):
    """The call was not begun. `why`: frozen or overloaded."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Gate:
    """`at_once` bounds the calls under way, so that a slow PSP takes no more than its share of this process."""

    def __init__(self, psp: str, breaker: Breaker, at_once: int, is_frozen: IsFrozen) -> None:
        self._psp = psp
        self.breaker = breaker
        self._at_once = at_once
        self._inside = 0
        self._is_frozen = is_frozen

    @property
    def lets_through(self) -> bool:
        return self.breaker.state != "open" and self._inside < self._at_once

    @asynccontextmanager
    async def money(self) -> AsyncIterator[None]:
        """For a call that moves money. Raises NotSent, and DatabaseUnavailable if nobody knows of a freeze."""
        if await self._is_frozen():
            raise self._refusal(FROZEN)
        async with self.read():
            yield

    @asynccontextmanager
    async def read(self) -> AsyncIterator[None]:
        """For a call that only looks. Raises NotSent."""
        if self._inside >= self._at_once or not self.breaker.enter():
            raise self._refusal(OVERLOADED)
        self._inside += 1
        failed = True
        try:
            yield
            failed = False
        except stripe.StripeError as error:
            failed = _is_trouble(error)
            raise
        finally:
            self._inside -= 1
            self.breaker.leave(failed)
            PSP_CALLS.labels(self._psp, "failed" if failed else "ok").inc()
            CIRCUIT_OPEN.labels(self._psp).set(self.breaker.state == "open")

    def _refusal(self, why: str) -> NotSent:
        PSP_CALLS.labels(self._psp, why).inc()
        return NotSent(why)


def _is_trouble(error: stripe.StripeError) -> bool:
    """Whether it speaks of the PSP's health: no answer, a server error that is not a kept one, too many requests."""
    if isinstance(error, stripe.APIConnectionError):
        return True
    if isinstance(error, stripe.RateLimitError):
        return error.error is None or error.error.code != "lock_timeout"
    replayed = (error.headers or {}).get("Idempotent-Replayed") == "true"
    return (error.http_status or 0) >= 500 and not replayed
