"""What one customer does, step by step, with the retries of their policy.

Traffic classes are written in these steps. Nothing here knows Locust, gevent or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from paydrill.load.answers import Result
from paydrill.load.customers import Customer, Operator
from paydrill.load.intents import Intent
from paydrill.load.operations import Shop, Wire, perform, seconds_ns
from paydrill.load.orders import KnownOrder
from paydrill.load.products import Cart
from paydrill.load.templates import Op
from paydrill.target import Outcome

DECLINED = 402
ACCEPTED = 202
CONFLICT = 409
POLL_FIRST_S = 0.2
POLL_LONGEST_S = 1.0
LOOK_EVERY_S = 0.05
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Step:
    """One key's requests taken together: `last` is the answer that ended them."""

    outcome: Outcome
    last: Result

    @property
    def declined(self) -> bool:
        return self.outcome == "fail" and self.last.status == DECLINED

    @property
    def conflict(self) -> bool:
        """Refused for what somebody else has done meanwhile."""
        return self.outcome == "fail" and self.last.status == CONFLICT


@dataclass(frozen=True, slots=True)
class Card:
    """One try's payment token: its number, and how it is written on the wire."""

    token: int
    wire: str
    try_no: int


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
    """One intent's client. Raises HistoryClosed from any step once the load is stopped.

    keys:     what all idempotency keys of this intent begin with
    answers:  every answer so far, in order, with the name of its request
    saw_paid: an answer has said that the order is paid
    """

    def __init__(self, shop: Shop, wire: Wire, intent: Intent) -> None:
        self.shop = shop
        self.intent = intent
        self.keys = intent.client_ref
        self.answers: list[tuple[str, Result]] = []
        self.saw_paid = False
        self._wire = wire
        self._announced = False
        self._first_due_ns: int | None = intent.due_ns
        self._left = False
        self._seconds = 0

    @property
    def has_left(self) -> bool:
        """The customer gave up after an unknown answer: no more requests from them."""
        return self._left

    def announce(self) -> None:
        """Write the intent down; once, before its first request at the latest."""
        if not self._announced:
            self._announced = True
            self.shop.history.intent(self.intent)

    # -- one request, with the retries of the policy

    def create(self, key_no: int = 1) -> Outcome:
        """Place the order. After ok, `intent.order_ref` is known."""
        return self.place(key_no).outcome

    def place(self, key_no: int = 1) -> Step:
        """The same, with the answer. Another `key_no` is another idempotency key for the same cart."""
        self.announce()
        self.shop.orders.create_sent(self.intent)
        step = self._insist(self._op("create", key_no, amount=self.intent.amount))
        if step.outcome == "fail" and self.intent.order_ref is None:
            self.shop.orders.refused(self.intent)
        return step

    def card(self, try_no: int = 1, how: str | None = None) -> Card:
        """Take a card out: each one's token is issued once. `how` is the PSP simulator's word for it."""
        token, wire = self.shop.history.token(self.intent, try_no, how)
        return Card(token, wire, try_no)

    def saved_card(self, number: int) -> Card:
        """A card that the shop knows already; its wire token is the same for all who use this number.

        Two intents that do must differ in their amounts: by these alone a charge is told apart.
        """
        token, wire = self.shop.history.saved_token(self.intent, 1, number)
        return Card(token, wire, 1)

    def pay(self) -> Outcome:
        """Pay the order; after a definite decline perhaps once more with another card."""
        step = self.present(self.card())
        outcomes = [self.settle(step)]
        if outcomes[-1] == "fail" and step.declined and self.intent.policy.pays_again:
            outcomes.append(self.pay_by(self.card(2)))
        return over_tries(outcomes)

    def pay_by(self, card: Card, key_no: int | None = None) -> Outcome:
        """Pay with this card until it is settled; another `key_no` is another idempotency key."""
        return self.settle(self.present(card, key_no))

    def present(self, card: Card, key_no: int | None = None) -> Step:
        """Ask for the payment, and no more: an accepted one may still be under way."""
        return self._insist(self._payment(card, key_no), card.token)

    def press_pay(self, card: Card, key_no: int | None = None, timeout_s: float | None = None) -> Result:
        """Ask for the payment once, whatever the answer. `timeout_s`: go away after so long."""
        return self._once(self._payment(card, key_no), card.token, timeout_s=timeout_s)

    def settle(self, step: Step) -> Outcome:
        """What came of a payment: an accepted one is looked at until it has settled."""
        if step.outcome == "ok" and self._only_accepted(step.last):
            return self._poll()
        if step.outcome == "info" and not self._left:
            return "ok" if self.is_paid(self.read()) else "info"
        return step.outcome

    def cancel(self) -> Outcome:
        return self.call_off().outcome

    def call_off(self) -> Step:
        """Cancel the order, with the answer."""
        return self._insist(self._op("cancel"))

    def refund(self, amount: int, part: int = 1) -> Step:
        """Ask for `amount` minor units back; each part is a wish of its own."""
        op = self._op("refund", part, amount=amount, reason="requested_by_customer")
        return self._insist(op)

    def operator_refund(self, amount: int, refund_ref: str, press: int, operator: Operator) -> Step:
        """Somebody of the support gives back `amount`; pressing again is another key for the same refund."""
        op = self._op(
            "operator_refund",
            press,
            amount=amount,
            reason="support",
            refund_ref=refund_ref,
            operator=operator,
        )
        return self._insist(op, op_kind="refund")

    def do_challenge(self, approve: bool, card: Card) -> Step:
        """What the PSP wants to see done, in the customer's browser."""
        op = self._op("challenge", reason="approve" if approve else "refuse")
        return self._insist(op, card.token)

    def read(self) -> Result:
        """Look at the order, once."""
        return self._once(self._op("read"))

    # -- orders placed before in this run

    def visit(self, order: KnownOrder) -> Result:
        """Come back as the customer of an order placed before in this run, and look at it, once.

        In the history the look belongs to the intent that placed the order.
        """
        self._become(order)
        op = Op("read", f"{self.keys}-read-1")
        return perform(self.shop, self._wire, order.as_intent(), op, due_ns=self._due_once())

    def look_up(self, order: KnownOrder) -> Result:
        """The same by the cart's id: what comes back says which order it is."""
        self._become(order)
        op = Op("find", f"{self.keys}-find-1")
        cart = order.without_ref()
        return perform(self.shop, self._wire, cart, op, due_ns=self._due_once(), op_kind="read")

    def await_any_order(self) -> KnownOrder | None:
        """An order acknowledged so far in this run; waits for the first one, at most until the horizon."""
        until_ns = self.intent.due_ns + seconds_ns(self.shop.horizon_s)
        while (order := self.shop.orders.any_acknowledged(self.intent.dice[0])) is None:
            if self.shop.history.closed or self._now() >= until_ns:
                return None
            self.wait(LOOK_EVERY_S)
        return order

    # -- wishes after the first

    def again(self, cart: Cart | None = None, person: Customer | None = None) -> Shopper:
        """A second wish: an intent of its own with a new client_ref, and the same cart if no other is given.

        Its class says with `end` when it is over.
        """
        self._seconds += 1
        wish = self.shop.maker.second(self.intent, self._seconds, self._now(), cart, person)
        return Shopper(self.shop, self._wire if person is None else self._wire.another(), wish)

    def end(self, outcome: Outcome) -> None:
        """A second wish is over."""
        self.announce()
        self.shop.history.done(self.intent, outcome)

    # -- what an answer was

    def is_paid(self, result: Result) -> bool:
        return result.outcome == "ok" and result.facts.said in self.shop.client.paid_states

    def is_in_progress(self, result: Result) -> bool:
        """Somebody is at work on the same key."""
        return result.status == CONFLICT and self._is_unknown(result)

    def repeats(self, request: str) -> int:
        """How many answers to this request were kept ones, or said that it is being worked on already."""
        answers = (result for name, result in self.answers if name == request)
        return sum(result.facts.replayed or self.is_in_progress(result) for result in answers)

    # -- time

    def together(self, *deeds: Callable[[], Done]) -> list[Done]:
        """Do all this at the same moment; the results in the order of the deeds."""
        done: dict[int, Done] = {}

        def noted(number: int, deed: Callable[[], Done]) -> Callable[[], None]:
            return lambda: done.update({number: deed()})

        self.shop.pace.together([noted(number, deed) for number, deed in enumerate(deeds)])
        return [done[number] for number in range(len(deeds))]

    def wait(self, seconds: float) -> None:
        self.shop.pace.sleep_until(self._now() + seconds_ns(seconds))

    # -- small things

    def _become(self, order: KnownOrder) -> None:
        self.intent.person = order.intent.person
        self.announce()

    def _due_once(self) -> int | None:
        """The arrival's own time for its first request; later ones are due when they are sent."""
        due_ns, self._first_due_ns = self._first_due_ns, None
        return due_ns

    def _payment(self, card: Card, key_no: int | None) -> Op:
        amount = self.intent.amount
        return self._op("pay", key_no or card.try_no, token=card.wire, amount=amount, try_no=card.try_no)

    def _only_accepted(self, result: Result) -> bool:
        said, paid = result.facts.said, self.shop.client.paid_states
        return result.status == ACCEPTED or (said is not None and bool(paid) and said not in paid)

    def _poll(self) -> Outcome:
        """Look until an accepted payment has settled. Still unsettled at the horizon: the promise stands."""
        until_ns = self._now() + seconds_ns(self.shop.horizon_s)
        wait_s = POLL_FIRST_S
        while self._now() < until_ns:
            self.wait(wait_s)
            result = self.read()
            if self.is_paid(result):
                return "ok"
            if result.outcome == "ok" and result.facts.said in self.shop.client.failed_states:
                return "fail"
            wait_s = min(POLL_LONGEST_S, wait_s * 1.5)
        return "ok"

    def _insist(self, op: Op, token: int | None = None, op_kind: str | None = None) -> Step:
        """Send, and send again with the same key while the answer is unknown, as the policy allows."""
        until_ns = self._now() + seconds_ns(self.shop.horizon_s)
        results = [self._once(op, token, op_kind=op_kind)]
        for delay_s in self.intent.policy.delays_s:
            retry_ns = self._now() + seconds_ns(delay_s)
            if not self._is_unknown(results[-1]) or retry_ns >= until_ns:
                break
            self.shop.pace.sleep_until(retry_ns)
            results.append(self._once(op, token, retry_ns, op_kind))
        outcome = settled(results)
        if outcome == "info" and self.intent.policy.retries == 0:
            self._left = True
        return Step(outcome, results[-1])

    def _once(
        self,
        op: Op,
        token: int | None = None,
        due_ns: int | None = None,
        op_kind: str | None = None,
        timeout_s: float | None = None,
    ) -> Result:
        self.announce()
        if self._first_due_ns is not None:
            due_ns = self._due_once()
        result = perform(self.shop, self._wire, self.intent, op, token, due_ns, op_kind, timeout_s)
        self.answers.append((op.kind, result))
        facts = result.facts
        if op.kind == "create" and result.outcome == "ok" and facts.order_ref is not None:
            self.shop.orders.learned(self.intent, facts.order_ref)
            self.intent.order_ref = self.intent.order_ref or facts.order_ref
        if facts.challenge is not None:
            self.intent.challenge = facts.challenge
        self.saw_paid = self.saw_paid or self.is_paid(result)
        return result

    def _is_unknown(self, result: Result) -> bool:
        return result.outcome == "info" or result.facts.code in self.shop.client.retry_codes

    def _op(
        self,
        kind: str,
        key_no: int = 1,
        *,
        try_no: int | None = None,
        token: str | None = None,
        amount: int | None = None,
        reason: str | None = None,
        refund_ref: str | None = None,
        operator: Operator | None = None,
    ) -> Op:
        currency = self.intent.currency if amount is not None else None
        key = f"{self.keys}-{kind}-{key_no}"
        return Op(kind, key, try_no or key_no, token, amount, currency, reason, refund_ref, operator)

    def _now(self) -> int:
        return self.shop.pace.now_ns()
