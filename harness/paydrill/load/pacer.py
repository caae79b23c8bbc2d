"""Open loop: every intent begins at its planned time, whatever became of those before it."""

from __future__ import annotations

import traceback
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

import gevent

from paydrill.clock import MonotonicClock
from paydrill.load.counters import LagHistogram, LoadCounters, Tally
from paydrill.load.history import History, HistoryClosed
from paydrill.load.intents import Intent, IntentMaker
from paydrill.load.operations import Shop, Wire
from paydrill.load.shopper import Shopper
from paydrill.load.traffic import Traffic
from paydrill.target import Outcome

LONGEST_NAP_NS = 100_000_000
Ended = Callable[[Intent, Outcome | None], None]


class GeventPace:
    """Time and concurrency in the child.

    gevent's own timers start from a cached time, which is stale after any blocking work: so every
    wait is a loop over the real clock.
    """

    def now_ns(self) -> int:
        return MonotonicClock().now_ns()

    def sleep_until(self, t_ns: int) -> None:
        while (left_ns := t_ns - self.now_ns()) > 0:
            gevent.sleep(left_ns / 1e9)

    def together(self, deeds: Sequence[Callable[[], None]]) -> None:
        greenlets = [gevent.spawn(deed) for deed in deeds]
        try:
            gevent.joinall(greenlets, raise_error=True)
        finally:
            gevent.killall(greenlets, block=False)


class Pacer:
    """Starts intents at their times. `ended` is told of each intent's end, and of each drop (None)."""

    def __init__(
        self,
        shop: Shop,
        wires: list[Wire],
        offsets: array[int],
        maker: IntentMaker,
        classes: Mapping[str, Traffic],
        ended: Ended,
    ) -> None:
        self._shop = shop
        self._free = wires
        self._offsets = offsets
        self._maker = maker
        self._classes = classes
        self._ended = ended
        self._next = 0
        self._t0_ns: int | None = None
        self._stopping = False
        self._live: set[gevent.Greenlet] = set()
        self.lag = LagHistogram()
        self.tally = Tally()

    @property
    def history(self) -> History:
        return self._shop.history

    def run(self, t0_ns: int) -> None:
        """Begin all intents; returns when the last has begun, or after `stop`."""
        self._t0_ns = t0_ns
        offsets, now_ns = self._offsets, self._shop.pace.now_ns
        while self._next < len(offsets) and not self._stopping:
            due_ns = t0_ns + offsets[self._next]
            wait_ns = due_ns - now_ns()
            if wait_ns > 0:
                gevent.sleep(min(wait_ns, LONGEST_NAP_NS) / 1e9)
                continue
            self.lag.add(-wait_ns)
            self._arrive(self._maker.make(self._next, due_ns))
            self._next += 1

    def stop(self) -> None:
        """No more arrivals."""
        self._stopping = True

    def is_idle(self) -> bool:
        """Every arrival has come and every intent has ended."""
        return self._next == len(self._offsets) and not self._live

    def counters(self) -> LoadCounters:
        due, now_ns = 0, self._shop.pace.now_ns()
        if self._t0_ns is not None:
            due = bisect_right(self._offsets, now_ns - self._t0_ns)
        return LoadCounters(
            at_ns=now_ns,
            due=due,
            started=self.tally.started,
            ops=self.history.ops,
            all=self.tally.all(),
            checkouts=self.tally.checkouts(),
            dropped=self.tally.dropped,
            in_flight=len(self._live),
            crashed=self.tally.crashed,
            lag=self.lag.lag(),
            begun=dict(self.tally.begun),
        )

    def _arrive(self, intent: Intent) -> None:
        traffic = self._classes[intent.cls]
        if not self._free:
            self.history.intent(intent)
            self.history.drop(intent)
            self.tally.ended(None, traffic.checkout)
            self._ended(intent, None)
            return
        wire = self._free.pop()
        self.tally.begun[intent.cls] += 1
        greenlet = gevent.Greenlet(self._serve, intent, traffic, wire)
        self._live.add(greenlet)
        greenlet.rawlink(self._live.discard)
        greenlet.start()

    def _serve(self, intent: Intent, traffic: Traffic, wire: Wire) -> None:
        """One intent from its first request to its last; a mistake of ours ends this intent only."""
        wire.begin_anew()
        shopper = Shopper(self._shop, wire, intent)
        try:
            ended = traffic.run(shopper)
            shopper.announce()
            self.history.ended(intent, ended)
            outcome = ended.outcome
        except HistoryClosed:
            return
        except Exception:
            traceback.print_exc()
            self.tally.crashed += 1
            outcome = "info"
        finally:
            self._free.append(wire)
        self.tally.ended(outcome, traffic.checkout)
        self._ended(intent, outcome)
