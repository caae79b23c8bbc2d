"""The verdict of a drill: its types, its words and how parts merge (pure).

`verdict.json` is `Verdict` as JSON; its schema is docs/verdict.schema.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

VerdictWord = Literal["pass", "fail", "inconclusive", "not_run"]
CheckWord = Literal["pass", "fail", "inconclusive", "not_examined"]
SCHEMA = "paydrill/verdict/1"
EXIT_CODES: Mapping[VerdictWord, int] = {"pass": 0, "fail": 1, "inconclusive": 3, "not_run": 3}


@dataclass(frozen=True)
class Reason:
    """Why a verdict is what it is: a stable code for programs, a sentence for people."""

    code: str
    detail: str


@dataclass(frozen=True)
class Money:
    currency: str
    minor: int


@dataclass(frozen=True)
class Finding:
    """One breach. `events` are ids of evidence rows, in time order, such as `op71` or `eff12`."""

    intent: str | None
    summary: str
    money_at_risk: tuple[Money, ...]
    events: tuple[str, ...]


@dataclass(frozen=True)
class InvariantResult:
    """`examined` is counted from the rows of the invariant; `detail` says why it was not examined."""

    id: str
    name: str
    verdict: CheckWord
    examined: int
    findings: tuple[Finding, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class GuardResult:
    name: str
    verdict: Literal["pass", "inconclusive"]
    detail: str
    code: str = ""


@dataclass(frozen=True)
class SloResult:
    name: str
    verdict: Literal["pass", "fail", "inconclusive"]
    bound: str
    measured: float | None


@dataclass(frozen=True)
class Recovery:
    """None = not measured, 0 = measured none."""

    rto_s: float | None = None
    rpo_orders: int | None = None
    rpo_money: tuple[Money, ...] | None = None
    rpo_s: float | None = None
    settle_s: float | None = None
    detect_s: float | None = None


@dataclass(frozen=True)
class FaultResult:
    fault: str
    where: str
    start_s: float
    end_s: float | None
    witnessed: bool
    witness: str


@dataclass(frozen=True)
class ClassResult:
    """One traffic class: how many of its arrivals ended as it declares, and how often its event happened.

    signature: the event that only this class is there to bring about; `signatures` counts it
    """

    name: str
    arrivals: int
    as_declared: int
    signature: str
    signatures: int


@dataclass(frozen=True)
class LoadResult:
    """`intents = ok + fail + info + dropped` count checkouts by final outcome; the next two count ops.

    left_out: traffic classes of the scenario that the target does not offer
    """

    intents: int = 0
    ok: int = 0
    fail: int = 0
    info: int = 0
    dropped: int = 0
    during_faults: int = 0
    ops: int = 0
    classes: tuple[ClassResult, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """All keys of verdict.json, in its order."""

    verdict: VerdictWord
    reasons: tuple[Reason, ...]
    scenario: str
    topology: str
    backend: str
    target: str
    mutant: str | None
    seed: int
    started: str
    duration_s: float
    overhead_s: float | None
    invariants: tuple[InvariantResult, ...]
    guards: tuple[GuardResult, ...]
    slos: tuple[SloResult, ...]
    recovery: Recovery
    faults: tuple[FaultResult, ...]
    load: LoadResult
    versions: Mapping[str, str]
    run: str
    warnings: tuple[str, ...] = field(default_factory=tuple)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]
