"""What one operation is about to do, collected before anything of it is written."""

from __future__ import annotations

import hashlib

from paydrill.psp.ledger import Ledger
from paydrill.psp.lines import Objects
from paydrill.psp.state import Charge, Effect, EffectKind, Event, Intent, Refund, State
from paydrill.psp.tokens import harness_number

_NAMES: dict[type, str] = {Intent: "payment_intent", Charge: "charge", Refund: "refund"}


class Change:
    """Collects objects, effects and events of one operation, and gives them their ids.

    Ids are hashes of (seed, kind, number): they stay the same when the journal is rebuilt, and
    nobody can guess one from another.
    """

    def __init__(self, ledger: Ledger, seed: int, created: int, req: int, idem_key: str | None) -> None:
        self.ledger = ledger
        self.created = created
        self._seed = seed
        self._req = req
        self._idem_key = idem_key
        self._intents: dict[str, Intent] = {}
        self._charges: dict[str, Charge] = {}
        self._refunds: dict[str, Refund] = {}
        self.effects: list[Effect] = []
        self.events: list[Event] = []

    def name(self, prefix: str, seq: int) -> str:
        digest = hashlib.blake2b(f"{self._seed}|{prefix}|{seq}".encode(), digest_size=12).hexdigest()
        return f"{prefix}_{digest}"

    def keep(self, state: State) -> None:
        """This is how the object is afterwards."""
        match state:
            case Intent():
                self._intents[state.id] = state
            case Charge():
                self._charges[state.id] = state
            case Refund():
                self._refunds[state.id] = state

    def effect(self, kind: EffectKind, charge: Charge, amount: int) -> None:
        """Money moves (or a decline), on the token of the charge that it belongs to."""
        self.effects.append(
            Effect(
                eff=self.ledger.last_eff + len(self.effects) + 1,
                pi=charge.intent,
                token=harness_number(charge.token),
                payment_method=charge.token,
                kind=kind,
                by_psp=False,
                status="done",
                amount=amount,
                currency=charge.currency.upper(),
            )
        )

    def event(self, type_: str, state: State, token: str | None) -> None:
        """Tell the world; `state` is the object as it is at this moment."""
        pi = state.id if isinstance(state, Intent) else state.intent
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
                object=_NAMES[type(state)],  # type: ignore[arg-type]
                state=state,
                pi=pi,
                token=token,
                nth=self.ledger.event_counts.get((token or pi, type_), 0) + earlier + 1,
                req=self._req,
                idem_key=self._idem_key,
            )
        )

    def objects(self) -> Objects:
        return Objects(
            tuple(self._intents.values()), tuple(self._charges.values()), tuple(self._refunds.values())
        )

    def charge_of(self, charge_id: str) -> Charge:
        return self._charges.get(charge_id) or self.ledger.charges[charge_id]

    def find(self, wanted: str) -> State | None:
        """An intent or charge as it will be."""
        return (
            self._intents.get(wanted)
            or self._charges.get(wanted)
            or self.ledger.intents.get(wanted)
            or self.ledger.charges.get(wanted)
        )

    def forget(self) -> None:
        """The operation was refused after all: nothing of it happens."""
        self._intents.clear()
        self._charges.clear()
        self._refunds.clear()
        self.effects.clear()
        self.events.clear()
