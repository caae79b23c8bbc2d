"""Money is conserved whatever a target does: a model runs beside the real state machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from paydrill.psp import operations
from paydrill.psp.change import Change
from paydrill.psp.form import decode
from paydrill.psp.how import AS_USUAL, DECLINED, How
from paydrill.psp.journal import Journal
from paydrill.psp.journal_reader import read_journal
from paydrill.psp.ledger import Ledger
from paydrill.psp.lines import EffectLine, Line, RequestLine
from paydrill.psp.refusals import Refusal
from paydrill.psp.routes import match
from paydrill.psp.verify import verify

AMOUNTS = st.integers(50, 5000)


class Shop(RuleBasedStateMachine):
    """Calls in any order; the model knows only what Stripe's documentation says."""

    intents = Bundle("intents")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.jsonl"
        self.journal, self.ledger = Journal(self.path, self.broken), Ledger()
        self.received: dict[str, int] = {}
        self.returned: dict[str, int] = {}

    @staticmethod
    def broken(reason: str) -> None:
        raise AssertionError(reason)

    def write(self, line: Line) -> None:
        self.journal.write(line)
        self.ledger.apply(line)

    def call(self, path: str, form: str, decline: bool = False) -> tuple[int, dict]:
        """One POST as the desk does it, without HTTP and waiting."""
        route = match("POST", path)
        req = self.ledger.last_req + 1
        self.write(
            RequestLine(
                1, 1, req, route.template, True, None, None, None, None, None, route.action, None, None, None
            )
        )
        try:
            request = operations.parse(self.ledger, route, decode(form))
        except Refusal as refusal:
            return refusal.status, refusal.envelope()
        change = Change(self.ledger, 1, 1, req, None)
        status, body = operations.run(change, request, How(DECLINED) if decline else AS_USUAL)
        self.write(EffectLine(1, req, tuple(change.effects), change.objects(), None, tuple(change.events)))
        return status, orjson.loads(body)

    @rule(target=intents, amount=AMOUNTS, manual=st.booleans(), confirm=st.booleans(), decline=st.booleans())
    def create(self, amount, manual, confirm, decline):
        method = "manual" if manual else "automatic"
        form = f"amount={amount}&currency=usd&payment_method=pm_pd_1&capture_method={method}"
        status, body = self.call("/v1/payment_intents", form + ("&confirm=true" if confirm else ""), decline)
        intent = body if status == 200 else body["error"]["payment_intent"]
        assert status == (402 if confirm and decline else 200)
        self.received[intent["id"]], self.returned[intent["id"]] = 0, 0
        if confirm and not decline and not manual:
            self.received[intent["id"]] = amount
        return intent["id"]

    @rule(pi=intents, decline=st.booleans())
    def confirm(self, pi, decline):
        before = self.ledger.intents[pi]
        status, body = self.call(f"/v1/payment_intents/{pi}/confirm", "payment_method=pm_pd_2", decline)
        if before.status not in ("requires_payment_method", "requires_confirmation"):
            assert status == 400
        elif decline:
            assert status == 402
        else:
            assert status == 200
            self.received[pi] = body["amount_received"]

    @rule(pi=intents, amount=st.none() | AMOUNTS)
    def capture(self, pi, amount):
        before = self.ledger.intents[pi]
        form = "" if amount is None else f"amount_to_capture={amount}"
        status, _ = self.call(f"/v1/payment_intents/{pi}/capture", form)
        wanted = before.capturable if amount is None else amount
        allowed = before.status == "requires_capture" and wanted <= before.capturable
        assert status == (200 if allowed else 400)
        if allowed:
            self.received[pi] = wanted

    @rule(pi=intents, amount=st.none() | AMOUNTS)
    def refund(self, pi, amount):
        status, body = self.call(
            "/v1/refunds", f"payment_intent={pi}" + (f"&amount={amount}" if amount else "")
        )
        left = self.received[pi] - self.returned[pi]
        wanted = left if amount is None else amount
        assert status == (200 if 0 < wanted <= left else 400)
        if status == 200:
            assert body["amount"] == wanted
            self.returned[pi] += wanted

    @rule(pi=intents, amount=AMOUNTS)
    def update(self, pi, amount):
        self.call(f"/v1/payment_intents/{pi}", f"amount={amount}")

    @rule(target=intents, pi=consumes(intents))
    def cancel(self, pi):
        open_ = self.ledger.intents[pi].status not in ("succeeded", "canceled")
        status, body = self.call(f"/v1/payment_intents/{pi}/cancel", "")
        assert status == (200 if open_ else 400)
        assert not open_ or (body["status"], body["amount_capturable"]) == ("canceled", 0)
        return multiple(pi)

    @invariant()
    def the_ledger_agrees_with_the_model(self):
        for pi, received in self.received.items():
            assert self.ledger.intents[pi].received == received
        effects = read_journal(self.path).effects
        for kind, known in (("capture", self.received), ("refund", self.returned)):
            for pi, amount in known.items():
                assert sum(row.amount for row in effects if (row.pi, row.kind) == (pi, kind)) == amount

    def teardown(self) -> None:
        self.journal.close()
        assert verify(self.path).problems == ()
        rebuilt = Ledger()
        again = Journal(self.path, self.broken)
        again.rebuild(rebuilt.apply)
        again.close()
        for pi in self.received:
            assert rebuilt.intents[pi] == self.ledger.intents[pi]
        assert list(rebuilt.charges.newest_first(0)) == list(self.ledger.charges.newest_first(0))
        assert list(rebuilt.events.newest_first(0)) == list(self.ledger.events.newest_first(0))
        self.folder.cleanup()


Shop.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMoneyIsConserved = Shop.TestCase
