"""Which events the lines of a run's files tell, and what they are narrowed by."""

from __future__ import annotations

import pytest

from paydrill.events import OnEvent, OnGauge, ordinal
from paydrill.events.course import TimelineReader
from paydrill.events.customers import HistoryReader
from paydrill.events.known import KINDS
from paydrill.events.psp import PspReader


def told(reader, *lines):
    return [
        (one.event, dict(one.facts))
        for number, line in enumerate(lines, 1)
        for one in reader.take({"t": number, **line})
    ]


def effect(req, *kinds, status="done", item=None):
    effects = [{"kind": kind, "status": status} for kind in kinds]
    return {
        "kind": "effect",
        "req": req,
        "item": item,
        "effects": effects,
        "objects": {"intents": [{"id": "pi_1"}]},
    }


REQUEST = {"kind": "request", "req": 7, "action": "create", "pi": None, "stopped_by": None}


def test_a_charge_is_received_committed_captured_and_answered():
    seen = told(
        PspReader("psp"), REQUEST, effect(7, "auth", "capture"), {"kind": "answer", "req": 7, "status": 200}
    )
    assert [event for event, _ in seen] == [
        "psp.received", "psp.committed", "psp.captured", "psp.authorised", "psp.answered",
    ]  # fmt: skip
    assert seen[0][1] == {"psp": "psp", "req": "7", "operation": "create", "pi": "pi_1"} | {
        "pi": seen[0][1]["pi"]
    }
    assert seen[-1][1] == {"psp": "psp", "req": "7", "operation": "create", "pi": "pi_1", "status": "200"}


def test_what_is_pending_has_moved_no_money_yet():
    seen = told(PspReader("psp"), REQUEST, effect(7, "capture", status="pending"))
    assert [event for event, _ in seen] == ["psp.received", "psp.committed"]


@pytest.mark.parametrize(
    "line",
    [
        {**REQUEST, "stopped_by": "replay"},
        {**REQUEST, "action": None},
        effect(9, "capture"),
        effect(7, "capture", item=3),
        {"kind": "answer", "req": 9, "status": 200},
        {"kind": "webhook", "pi": "pi_1", "type": "charge.succeeded", "status": 0},
        {"kind": "freeze"},
    ],
    ids=[
        "a replay",
        "a read",
        "an unknown request's",
        "the PSP's own doing",
        "a read's answer",
        "no answer",
        "else",
    ],
)
def test_what_is_no_event(line):
    assert told(PspReader("psp"), line) == []


def test_a_webhook_has_been_sent_when_it_was_acknowledged():
    line = {"kind": "webhook", "pi": "pi_1", "type": "charge.succeeded", "status": 200}
    assert told(PspReader("psp2"), line, {**line, "status": 503}) == [
        ("webhook.sent", {"psp": "psp2", "pi": "pi_1", "type": "charge.succeeded"})
    ]


def test_an_answer_to_a_customer_has_the_class_of_the_customer():
    seen = told(
        HistoryReader(),
        {"kind": "intent", "intent": 3, "cls": "refund"},
        {"kind": "invoke", "op": 5, "op_kind": "pay", "intent": 3},
        {"kind": "return", "op": 5, "outcome": "ok", "status": 202},
        {"kind": "done", "intent": 3, "outcome": "fail"},
    )
    asked = {"op": "5", "operation": "pay", "class": "refund"}
    assert seen == [
        ("customer.asked", asked),
        ("customer.answered", {**asked, "outcome": "ok", "status": "202"}),
        ("customer.ended", {"outcome": "fail", "class": "refund"}),
    ]


def test_the_course_of_the_drill():
    seen = told(
        TimelineReader(),
        {"kind": "phase", "name": "steady"},
        {"kind": "phase", "name": "fault", "id": 1},
        {"kind": "fault", "id": 1, "name": "kill"},
        {"kind": "witness", "id": 1, "witnessed": True},
        {"kind": "heal", "id": 1, "name": "kill"},
    )
    assert seen == [
        ("phase.begun", {"phase": "fault"}),
        ("fault.begun", {"fault": "kill"}),
        ("fault.seen", {"fault": "kill"}),
        ("fault.healed", {"fault": "kill"}),
    ]


def test_every_event_has_a_name_of_its_own_and_a_reader_that_knows_its_filters():
    assert len(KINDS) == len({kind.summary for kind in KINDS.values()})
    assert {kind.source for kind in KINDS.values()} == {"psp", "customers", "course"}


def test_conditions_in_words():
    assert (
        OnEvent("psp.captured", 3, {"operation": "create"}).told() == "psp.captured (3rd, operation create)"
    )
    assert OnGauge("open_work", "over", 500).told() == "open_work over 500"
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip
