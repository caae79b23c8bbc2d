"""How the load is doing: schedule lag and counts, small enough to be told four times a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from paydrill.target import Outcome

_STEPS_PER_DOUBLING = 32


@dataclass(frozen=True, slots=True)
class Lag:
    """How late arrivals were started, milliseconds; 0 when there was none yet."""

    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0


class LagHistogram:
    """Lags in buckets 3 % wide: constant memory, and percentiles at once, however long the load."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._count = 0
        self._max_ns = 0

    def add(self, lag_ns: int) -> None:
        lag_ns = max(lag_ns, 0)
        self._buckets[_bucket(lag_ns)] += 1
        self._count += 1
        self._max_ns = max(self._max_ns, lag_ns)

    def lag(self) -> Lag:
        return Lag(self._quantile_ms(0.5), self._quantile_ms(0.99), round(self._max_ns / 1e6, 3))

    def _quantile_ms(self, share: float) -> float:
        left = share * self._count
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return round(min(_upper_ns(bucket), self._max_ns) / 1e6, 3)
        return 0.0


def _bucket(value: int) -> int:
    """Exact below 32; above, the leading six bits: 32 buckets a doubling."""
    shift = max(value.bit_length() - _STEPS_PER_DOUBLING.bit_length(), 0)
    return shift * _STEPS_PER_DOUBLING + (value >> shift)


def _upper_ns(bucket: int) -> int:
    shift = max(bucket // _STEPS_PER_DOUBLING - 1, 0)
    return ((bucket - shift * _STEPS_PER_DOUBLING) + 1 << shift) - 1


@dataclass(frozen=True, slots=True)
class ByOutcome:
    """Intents by how they ended for their client."""

    ok: int = 0
    fail: int = 0
    info: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class LoadCounters:
    """The state of the load at one moment.

    at_ns:     that moment, on the monotonic clock
    due:       arrivals whose time had come; started + dropped follow it as closely as the pacer can
    all:       intents of every traffic class that have ended
    checkouts: those of them whose class counts as a checkout
    begun:     those that were started, by their traffic class
    crashed:   intents ended by a mistake of the load itself (its log tells); must be 0
    """

    at_ns: int = 0
    due: int = 0
    started: int = 0
    ops: int = 0
    all: ByOutcome = ByOutcome()
    checkouts: ByOutcome = ByOutcome()
    dropped: int = 0
    in_flight: int = 0
    crashed: int = 0
    lag: Lag = Lag()
    begun: Mapping[str, int] = field(default_factory=dict)


class Tally:
    """Counts intents as they end."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.crashed = 0
        self._all: Counter[str] = Counter()
        self._checkouts: Counter[str] = Counter()

    def ended(self, outcome: Outcome | None, checkout: bool) -> None:
        """`outcome` None: dropped."""
        word = outcome or "dropped"
        self._all[word] += 1
        if checkout:
            self._checkouts[word] += 1

    def all(self) -> ByOutcome:
        return ByOutcome(**self._all)

    def checkouts(self) -> ByOutcome:
        return ByOutcome(**self._checkouts)

    @property
    def started(self) -> int:
        return self.begun.total()

    @property
    def dropped(self) -> int:
        return self._all["dropped"]
