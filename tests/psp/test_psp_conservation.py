"""Money is conserved whatever a target does: a model runs beside the real state machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from paydrill.psp import afterwards, operations
from paydrill.psp.change import Change
from paydrill.psp.form import decode
from paydrill.psp.how import AS_USUAL, DECLINED, PARTIAL, How
from paydrill.psp.journal import Journal
from paydrill.psp.journal_reader import read_journal
from paydrill.psp.ledger import Ledger
from paydrill.psp.lines import EffectLine, Line, RequestLine
from paydrill.psp.refusals import Refusal
from paydrill.psp.routes import match
from paydrill.psp.tokens import EXPIRES, HOWS
from paydrill.psp.verify import verify

AMOUNTS = st.integers(50, 5000)
MOSTLY = st.sampled_from([True, True, True, False])
WORDS = st.sampled_from([*[None] * 12, DECLINED, PARTIAL, EXPIRES, *HOWS])
"""What a behaviour may say of an execution, besides what the card says itself."""
CARDS = st.sampled_from(["pm_pd_1", *(f"pm_pd_1_{how}" for how in HOWS), "pm_pd_1_lost_card"])


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


class Counter(RuleBasedStateMachine):
    """All that cards and the provider itself may do, in any order; the books are added up apart."""

    intents = Bundle("intents")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.jsonl"
        self.journal, self.ledger = Journal(self.path, Shop.broken), Ledger()
        self.ended: set[int] = set()

    def write(self, line: Line) -> None:
        self.journal.write(line)
        self.ledger.apply(line)

    def write_effect(self, change: Change, req: int, item: int | None = None) -> None:
        for line in change.later_lines(1, req):
            self.write(line)
        self.write(
            EffectLine(1, req, tuple(change.effects), change.objects(), None, tuple(change.events), item)
        )

    def call(self, method: str, path: str, form: str = "", how: How = AS_USUAL) -> tuple[int, dict]:
        route = match(method, path)
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
        status, body = operations.run(change, request, how)
        self.write_effect(change, req)
        return status, orjson.loads(body)

    @rule(target=intents, amount=AMOUNTS, manual=st.booleans(), confirm=MOSTLY, card=CARDS, word=WORDS)
    def create(self, amount, manual, confirm, card, word):
        method = "manual" if manual else "automatic"
        form = f"amount={amount}&currency=usd&payment_method={card}&capture_method={method}"
        how = How(word, part=0.5)
        status, body = self.call("POST", "/v1/payment_intents", form + "&confirm=true" * confirm, how)
        assert status in (200, 402)
        return (body if status == 200 else body["error"]["payment_intent"])["id"]

    @rule(pi=intents, card=CARDS, word=WORDS)
    def confirm(self, pi, card, word):
        status, _ = self.call(
            "POST", f"/v1/payment_intents/{pi}/confirm", f"payment_method={card}", How(word, part=0.5)
        )
        assert status in (200, 400, 402)

    @rule(pi=intents, outcome=st.sampled_from(["approve", "refuse"]))
    def challenge(self, pi, outcome):
        before = self.ledger.intents[pi]
        status, body = self.call("POST", f"/challenge/{pi}", f"outcome={outcome}")
        again = self.call("POST", f"/challenge/{pi}", f"outcome={outcome}")
        if before.status == "requires_action":
            assert status == 200 and body["status"] == self.ledger.intents[pi].status
        else:
            assert status == (409 if before.challenged is None else 200)
        assert again == (status, body) or status == 409

    @rule(pi=intents, amount=st.none() | st.integers(0, 5000), final=st.booleans())
    def capture(self, pi, amount, final):
        form = "" if amount is None else f"amount_to_capture={amount}&final_capture={str(final).lower()}"
        before = self.ledger.intents[pi]
        status, body = self.call("POST", f"/v1/payment_intents/{pi}/capture", form)
        if status == 200:
            assert before.status == "requires_capture"
            assert body["amount_received"] == before.received + (
                before.capturable if amount is None else amount
            )

    @rule(pi=intents)
    def cancel(self, pi):
        open_ = self.ledger.intents[pi].status not in ("succeeded", "canceled", "processing")
        assert self.call("POST", f"/v1/payment_intents/{pi}/cancel")[0] == (200 if open_ else 400)

    @rule(pi=intents, amount=st.none() | AMOUNTS, word=st.sampled_from([None, "refundpending", "refundfail"]))
    def refund(self, pi, amount, word):
        charge = self.ledger.intents[pi].charge
        left = self.ledger.charges[charge].left if charge else 0
        form = f"payment_intent={pi}" + (f"&amount={amount}" if amount else "")
        status, body = self.call("POST", "/v1/refunds", form, How(word))
        disputed = bool(charge) and self.ledger.charges[charge].disputed > 0
        possible = not disputed and 0 < (left if amount is None else amount) <= left
        assert status == (200 if possible else 400)
        assert status != 200 or body["amount"] == (amount or left)

    @rule(place=st.integers(0, 1000))
    def something_of_its_own(self, place):
        """Any one of what is to come, in whatever order."""
        items = sorted(self.ledger.agenda)
        if not items:
            return
        line = self.ledger.agenda[items[place % len(items)]]
        assert line.item not in self.ended
        self.ended.add(line.item)
        change = Change(self.ledger, 1, 1, None, None)
        afterwards.carry_out(change, line)
        assert change.effects, "what has nothing to do any more is not on the agenda"
        self.write_effect(change, line.req, line.item)
        assert line.item not in self.ledger.agenda

    @invariant()
    def money_is_conserved(self):
        sums: dict[tuple[str, str], int] = {}
        for row in read_journal(self.path).effects:
            if row.status == "done":
                sums[row.pi, row.kind] = sums.get((row.pi, row.kind), 0) + row.amount
        for intent in self.ledger.intents.newest_first(0):
            auth, capture, release, expire, refund, chargeback = (
                sums.get((intent.id, kind), 0)
                for kind in ("auth", "capture", "release", "expire", "refund", "chargeback")
            )
            assert auth - capture - release - expire == intent.capturable >= 0
            assert capture == intent.received
            assert 0 <= refund + chargeback <= capture

    @invariant()
    def the_account_is_what_was_captured_and_not_given_back(self):
        rows = [row for row in read_journal(self.path).effects if row.status == "done"]
        taken = sum(row.amount for row in rows if row.kind == "capture")
        back = sum(row.amount for row in rows if row.kind in ("refund", "chargeback"))
        # A refund that will fail still counts as given back by the journal of now, and so by the account.
        assert self.ledger.account.balance.get("usd", 0) == taken - back

    def teardown(self) -> None:
        self.journal.close()
        assert verify(self.path).problems == ()
        rebuilt = Ledger()
        again = Journal(self.path, Shop.broken)
        again.rebuild(rebuilt.apply)
        again.close()
        for name in ("intents", "charges", "refunds", "disputes", "methods", "events"):
            before, after = getattr(self.ledger, name), getattr(rebuilt, name)
            assert list(after.newest_first(0)) == list(before.newest_first(0))
        assert rebuilt.agenda == self.ledger.agenda
        assert rebuilt.account == self.ledger.account
        self.folder.cleanup()


Shop.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMoneyIsConserved = Shop.TestCase
Counter.TestCase.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMoneyIsConservedWhateverCardsDo = Counter.TestCase
