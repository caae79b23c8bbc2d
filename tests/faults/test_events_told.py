"""Imitating the PSP: what its journal gives away while it is written."""

from __future__ import annotations

import json

import pytest
import stripe

from paydrill.growing_file import GrowingFile
from paydrill.psp.chain import GENESIS, link
from paydrill.psp.events_told import EventsTold
from paydrill.psp.lines import EffectLine, Objects, WebhookLine, encode
from paydrill.psp.state import Event, Intent

SECRET = "whsec_right"


class Journal:
    """A journal as a simulator writes it."""

    def __init__(self, path):
        self.path = path
        self._lines = 0
        self._digest = GENESIS

    def line(self, line) -> bytes:
        self._lines += 1
        text = encode(self._lines, line)
        self._digest = link(self._digest, text)
        return self._digest.encode() + b" " + text + b"\n"

    def write(self, *lines, torn=0):
        data = b"".join(self.line(line) for line in lines)
        with self.path.open("ab") as file:
            file.write(data[: len(data) - torn])
        return data[len(data) - torn :]


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl")


def intent(number, status):
    return Intent(f"pi_{number}", number, 1, 1999, "usd", "automatic", status, token="pm_pd_16")


def effect(*intents):
    events = tuple(
        Event(f"evt_{one.id}", one.seq, 1, "payment_intent.created", "payment_intent", one, one.id, one.token, 1, 1, None)
        for one in intents
    )  # fmt: skip
    return EffectLine(1, 1, (), Objects(intents=intents), None, events)


def told(event, variant="genuine", status=200, signed_s=100):
    return WebhookLine(1, 1, event, 1, "x", "pi_1", None, variant, 1, 2, status, None, "main", signed_s)


@pytest.mark.parametrize(
    ("known", "open_"),
    [
        ([("a", "succeeded"), ("b", "processing"), ("c", "requires_action")], ["pi_b", "pi_c"]),
        ([("a", "requires_payment_method"), ("b", "requires_capture")], ["pi_b"]),
        ([("a", "requires_payment_method"), ("b", "canceled")], ["pi_a"]),
        ([("a", "succeeded")], []),
        ([("a", "processing"), ("a", "succeeded")], []),
    ],
)
def test_open_are_undecided_payments_or_else_declined_ones(journal, known, open_):
    journal.write(*(effect(intent(name, status)) for name, status in known))
    events = EventsTold(GrowingFile(journal.path))
    events.read()
    assert [one.id for one in events.open_intents()] == open_


def test_it_follows_a_journal_and_waits_for_the_end_of_a_torn_line(journal):
    events = EventsTold(GrowingFile(journal.path))
    journal.write(effect(intent("a", "processing")))
    events.read()
    rest = journal.write(effect(intent("b", "processing")), torn=9)
    events.read()
    assert set(events.intents) == {"pi_a"}
    with journal.path.open("ab") as file:
        file.write(rest)
    events.read()
    assert set(events.intents) == {"pi_a", "pi_b"}


def test_what_was_never_told_says_captured_and_its_signature_is_as_asked_for(journal):
    journal.write(effect(intent("a", "processing")))
    events = EventsTold(GrowingFile(journal.path))
    events.read()
    letter = events.captured(events.open_intents()[0], "forged1", SECRET, 1000)
    said = json.loads(letter.body)
    assert (said["id"], said["type"]) == ("evt_forged1", "payment_intent.succeeded")
    paid = said["data"]["object"]
    assert (paid["id"], paid["status"], paid["amount_received"]) == ("pi_a", "succeeded", 1999)
    assert letter.signed.startswith("t=1000,")
    stripe.WebhookSignature.verify_header(letter.body.decode(), letter.signed, SECRET)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(letter.body.decode(), letter.signed, "whsec_other")


def test_only_what_was_heard_can_be_told_again_and_with_its_old_signature(journal):
    journal.write(
        effect(intent("a", "succeeded"), intent("b", "succeeded"), intent("c", "succeeded")),
        told("evt_pi_a", signed_s=123),
        told("evt_pi_b", status=500),
        told("evt_pi_c", variant="forged"),
    )
    events = EventsTold(GrowingFile(journal.path))
    events.read()
    assert set(events.told) == {"evt_pi_a"}
    letter = events.again("evt_pi_a", SECRET)
    assert letter.signed.startswith("t=123,") and json.loads(letter.body)["id"] == "evt_pi_a"
    assert letter == events.again("evt_pi_a", SECRET)
