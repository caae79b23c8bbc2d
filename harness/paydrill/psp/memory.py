"""All that a simulator knows, out of its journal's lines alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from paydrill.psp.encounters import Encounters
from paydrill.psp.ledger import Ledger
from paydrill.psp.lines import Line
from paydrill.psp.tally import TALLIED, Tally
from paydrill.psp.tellings import TOLD, Tellings


@dataclass
class Memory:
    """Live and in the rebuild after a crash every line goes through `apply`, in the same order."""

    ledger: Ledger = field(default_factory=Ledger)
    tally: Tally = field(default_factory=Tally)
    tellings: Tellings = field(init=False)
    encounters: Encounters = field(init=False)

    def __post_init__(self) -> None:
        self.tellings = Tellings(self.tally, self.ledger)
        self.encounters = Encounters(self.tally, self.tellings)

    def apply(self, line: Line) -> None:
        self.ledger.apply(line)
        kind = type(line)
        if kind in TALLIED:
            self.tally.apply(line)
        if kind in TOLD:
            self.tellings.apply(line)
        self.encounters.apply(line)
