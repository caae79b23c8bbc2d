"""Idempotency as other providers do it, one row each; docs/psp.md says which part is assumption (pure).

A profile answers four questions: what does a key keep, what is a kept answer worth, how long is it
kept, and what besides the key saves a careless caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Result:
    """A status and a body."""

    status: int
    body: bytes

    @property
    def success(self) -> bool:
        return 200 <= self.status < 300


Keeper = Callable[[Result, Result], Result | None]
"""(what the operation came to, what the caller is told) -> what its key keeps."""


def the_answer(done: Result, told: Result) -> Result:
    """Whatever was told, also a 500 over work that was done."""
    return told


def a_told_success(done: Result, told: Result) -> Result | None:
    """Only a 2xx that was told: after anything else the same key runs again."""
    return told if told.success else None


def finished_work(done: Result, told: Result) -> Result | None:
    """Work that was done, whatever was told of it; failed work runs again."""
    return done if done.success else None


def what_happened(done: Result, told: Result) -> Result:
    """How it really ended, failure too: nothing runs twice."""
    return done


@dataclass(frozen=True)
class Profile:
    """`window_s`: keys are kept that long (None: no end is published).

    `compares`: the same key with other parameters is refused. `replays_now`: a replay shows the object
    as it is now in place of the first answer. `tells_replays`: headers tell a replay from a first answer.
    """

    name: str
    keeps: Keeper
    window_s: float | None
    compares: bool = True
    replays_now: bool = False
    tells_replays: bool = True
    single_use: bool = False
    duplicates_s: float = 0.0
    cancel_by_key: bool = False


STRIPE = Profile("stripe", the_answer, _DAY_S)
STRIPE_V2 = Profile("stripe_v2", finished_work, 30 * _DAY_S)
CHECKOUT = Profile("checkout", a_told_success, _DAY_S)
BRAINTREE = Profile("braintree", what_happened, 30 * _DAY_S, replays_now=True, duplicates_s=30.0)
SQUARE = Profile("square", finished_work, None, cancel_by_key=True)
STRICT_KEY_ONLY = Profile("strict_key_only", the_answer, _DAY_S, compares=False, tells_replays=False)
STRICT_SINGLE_USE = Profile("strict_single_use", the_answer, _DAY_S, single_use=True)

PROFILES = {
    one.name: one
    for one in (STRIPE, STRIPE_V2, CHECKOUT, BRAINTREE, SQUARE, STRICT_KEY_ONLY, STRICT_SINGLE_USE)
}
