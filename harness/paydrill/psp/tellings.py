"""Which events have still to be told to whom, and what is done to them on the way; folded from the journal.

What a behaviour makes of an event is decided when its line is taken in, so that a simulator that was
killed in between tells it in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

from paydrill.psp import rules
from paydrill.psp.behaviours import Decision, draw
from paydrill.psp.endpoints import listening
from paydrill.psp.ledger import Ledger
from paydrill.psp.lines import EffectLine, Line, WebhookLine
from paydrill.psp.state import Event
from paydrill.psp.tally import Tally

GENUINE = "genuine"
DROPPED = "dropped"
DUPLICATE = "dup"
FORGED = "forged"
STALE = "stale"
REPLAYED = "replayed"

TOLD = frozenset({EffectLine, WebhookLine})
"""The lines that tellings have a use for."""
Place = tuple[str, str]
"""An event and the endpoint that it is told to, by their ids."""


@dataclass(frozen=True, slots=True)
class Telling:
    """`beside`: copies sent together with the genuine one, `after`: those sent once it was told.

    `first`: it is told before the call that caused it is answered; `replay_s`: seconds after it was told.
    """

    wait_s: float = 0.0
    dropped: bool = False
    first: bool = False
    beside: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    replay_s: float = 0.0
    rules: tuple[str, ...] = ()
    """Those that made it so."""


PLAIN = Telling()


class Tellings:
    """Only `apply` writes."""

    def __init__(self, tally: Tally, ledger: Ledger) -> None:
        self._tally = tally
        self._ledger = ledger
        self.tries: dict[Place, int] = {}
        """What was not told yet, with the number of tries so far."""
        self.copies: dict[Place, list[str]] = {}
        """Copies that were not sent yet, by their variant."""
        self.signed_s: dict[Place, int] = {}
        """The time in the signature of what was told and has to be replayed."""
        self.last_attempt = 0
        self._by_event: dict[str, Telling] = {}

    def of(self, event: str) -> Telling:
        return self._by_event.get(event, PLAIN)

    def apply(self, line: Line) -> None:
        match line:
            case EffectLine():
                for event in line.events:
                    self._event(event)
            case WebhookLine():
                self._webhook(line)
            case _:
                pass

    def _event(self, event: Event) -> None:
        telling = self._decided(event) if self._tally.behaviours.webhooks else PLAIN
        if telling is not PLAIN:
            self._by_event[event.id] = telling
        told_to = listening(self._ledger, event.type)
        self._ledger.untold[event.id] = len(told_to)
        for endpoint in told_to:
            place = event.id, endpoint
            self.tries[place] = 0
            if telling.beside or telling.after:
                self.copies[place] = [*telling.beside, *telling.after]

    def _webhook(self, line: WebhookLine) -> None:
        self.last_attempt = max(self.last_attempt, line.attempt)
        place = line.event, line.endpoint
        if line.variant == DROPPED:
            self._over(place)
            self.copies.pop(place, None)
        elif line.variant == GENUINE:
            self._genuine(place, line)
        else:
            left = self.copies.get(place, [])
            if line.variant in left:
                left.remove(line.variant)
            if not left:
                self.copies.pop(place, None)
                self.signed_s.pop(place, None)

    def _genuine(self, place: Place, line: WebhookLine) -> None:
        if not 200 <= line.status < 300:
            if place in self.tries:
                self.tries[place] += 1
            return
        self._over(place)
        if REPLAYED in self.copies.get(place, ()):
            self.signed_s[place] = line.signed_s

    def _over(self, place: Place) -> None:
        if self.tries.pop(place, None) is None:
            return
        left = self._ledger.untold.get(place[0], 1) - 1
        if left > 0:
            self._ledger.untold[place[0]] = left
        else:
            self._ledger.untold.pop(place[0], None)

    def _decided(self, event: Event) -> Telling:
        """Every webhook behaviour is drawn by itself."""
        subject = event.token or event.pi
        behaviours, tally = self._tally.behaviours, self._tally
        hit = {
            name: decision
            for name in behaviours.webhooks
            if (decision := behaviours.webhook(name, subject, event.type, event.nth, tally.seen)) is not None
        }
        tally.event_told_about(subject)
        if not hit:
            return PLAIN
        if rules.WEBHOOK_DROP in hit:
            return Telling(dropped=True, rules=(hit[rules.WEBHOOK_DROP].rule,))
        wait_s = hit[rules.WEBHOOK_DELAY].seconds if rules.WEBHOOK_DELAY in hit else 0.0
        if (reorder := hit.get(rules.WEBHOOK_REORDER)) is not None:
            seed, rule = behaviours.seed, f"{reorder.rule}|wait"
            wait_s += reorder.seconds * draw(seed, rule, subject, event.type, event.nth)
        copies = self._copies(hit.get(rules.WEBHOOK_DUPLICATE))
        replay = hit.get(rules.WEBHOOK_REPLAY_OLD)
        return Telling(
            wait_s=wait_s,
            first=rules.WEBHOOK_BEFORE_RESPONSE in hit,
            beside=tuple(
                variant
                for name, variant in (
                    (rules.WEBHOOK_BAD_SIGNATURE, FORGED),
                    (rules.WEBHOOK_STALE, STALE),
                )
                if name in hit
            ),
            after=(*copies, REPLAYED) if replay is not None else copies,
            replay_s=replay.seconds if replay is not None else 0.0,
            rules=tuple(decision.rule for decision in hit.values()),
        )

    def _copies(self, duplicate: Decision | None) -> tuple[str, ...]:
        if duplicate is None:
            return ()
        return (DUPLICATE,) * (duplicate.copies or int(self._tally.behaviours.number("webhook_copies")))
