"""Waits for what a plan waits for: events in the files of the run, numbers that pass a bound, held answers.

Files are followed by a thread that looks every few milliseconds; a held answer is told by the PSP
itself. The conductor sleeps in `wait`, which ends as soon as something has come.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

from paydrill.backends import Stack
from paydrill.events import Condition, Happened, OnEvent, OnGauge, Source, When
from paydrill.events.known import KINDS
from paydrill.load.child import LoadChild
from paydrill.plan import Plan
from paydrill.run_folder import RunFolder
from paydrill.watch.gauges import Gauges
from paydrill.watch.holds import Strike, hold_for
from paydrill.watch.tails import tails_of

LOOK_EVERY_S = 0.004
GAUGE_EVERY_S = 0.25


@dataclass(frozen=True)
class Firing:
    """The event of a fault has come: `told` in words, `facts` of it. `held`: its answer waits."""

    fault: int
    event: str
    told: str
    t_ns: int
    facts: dict[str, str]
    held: bool


@dataclass
class _Armed:
    """`fault` None: it is a condition of `abort_if`. Counts what happened from `from_ns` on."""

    fault: int | None
    condition: Condition
    from_ns: int
    seen: int = 0
    strike: Strike | None = None

    def take(self, happened: Happened) -> bool:
        """Whether that was the one."""
        if not isinstance(self.condition, OnEvent) or happened.t_ns < self.from_ns:
            return False
        self.seen += self.condition.fits(happened)
        return self.seen >= self.condition.count


class Watch:
    """A context manager: leaving it ends all looking, and lets go whatever is held.

    `arm`, `take`, `strike` and `give_up` are the conductor's, from one thread. Conditions of
    `abort_if` count from the moment at which `begin` says that the load begins.
    """

    def __init__(self, stack: Stack, run: RunFolder, load: LoadChild, plan: Plan) -> None:
        self._stack = stack
        self._news = threading.Condition()
        self._armed: list[_Armed] = []
        self._strikes: dict[int, Strike] = {}
        self._fired: deque[Firing] = deque()
        self._abort = ""
        self._ended = threading.Event()
        self._abort_if = plan.abort_if
        conditions = [*_conditions(plan)]
        self._tails = list(tails_of(run, _sources(conditions)))
        gauges = {one.metric for one in conditions if isinstance(one, OnGauge)}
        self._gauges = Gauges(stack, run, load, gauges)
        self._threads: list[threading.Thread] = []
        if self._tails:
            self._threads.append(threading.Thread(target=self._follow, name="watch-files", daemon=True))
        if gauges:
            self._threads.append(threading.Thread(target=self._measure, name="watch-gauges", daemon=True))

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for strike in list(self._strikes.values()):
            strike.close()
        for thread in self._threads:
            thread.join()

    def begin(self, t0_ns: int) -> None:
        """The load begins at `t0_ns`: what ends the drill counts from there, each from its own time on."""
        with self._news:
            self._armed += [
                _Armed(None, one.condition, t0_ns + int(one.after_s * 1e9)) for one in self._abort_if
            ]

    def arm(self, fault: int, when: When) -> None:
        """From now on its event counts. Raises InstrumentDied when the PSP cannot be told to hold it."""
        armed = _Armed(fault, when.condition, time.monotonic_ns())
        if when.hold and isinstance(when.condition, OnEvent):
            kind = KINDS[when.condition.event]
            if kind.hold is None:
                raise ValueError(f"{kind.name} cannot be held")
            armed.strike = hold_for(self._stack.psps, kind.hold, when.condition)
            self._strikes[fault] = armed.strike
        with self._news:
            self._armed.append(armed)
        if armed.strike is not None:
            # Not before it is known here: an answer may be held within the same millisecond.
            armed.strike.await_held(lambda: self._is_held(armed))

    def wait(self, seconds: float) -> None:
        """At most so long; shorter when something has come."""
        with self._news:
            self._news.wait_for(lambda: bool(self._fired or self._abort), max(0.0, seconds))

    def take(self) -> Firing | None:
        with self._news:
            return self._fired.popleft() if self._fired else None

    def must_abort(self) -> str:
        """Which condition of `abort_if` was met, or why nothing can be seen any more; empty while none is."""
        return self._abort

    def strike(self, fault: int) -> Strike | None:
        """The fault is in force: its held answer goes. None when nothing was held for it."""
        strike = self._strikes.pop(fault, None)
        if strike is not None:
            strike.release()
        return strike

    def give_up(self, fault: int) -> str:
        """Wait for its event no longer; in words what had come of it."""
        with self._news:
            seen = [self._told_so_far(armed) for armed in self._armed if armed.fault == fault]
            self._armed = [armed for armed in self._armed if armed.fault != fault]
        if strike := self._strikes.pop(fault, None):
            strike.close()
        return "".join(seen)

    def _told_so_far(self, armed: _Armed) -> str:
        if isinstance(armed.condition, OnEvent):
            return f"{armed.seen} had come"
        value = self._gauges.value(armed.condition.metric)
        return "nobody tells it" if value is None else f"it was {value:g} last"

    # -- the threads

    def _follow(self) -> None:
        try:
            while not self._ended.wait(LOOK_EVERY_S):
                for tail in self._tails:
                    for happened in tail.read():
                        self._happened(happened)
        except Exception as problem:
            # Blind from here on: an event could come and nobody would see it.
            self._give_up_all(f"the run's files cannot be followed: {type(problem).__name__}: {problem}")

    def _happened(self, happened: Happened) -> None:
        with self._news:
            for armed in list(self._armed):
                came = armed.take(happened)
                if armed.strike is not None:
                    if armed.strike.is_followed_by(happened):
                        self._met(armed, happened.t_ns, armed.strike.facts(), happened.event)
                elif came:
                    self._met(armed, happened.t_ns, dict(happened.facts), happened.event)

    def _is_held(self, armed: _Armed) -> None:
        """Called from the strike's thread: the PSP holds the answer."""
        strike = armed.strike
        with self._news:
            if armed in self._armed and strike is not None and not strike.waits_for_more:
                self._met(armed, strike.held_at_ns, strike.facts(), _name(armed.condition))

    def _measure(self) -> None:
        try:
            while not self._ended.wait(GAUGE_EVERY_S):
                with self._news:
                    asked = [one for one in self._armed if isinstance(one.condition, OnGauge)]
                self._gauges.look()
                for armed in asked:
                    self._compare(armed)
        except Exception as problem:
            self._give_up_all(f"numbers cannot be read: {type(problem).__name__}: {problem}")

    def _compare(self, armed: _Armed) -> None:
        if not isinstance(armed.condition, OnGauge) or time.monotonic_ns() < armed.from_ns:
            return
        value = self._gauges.value(armed.condition.metric)
        if value is None:
            return
        with self._news:
            if armed in self._armed and armed.condition.fits(value):
                self._met(armed, time.monotonic_ns(), {"value": f"{value:g}"}, _name(armed.condition))

    def _give_up_all(self, why: str) -> None:
        with self._news:
            self._abort = self._abort or why
            self._news.notify_all()

    def _met(self, armed: _Armed, t_ns: int, facts: dict[str, str], name: str) -> None:
        """With the lock held."""
        self._armed.remove(armed)
        told = armed.condition.told()
        if armed.fault is None:
            seen = f" ({facts['value']} was seen)" if "value" in facts else ""
            self._abort = self._abort or f"abort_if: {told}{seen}"
        else:
            self._fired.append(Firing(armed.fault, name, told, t_ns, facts, armed.strike is not None))
        self._news.notify_all()


def _conditions(plan: Plan) -> Iterator[Condition]:
    yield from (fault.when.condition for fault in plan.faults if fault.when)
    yield from (one.condition for one in plan.abort_if)


def _sources(conditions: Sequence[Condition]) -> set[Source]:
    return {KINDS[one.event].source for one in conditions if isinstance(one, OnEvent)}


def _name(condition: Condition) -> str:
    return condition.event if isinstance(condition, OnEvent) else str(condition.metric)
