"""The last look at every order that any client ever learned of, until each has a definite answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from paydrill.load.answers import Result
from paydrill.load.history import HistoryClosed
from paydrill.load.intents import Intent
from paydrill.load.operations import Shop, Wire, perform, seconds_ns
from paydrill.load.orders import KnownOrder
from paydrill.load.templates import Op

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 1.0
GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class FinalReads:
    """`asked` orders and unanswered creates were looked for; `definite` of them were answered in time."""

    asked: int
    definite: int


class FinalReader:
    """Asks everything there is to ask, as many at once as it has wires."""

    def __init__(self, shop: Shop, wires: Sequence[Wire]) -> None:
        self._shop = shop
        self._wires = wires
        self._left: deque[Intent] = deque()
        self._asked = 0
        self._definite = 0

    def run(self, timeout_s: float) -> FinalReads:
        """Returns when every question has a definite answer, or the time is over. May be called again."""
        until_ns = self._shop.pace.now_ns() + seconds_ns(timeout_s)
        self._left.clear()
        self._asked = self._definite = 0
        orders = self._shop.orders
        self._left.extend(known.as_intent() for known in orders.known())
        if self._shop.offers("find"):
            self._left.extend(orders.unheard())
        self._shop.pace.together([partial(self._work, wire, until_ns) for wire in self._wires])
        return FinalReads(self._asked, self._definite)

    def _work(self, wire: Wire, until_ns: int) -> None:
        while self._left:
            self._asked += 1
            wire.begin_anew()
            try:
                # Not `+= self._ask(…)`: that would read the sum before others add to it.
                is_definite = self._ask(wire, self._left.popleft(), until_ns)
            except HistoryClosed:
                return
            self._definite += is_definite

    def _ask(self, wire: Wire, intent: Intent, until_ns: int) -> bool:
        """Ask until the answer is definite. An intent without an order asks what came of its create."""
        wait_s = FIRST_WAIT_S
        while (left_ns := until_ns - self._shop.pace.now_ns()) > 0:
            timeout_s = min(self._shop.timeout_s, left_ns / 1e9)
            if intent.order_ref is None:
                result = self._do("find", "read", wire, intent, timeout_s)
                found = result.facts.order_ref
                if result.outcome == "ok" and found is not None:
                    self._left.append(KnownOrder(intent, found).as_intent())
            else:
                result = self._do(self._look, "final", wire, intent, timeout_s)
            if self._is_definite(result):
                return True
            self._shop.pace.sleep_until(min(until_ns, self._shop.pace.now_ns() + seconds_ns(wait_s)))
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)
        return False

    @property
    def _look(self) -> str:
        return "final" if self._shop.offers("final") else "read"

    def _do(self, request: str, op_kind: str, wire: Wire, intent: Intent, timeout_s: float) -> Result:
        op = Op(request, f"{intent.client_ref}-{op_kind}-1")
        return perform(self._shop, wire, intent, op, op_kind=op_kind, timeout_s=timeout_s)

    @staticmethod
    def _is_definite(result: Result) -> bool:
        """An order, or that there is none. Any other refusal says nothing about the order."""
        return result.outcome == "ok" or (result.outcome == "fail" and result.status in GONE)
