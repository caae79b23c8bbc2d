"""What the drill itself did, from its timeline: phases, and other faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from paydrill.events import EventKind, Happened, Line

PHASES = ("fault", "load")
_FAULT = {"fault": None}
KINDS = (
    EventKind(
        "phase.begun", "course", "a fault is about to be put in force, or none is any more", {"phase": PHASES}
    ),
    EventKind("fault.begun", "course", "another fault has come into force", _FAULT),
    EventKind("fault.seen", "course", "another fault was seen to take effect", _FAULT),
    EventKind("fault.healed", "course", "another fault was healed", _FAULT),
)


@dataclass
class TimelineReader:
    """A witness's line has the fault's number only: its name is that of the `fault` line before."""

    def __post_init__(self) -> None:
        self._names: dict[int, str] = {}

    def take(self, line: Line) -> Iterator[Happened]:
        match line.get("kind"):
            case "phase" if line.get("name") in PHASES:
                yield Happened("phase.begun", line["t"], {"phase": line["name"]})
            case "fault":
                self._names[line["id"]] = str(line["name"])
                yield Happened("fault.begun", line["t"], {"fault": str(line["name"])})
            case "witness" if line.get("witnessed"):
                yield Happened("fault.seen", line["t"], {"fault": self._names.get(line["id"], "")})
            case "heal":
                yield Happened("fault.healed", line["t"], {"fault": str(line["name"])})
