"""What the customers did and were told, from the load's history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from paydrill.events import EventKind, Happened, Line

OPERATIONS = ("create", "pay", "cancel", "refund", "operator_refund", "challenge", "read", "find", "final")
OUTCOMES = ("ok", "fail", "info")
_CLASS = {"class": None}
KINDS = (
    EventKind(
        "customer.asked", "customers", "a customer is about to ask", {"operation": OPERATIONS, **_CLASS}
    ),
    EventKind(
        "customer.answered",
        "customers",
        "a customer has an answer, or none came in time",
        {"operation": OPERATIONS, "outcome": OUTCOMES, "status": None, **_CLASS},
    ),
    EventKind("customer.ended", "customers", "an arrival has ended", {"outcome": OUTCOMES, **_CLASS}),
)


@dataclass
class HistoryReader:
    """An operation is told with the class of its customer."""

    _classes: dict[int, str] = field(default_factory=dict)
    _open: dict[int, dict[str, str]] = field(default_factory=dict)

    def take(self, line: Line) -> Iterator[Happened]:
        match line.get("kind"):
            case "intent":
                self._classes[line["intent"]] = str(line["cls"])
            case "invoke":
                facts = {
                    "op": str(line["op"]),
                    "operation": str(line["op_kind"]),
                    "class": self._classes.get(line["intent"], ""),
                }
                self._open[line["op"]] = facts
                yield Happened("customer.asked", line["t"], facts)
            case "return":
                facts = self._open.pop(line["op"], {})
                answer = {"outcome": str(line["outcome"]), "status": str(line.get("status"))}
                yield Happened("customer.answered", line["t"], {**facts, **answer})
            case "done":
                told = {"outcome": str(line["outcome"]), "class": self._classes.get(line["intent"], "")}
                yield Happened("customer.ended", line["t"], told)
