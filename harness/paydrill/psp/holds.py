"""Hold and strike: keep one answer back until the fault is in force, then let it go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

BEFORE_COMMIT = "before_commit"
AFTER_COMMIT = "after_commit"
POINTS = (BEFORE_COMMIT, AFTER_COMMIT)
ANSWERS = ("answer", "drop", "500")


@dataclass(frozen=True)
class Match:
    """Which executions count. None matches all; `effect` can be told only after the commit."""

    action: str | None = None
    effect: str | None = None
    token: int | None = None
    pi: str | None = None

    def fits(self, action: str, token: int | None, pi: str | None, effects: Iterable[str]) -> bool:
        return (
            self.action in (None, action)
            and self.token in (None, token)
            and self.pi in (None, pi)
            and (self.effect is None or self.effect in effects)
        )


@dataclass(frozen=True)
class Release:
    """How a hold ended; `why`: released, expired or control_gone."""

    answer: str
    why: str


@dataclass(eq=False)
class Hold:
    """Armed for the `count`-th execution that fits; then held, for at most `max_s` seconds."""

    number: int
    owner: object
    match: Match
    point: str
    count: int
    max_s: float
    tell: Callable[[dict[str, object]], None]
    outcome: asyncio.Future[Release] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    held_at_ns: int = 0

    async def wait(self) -> Release:
        """Until released, or `max_s` is over."""
        try:
            async with asyncio.timeout(self.max_s):
                return await asyncio.shield(self.outcome)
        except TimeoutError:
            return Release("answer", "expired")


class Holds:
    """All armed and held ones of the process."""

    def __init__(self) -> None:
        self._last = 0
        self._armed: dict[int, Hold] = {}
        self._held: dict[int, Hold] = {}

    @property
    def armed(self) -> int:
        return len(self._armed)

    @property
    def held(self) -> int:
        return len(self._held)

    def arm(
        self,
        owner: object,
        match: Match,
        point: str,
        count: int,
        max_s: float,
        tell: Callable[[dict[str, object]], None],
    ) -> Hold:
        self._last += 1
        hold = Hold(self._last, owner, match, point, count, max_s, tell)
        self._armed[hold.number] = hold
        return hold

    def hit(
        self, point: str, action: str, token: int | None, pi: str | None, effects: Iterable[str]
    ) -> Hold | None:
        """Count one execution; the hold that it must wait for, if any."""
        kinds = tuple(effects)
        struck: Hold | None = None
        for hold in list(self._armed.values()):
            if hold.point != point or not hold.match.fits(action, token, pi, kinds):
                continue
            hold.count -= 1
            if hold.count <= 0 and struck is None:
                struck = hold
                del self._armed[hold.number]
                self._held[hold.number] = hold
                hold.held_at_ns = time.monotonic_ns()
        return struck

    def done(self, hold: Hold) -> None:
        self._held.pop(hold.number, None)

    def release(self, number: int, answer: str) -> bool:
        """False when there is no such hold any more (expired); an armed one is disarmed."""
        hold = self._held.get(number)
        if hold is None:
            return self._armed.pop(number, None) is not None
        if hold.outcome.done():
            return False
        hold.outcome.set_result(Release(answer, "released"))
        return True

    def owner_gone(self, owner: object) -> None:
        """The harness hung up: everything it held is answered."""
        for hold in [hold for hold in self._armed.values() if hold.owner is owner]:
            del self._armed[hold.number]
        for hold in [hold for hold in self._held.values() if hold.owner is owner]:
            if not hold.outcome.done():
                hold.outcome.set_result(Release("answer", "control_gone"))
