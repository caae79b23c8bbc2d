"""What one customer does, step by step, with the retries of their policy.

Traffic classes are written in these steps. Nothing here knows Locust, gevent or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from paydrill.load.answers import Result
from paydrill.load.intents import Intent, wire_token
from paydrill.load.operations import Shop, Wire, perform, seconds_ns
from paydrill.load.orders import KnownOrder
from paydrill.load.templates import Op
from paydrill.target import Outcome

DECLINED = 402
ACCEPTED = 202
POLL_FIRST_S = 0.2
POLL_LONGEST_S = 1.0
LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Step:
    """One key's requests taken together: `last` is the answer that ended them."""

    outcome: Outcome
    last: Result


def settled(results: Iterable[Result]) -> Outcome:
    """The outcome of one key after all its answers.

    An executed answer settles the unknown ones before it; a refusal that executed nothing does not.
    """
    unknown_before = False
    outcome: Outcome = "info"
    for result in results:
        if result.outcome == "ok":
            return "ok"
        outcome = result.outcome
        if outcome == "info":
            unknown_before = True
        elif result.executed:
            unknown_before = False
    return "info" if unknown_before else outcome


def over_tries(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of an intent with several tries: ok if any is, else unknown if any is, else failed."""
    seen = set(outcomes)
    return "ok" if "ok" in seen else "info" if "info" in seen else "fail"


class Shopper:
    """One intent's client. Raises HistoryClosed from any step once the load is stopped."""

    def __init__(self, shop: Shop, wire: Wire, intent: Intent) -> None:
        self.shop = shop
        self.intent = intent
        self._wire = wire
        self._announced = False
        self._first_due_ns: int | None = intent.due_ns
        self._left = False
        self._declined = False

    @property
    def has_left(self) -> bool:
        """The customer gave up after an unknown answer: no more requests from them."""
        return self._left

    def announce(self) -> None:
        """Write the intent down; once, before its first request at the latest."""
        if not self._announced:
            self._announced = True
            self.shop.history.intent(self.intent)

    def create(self) -> Outcome:
        """Place the order. After ok, `intent.order_ref` is known."""
        self.announce()
        self.shop.orders.create_sent(self.intent)
        step = self._insist(self._op("create", amount=self.intent.amount))
        if step.outcome == "fail":
            self.shop.orders.refused(self.intent)
        return step.outcome

    def pay(self) -> Outcome:
        """Pay the order; after a definite decline perhaps once more with another card."""
        outcomes = [self._pay_by_card(1)]
        if outcomes[-1] == "fail" and self._declined and self.intent.policy.pays_again:
            outcomes.append(self._pay_by_card(2))
        return over_tries(outcomes)

    def cancel(self) -> Outcome:
        return self._insist(self._op("cancel")).outcome

    def refund(self, amount: int) -> Outcome:
        """Ask for `amount` minor units back."""
        return self._insist(self._op("refund", amount=amount, reason="requested_by_customer")).outcome

    def read(self) -> Result:
        """Look at the order, once."""
        return self._once(self._op("read"))

    def visit(self, order: KnownOrder) -> Result:
        """Come back as the customer of an order placed before in this run, and look at it, once.

        In the history the look belongs to the intent that placed the order.
        """
        self.intent.person = order.intent.person
        self.announce()
        placed = order.as_intent()
        op = Op("read", f"{self.intent.client_ref}-read-1")
        return perform(self.shop, self._wire, placed, op, due_ns=self.intent.due_ns)

    def await_any_order(self) -> KnownOrder | None:
        """An order acknowledged so far in this run; waits for the first one, at most until the horizon."""
        until_ns = self.intent.due_ns + seconds_ns(self.shop.horizon_s)
        while (order := self.shop.orders.any_acknowledged(self.intent.dice[0])) is None:
            if self.shop.history.closed or self._now() >= until_ns:
                return None
            self._sleep(LOOK_EVERY_S)
        return order

    def is_paid(self, result: Result) -> bool:
        return result.outcome == "ok" and result.facts.said in self.shop.client.paid_states

    def together(
        self, first: Callable[[], Outcome], second: Callable[[], Outcome]
    ) -> tuple[Outcome, Outcome]:
        """Do two things at the same moment."""
        outcomes: dict[int, Outcome] = {}
        deeds = [lambda: outcomes.update({0: first()}), lambda: outcomes.update({1: second()})]
        self.shop.pace.together(deeds)
        return outcomes[0], outcomes[1]

    def _pay_by_card(self, try_no: int) -> Outcome:
        token = self.shop.history.token(self.intent, try_no)
        op = self._op("pay", try_no=try_no, token=wire_token(token), amount=self.intent.amount)
        step = self._insist(op, token)
        self._declined = step.outcome == "fail" and step.last.status == DECLINED
        if step.outcome == "ok" and self._only_accepted(step.last):
            return self._poll()
        if step.outcome == "info" and not self._left:
            return "ok" if self.is_paid(self.read()) else "info"
        return step.outcome

    def _only_accepted(self, result: Result) -> bool:
        said, paid = result.facts.said, self.shop.client.paid_states
        return result.status == ACCEPTED or (said is not None and bool(paid) and said not in paid)

    def _poll(self) -> Outcome:
        """Look until an accepted payment has settled. Still unsettled at the horizon: the promise stands."""
        until_ns = self._now() + seconds_ns(self.shop.horizon_s)
        wait_s = POLL_FIRST_S
        while self._now() < until_ns:
            self._sleep(wait_s)
            result = self.read()
            if self.is_paid(result):
                return "ok"
            if result.outcome == "ok" and result.facts.said in self.shop.client.failed_states:
                return "fail"
            wait_s = min(POLL_LONGEST_S, wait_s * 1.5)
        return "ok"

    def _insist(self, op: Op, token: int | None = None) -> Step:
        """Send, and send again with the same key while the answer is unknown, as the policy allows."""
        until_ns = self._now() + seconds_ns(self.shop.horizon_s)
        results = [self._once(op, token)]
        for delay_s in self.intent.policy.delays_s:
            retry_ns = self._now() + seconds_ns(delay_s)
            if not self._is_unknown(results[-1]) or retry_ns >= until_ns:
                break
            self.shop.pace.sleep_until(retry_ns)
            results.append(self._once(op, token, retry_ns))
        outcome = settled(results)
        if outcome == "info" and self.intent.policy.retries == 0:
            self._left = True
        return Step(outcome, results[-1])

    def _once(self, op: Op, token: int | None = None, due_ns: int | None = None) -> Result:
        self.announce()
        if self._first_due_ns is not None:
            due_ns, self._first_due_ns = self._first_due_ns, None
        result = perform(self.shop, self._wire, self.intent, op, token, due_ns)
        learned = result.facts.order_ref
        if op.kind == "create" and result.outcome == "ok" and learned is not None:
            self.shop.orders.learned(self.intent, learned)
            self.intent.order_ref = self.intent.order_ref or learned
        return result

    def _is_unknown(self, result: Result) -> bool:
        return result.outcome == "info" or result.facts.code in self.shop.client.retry_codes

    def _op(
        self,
        kind: str,
        try_no: int = 1,
        token: str | None = None,
        amount: int | None = None,
        reason: str | None = None,
    ) -> Op:
        currency = self.intent.currency if amount is not None else None
        key = f"{self.intent.client_ref}-{kind}-{try_no}"
        return Op(kind, key, try_no, token, amount, currency, reason)

    def _now(self) -> int:
        return self.shop.pace.now_ns()

    def _sleep(self, seconds: float) -> None:
        self.shop.pace.sleep_until(self._now() + seconds_ns(seconds))
