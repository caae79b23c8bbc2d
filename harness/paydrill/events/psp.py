"""What the PSP did, from its journal: requests, effects, answers, webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from paydrill.events import EventKind, Happened, HoldAt, Line
from paydrill.psp.rules import OPERATIONS
from paydrill.topology import PSPS

_BY_OPERATION = {"operation": OPERATIONS, "psp": PSPS}
EFFECTS = {
    "capture": EventKind(
        "psp.captured",
        "psp",
        "money was taken and its answer not written yet",
        _BY_OPERATION,
        HoldAt("after_commit", "capture"),
    ),
    "auth": EventKind(
        "psp.authorised",
        "psp",
        "an amount is held on a card and its answer not written yet",
        _BY_OPERATION,
        HoldAt("after_commit", "auth"),
    ),
    "refund": EventKind(
        "psp.refunded",
        "psp",
        "money was given back and its answer not written yet",
        _BY_OPERATION,
        HoldAt("after_commit", "refund"),
    ),
    "decline": EventKind(
        "psp.declined",
        "psp",
        "a card was refused and its answer not written yet",
        _BY_OPERATION,
        HoldAt("after_commit", "decline"),
    ),
}
"""What an executed operation may do to money, with the event that it is."""
KINDS = (
    EventKind(
        "psp.received",
        "psp",
        "a money operation was read and nothing of it is done yet",
        _BY_OPERATION,
        HoldAt("before_commit"),
    ),
    EventKind(
        "psp.committed",
        "psp",
        "a money operation was executed and its answer not written yet",
        _BY_OPERATION,
        HoldAt("after_commit"),
    ),
    *EFFECTS.values(),
    EventKind(
        "psp.answered",
        "psp",
        "the answer of a money operation was written",
        {**_BY_OPERATION, "status": None},
    ),
    EventKind(
        "webhook.sent",
        "psp",
        "the target acknowledged a webhook; held, it is the webhook of a charge whose answer still waits",
        {"type": None, "psp": PSPS},
        HoldAt("after_commit", "capture"),
    ),
)


@dataclass
class PspReader:
    """`psp` is which provider's journal it reads. Effects and answers are told with their request's words."""

    psp: str
    _asked: dict[int, dict[str, str]] = field(default_factory=dict)

    def take(self, line: Line) -> Iterator[Happened]:
        match line.get("kind"):
            case "request" if line.get("action") and not line.get("stopped_by"):
                asked = {"psp": self.psp, "req": str(line["req"]), "operation": str(line["action"])}
                asked["pi"] = str(line.get("pi") or "")
                self._asked[line["req"]] = asked
                yield Happened("psp.received", line["t"], asked)
            case "effect" if line.get("item") is None and line["req"] in self._asked:
                asked = self._asked[line["req"]]
                if intents := line["objects"]["intents"]:
                    asked["pi"] = str(intents[0]["id"])
                yield Happened("psp.committed", line["t"], asked)
                done = {effect["kind"] for effect in line["effects"] if effect["status"] == "done"}
                yield from (
                    Happened(kind.name, line["t"], asked)
                    for effect, kind in EFFECTS.items()
                    if effect in done
                )
            case "answer" if line["req"] in self._asked:
                asked = self._asked.pop(line["req"])
                yield Happened("psp.answered", line["t"], {**asked, "status": str(line["status"])})
            case "webhook" if 200 <= line.get("status", 0) < 300:
                facts = {"psp": self.psp, "pi": str(line["pi"]), "type": str(line["type"])}
                yield Happened("webhook.sent", line["t"], facts)
