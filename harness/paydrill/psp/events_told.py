"""What a PSP has told and could tell: follows the journal of a running simulator, for who imitates it.

Nothing is checked here: the evidence reads the journal by itself (journal_reader.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import orjson

from paydrill.growing_file import GrowingFile
from paydrill.psp import shapes
from paydrill.psp.lines import EffectLine, WebhookLine, decode
from paydrill.psp.state import Event, Intent
from paydrill.psp.tellings import GENUINE
from paydrill.psp.webhooks import signature

UNDECIDED = ("requires_confirmation", "requires_action", "processing", "requires_capture")
DECLINED = "requires_payment_method"
CAPTURED = "payment_intent.succeeded"
_HASH_AND_SPACE = 65


@dataclass(frozen=True)
class Letter:
    """A body and its `Stripe-Signature`, as they go to a webhook. `about`: the payment intent's id."""

    body: bytes
    signed: str
    about: str


@dataclass
class EventsTold:
    """What the journal says so far; `read` looks for more."""

    journal: GrowingFile
    intents: dict[str, Intent] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    """Unix time in the signature with which a genuine event was heard, by the event's id."""
    _events: dict[str, Event] = field(default_factory=dict)

    def read(self) -> None:
        """Take in the whole lines that have come since. Raises OSError when there is no journal."""
        for line in self.journal.new_lines():
            self._take(line[_HASH_AND_SPACE:])

    def open_intents(self) -> list[Intent]:
        """Those whose customers may still be charged: undecided ones; declined ones where there are none."""
        known = self.intents.values()
        undecided = [one for one in known if one.status in UNDECIDED]
        return undecided or [one for one in known if one.status == DECLINED]

    def captured(self, intent: Intent, name: str, secret: str, signed_s: int) -> Letter:
        """An event that the PSP never told: that the intent's whole amount was captured.

        `name` becomes its id, `secret` and `signed_s` (unix seconds) its signature.
        """
        paid = replace(
            intent,
            status="succeeded",
            received=intent.amount,
            capturable=0,
            failure=None,
            charge=intent.charge or f"ch_{name}",
        )
        event = Event(
            id=f"evt_{name}",
            seq=0,
            created=signed_s,
            type=CAPTURED,
            object="payment_intent",
            state=paid,
            pi=intent.id,
            token=intent.token,
            nth=1,
            req=None,
            idem_key=None,
        )
        return _letter(event, secret, signed_s)

    def again(self, event: str, secret: str) -> Letter:
        """A genuine event as it was heard, byte for byte. Raises KeyError for one that was not told."""
        return _letter(self._events[event], secret, self.told[event])

    def _take(self, json: bytes) -> None:
        match decode(json):
            case EffectLine() as line:
                self.intents.update({one.id: one for one in line.objects.intents})
                self._events.update({one.id: one for one in line.events})
            case WebhookLine() as line if line.variant == GENUINE and 200 <= line.status < 300:
                self.told[line.event] = line.signed_s
            case _:
                pass


def _letter(event: Event, secret: str, signed_s: int) -> Letter:
    body = orjson.dumps(shapes.event(event, pending_webhooks=1))
    return Letter(body, signature(secret, signed_s, body), event.pi)
