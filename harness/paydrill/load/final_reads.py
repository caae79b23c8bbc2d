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
from paydrill.load.templates import Op

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 1.0
GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class FinalReads:
    """`asked` orders and lost creates were looked for; `definite` of them were answered in time."""

    asked: int
    definite: int


@dataclass(frozen=True, slots=True)
class _Question:
    """`order_ref` None: what came of a create that was never answered?"""

    intent: Intent
    order_ref: str | None


class FinalReader:
    """Asks everything there is to ask, as many at once as it has wires."""

    def __init__(self, shop: Shop, wires: Sequence[Wire]) -> None:
        self._shop = shop
        self._wires = wires
        self._left: deque[_Question] = deque()
        self._asked = 0
        self._definite = 0

    def run(self, timeout_s: float) -> FinalReads:
        """Returns when every question has a definite answer, or the time is over."""
        until_ns = self._shop.pace.now_ns() + seconds_ns(timeout_s)
        orders = self._shop.orders
        self._left.extend(_Question(known.intent, known.order_ref) for known in orders.known())
        if self._shop.offers("find"):
            self._left.extend(_Question(intent, None) for intent in orders.unheard())
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

    def _ask(self, wire: Wire, question: _Question, until_ns: int) -> bool:
        wait_s = FIRST_WAIT_S
        while (left_ns := until_ns - self._shop.pace.now_ns()) > 0:
            result = self._once(wire, question, left_ns / 1e9)
            if self._is_definite(result):
                self._follow(question, result)
                return True
            self._shop.pace.sleep_until(min(until_ns, self._shop.pace.now_ns() + seconds_ns(wait_s)))
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)
        return False

    def _follow(self, question: _Question, result: Result) -> None:
        """A lost create that left an order behind: that order is read like all others."""
        if question.order_ref is None and result.facts.order_ref is not None:
            self._left.append(_Question(question.intent, result.facts.order_ref))

    def _once(self, wire: Wire, question: _Question, left_s: float) -> Result:
        question.intent.order_ref = question.order_ref
        kind = "find" if question.order_ref is None else "final" if self._shop.offers("final") else "read"
        op = Op(kind, f"{question.intent.client_ref}-final-1")
        timeout_s = min(self._shop.timeout_s, left_s)
        return perform(self._shop, wire, question.intent, op, op_kind="final", timeout_s=timeout_s)

    @staticmethod
    def _is_definite(result: Result) -> bool:
        """An order, or that there is none. Any other refusal says nothing about the order."""
        return result.outcome == "ok" or (result.outcome == "fail" and result.status in GONE)
