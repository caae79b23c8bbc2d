"""What one operation is about to do, collected before anything of it is written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from paydrill.psp import tokens
from paydrill.psp.ledger import Ledger
from paydrill.psp.lines import LaterLine, Objects
from paydrill.psp.state import (
    Charge,
    Customer,
    Dispute,
    Effect,
    EffectKind,
    EffectStatus,
    Endpoint,
    Event,
    Intent,
    Method,
    ObjectName,
    Refund,
    State,
)
from paydrill.psp.terms import STANDARD, Terms
from paydrill.psp.tokens import Card, harness_number

_NAMES: dict[type, ObjectName] = {
    Intent: "payment_intent",
    Charge: "charge",
    Refund: "refund",
    Dispute: "dispute",
    Customer: "customer",
    Method: "payment_method",
    Endpoint: "webhook_endpoint",
}


@dataclass(frozen=True, slots=True)
class _Later:
    what: str
    of: str
    pi: str
    after_s: float


class Change:
    """Collects objects, effects and events of one operation, and gives them their ids.

    Ids are hashes of (seed, kind, number): they stay the same when the journal is rebuilt, and
    nobody can guess one from another. `req` None: no request, the provider does it by itself.
    `base_url` is where the caller reached the provider.
    """

    def __init__(
        self,
        ledger: Ledger,
        seed: int,
        created: int,
        req: int | None,
        idem_key: str | None,
        terms: Terms = STANDARD,
        base_url: str = "",
    ) -> None:
        self.ledger = ledger
        self.created = created
        self.terms = terms
        self.base_url = base_url
        self._seed = seed
        self._req = req
        self._idem_key = idem_key
        self._kept: dict[str, State] = {}
        self.effects: list[Effect] = []
        self.events: list[Event] = []
        self._later: list[_Later] = []

    def name(self, prefix: str, seq: int) -> str:
        digest = hashlib.blake2b(f"{self._seed}|{prefix}|{seq}".encode(), digest_size=12).hexdigest()
        return f"{prefix}_{digest}"

    def keep(self, state: State) -> None:
        """This is how the object is afterwards."""
        self._kept[state.id] = state

    def effect(
        self,
        kind: EffectKind,
        charge: Charge,
        amount: int,
        *,
        status: EffectStatus = "done",
        by_psp: bool = False,
        of: str | None = None,
    ) -> None:
        """Money moves (or a decline), on the token of the charge that it belongs to."""
        takes = kind == "capture" and status == "done"
        self._post(kind, charge.intent, charge.token, amount, charge.currency, status, by_psp, of or charge.id,
                   self.terms.fee(amount) if takes else 0)  # fmt: skip

    def refusal(self, intent: Intent, token: str) -> None:
        """A decline that came before there was any charge."""
        self._post("decline", intent.id, token, intent.amount, intent.currency, "done", False, None, 0)

    def _post(
        self,
        kind: EffectKind,
        pi: str,
        token: str,
        amount: int,
        currency: str,
        status: EffectStatus,
        by_psp: bool,
        of: str | None,
        fee: int,
    ) -> None:
        self.effects.append(
            Effect(
                eff=self.ledger.last_eff + len(self.effects) + 1,
                pi=pi,
                token=harness_number(token),
                payment_method=token,
                kind=kind,
                by_psp=by_psp,
                status=status,
                amount=amount,
                currency=currency.upper(),
                of=of,
                created=self.created,
                fee=fee,
            )
        )

    def event(self, type_: str, state: State, token: str | None) -> None:
        """Tell the world; `state` is the object as it is at this moment."""
        pi = state.intent if isinstance(state, Charge | Refund | Dispute) else state.id
        seq = len(self.ledger.events) + len(self.events) + 1
        earlier = sum(
            1 for event in self.events if event.type == type_ and event.token == token and event.pi == pi
        )
        self.events.append(
            Event(
                id=self.name("evt", seq),
                seq=seq,
                created=self.created,
                type=type_,
                object=_NAMES[type(state)],
                state=state,
                pi=pi,
                token=token,
                nth=self.ledger.event_counts.get((token or pi, type_), 0) + earlier + 1,
                req=self._req,
                idem_key=self._idem_key,
            )
        )

    def later(self, what: str, of: str, pi: str, after_s: float) -> None:
        """The provider will do `what` (of `later`) to that charge or refund, `after_s` from the commit."""
        self._later.append(_Later(what, of, pi, after_s))

    def later_lines(self, now_ns: int, req: int) -> list[LaterLine]:
        """What goes into the journal directly before the effect line."""
        first = self.ledger.last_item + 1
        return [
            LaterLine(now_ns, item, req, one.what, one.of, one.pi, now_ns + int(one.after_s * 1e9))
            for item, one in enumerate(self._later, start=first)
        ]

    def objects(self) -> Objects:
        kept = self._kept.values()
        return Objects(
            tuple(one for one in kept if isinstance(one, Intent)),
            tuple(one for one in kept if isinstance(one, Charge)),
            tuple(one for one in kept if isinstance(one, Refund)),
            tuple(one for one in kept if isinstance(one, Dispute | Customer | Method | Endpoint)),
        )

    def charge_of(self, charge_id: str) -> Charge:
        kept = self._kept.get(charge_id)
        return kept if isinstance(kept, Charge) else self.ledger.charges[charge_id]

    def method_of(self, token: str) -> Method | None:
        """The PaymentMethod behind a token, as it will be."""
        kept = self._kept.get(token)
        return kept if isinstance(kept, Method) else self.ledger.method(token)

    def name_of_card(self, token: str) -> str:
        """The test card or harness token that a payment method behaves like."""
        method = self.method_of(token)
        return method.card if method else token

    def card_of(self, token: str) -> Card:
        """How that card behaves."""
        return tokens.card(self.name_of_card(token)) or Card()

    def find(self, wanted: str) -> State | None:
        """An object as it will be."""
        return self._kept.get(wanted) or self.ledger.find(wanted)

    def forget(self) -> None:
        """The operation was refused after all: nothing of it happens."""
        self._kept.clear()
        self.effects.clear()
        self.events.clear()
        self._later.clear()
