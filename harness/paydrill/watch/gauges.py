"""Reads the numbers of `events.gauges` and those of the target; one that cannot be read now has no value."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from paydrill import host_fit
from paydrill.backends import Stack
from paydrill.errors import PaydrillError
from paydrill.events import Happened, Metric, Series
from paydrill.events.gauges import LATEST_S
from paydrill.load.child import LoadChild
from paydrill.run_folder import RunFolder
from paydrill.watch.tails import history_tail
from paydrill.watch.target_metrics import read_series

FEWEST = 10
"""Payments below which a share of them says nothing."""
SQL_S = 1.0


@dataclass
class LatestPayments:
    """The payments answered in the last seconds."""

    _asked: dict[str, int] = field(default_factory=dict)
    _answered: deque[tuple[int, float, bool]] = field(default_factory=deque)

    def take(self, happened: Happened) -> None:
        if happened.facts.get("operation") != "pay":
            return
        op = happened.facts.get("op", "")
        if happened.event == "customer.asked":
            self._asked[op] = happened.t_ns
        elif happened.event == "customer.answered" and op in self._asked:
            took_ms = (happened.t_ns - self._asked.pop(op)) / 1e6
            self._answered.append((happened.t_ns, took_ms, happened.facts["outcome"] == "ok"))

    def ok_ratio(self, now_ns: int) -> float | None:
        latest = self._latest(now_ns)
        return sum(ok for _, ok in latest) / len(latest) if len(latest) >= FEWEST else None

    def p95_ms(self, now_ns: int) -> float | None:
        latest = sorted(took for took, _ in self._latest(now_ns))
        return latest[int(0.95 * (len(latest) - 1))] if len(latest) >= FEWEST else None

    def _latest(self, now_ns: int) -> list[tuple[float, bool]]:
        while self._answered and self._answered[0][0] < now_ns - LATEST_S * 1e9:
            self._answered.popleft()
        return [(took, ok) for _, took, ok in self._answered]


class Gauges:
    """`wanted` are those that will be asked for; nothing else is read."""

    def __init__(self, stack: Stack, run: RunFolder, load: LoadChild, wanted: Collection[Metric]) -> None:
        self._stack = stack
        self._load = load
        self._wanted = wanted
        self._before = host_fit.sample()
        self._payments = LatestPayments()
        self._tail = history_tail(run) if {"ok_ratio", "p95_ms"} & set(wanted) else None
        self._values: dict[Metric, float | None] = {}
        self._readers: Mapping[str, Callable[[], float | None]] = {
            "open_work": self._open_work,
            "psp_pending": lambda: sum(psp.status().pending for psp in stack.psps.values()),
            "in_flight": lambda: load.counters.in_flight,
            "dropped": lambda: load.counters.dropped,
            "lag_p99_ms": lambda: load.counters.lag.p99_ms,
            "ok_ratio": lambda: self._payments.ok_ratio(time.monotonic_ns()),
            "p95_ms": lambda: self._payments.p95_ms(time.monotonic_ns()),
            "steal_pct": lambda: host_fit.between(self._before, host_fit.sample())["steal_pct"],
            "load_1m": lambda: os.getloadavg()[0],
        }

    def look(self) -> None:
        """Read every wanted one anew; takes some seconds where the target's database is silent."""
        for happened in self._tail.read() if self._tail else ():
            self._payments.take(happened)
        for metric in self._wanted:
            self._values[metric] = self._read(metric)

    def value(self, metric: Metric) -> float | None:
        return self._values.get(metric)

    def _read(self, metric: Metric) -> float | None:
        if isinstance(metric, Series):
            return read_series(self._stack, metric)
        try:
            return self._readers[metric]()
        except (PaydrillError, OSError):
            return None

    def _open_work(self) -> float | None:
        source = self._stack.setup.target.open_work
        if source is None or source.sql is None:
            return None
        node = self._stack.topology.service(source.service)[0]
        rows = self._stack.sql(node, source.query, SQL_S)
        return float(str(rows[0]["open"])) if rows else None
