"""What the guards, SLOs, recovery and reports know of a run: typed facts, read once.

All `*_ns` are CLOCK_MONOTONIC nanoseconds of the host. A fact that the run does not hold is None or
empty: nothing here raises on a folder of a run that crashed early.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from paydrill.evidence.saved_cards import SavedToken
from paydrill.scenario import Expect
from paydrill.target import Timing
from paydrill.verdict import InvariantResult, SloResult

WRITES = frozenset({"create", "pay", "cancel", "refund"})
FOR_EVER = 1 << 62
NO_CHECKOUT = frozenset({"read", "cancel"})
"""Traffic classes that do not mean to end up paid, where the history does not say it of each intent."""


class OpFact(NamedTuple):
    """One client operation. No `ret_ns`: open, therefore info."""

    op: int
    intent: int
    kind: str
    token: int | None
    due_ns: int
    inv_ns: int
    ret_ns: int | None
    outcome: str
    status: int | None

    def overlaps(self, from_ns: int, to_ns: int) -> bool:
        """In flight at some moment of [from, to)."""
        return self.inv_ns < to_ns and (self.ret_ns is None or self.ret_ns >= from_ns)


class IntentFact(NamedTuple):
    """One customer's wish. outcome: ok, fail, info or dropped.

    second: a further wish of an arrival; `as_declared` and `signature` are told of the first one
    """

    intent: int
    cls: str
    due_ns: int
    outcome: str
    checkout: bool | None = None
    second: bool = False
    as_declared: bool = False
    signature: int = 0

    @property
    def is_checkout(self) -> bool:
        return self.cls not in NO_CHECKOUT if self.checkout is None else self.checkout


@dataclass(frozen=True)
class HistoryFile:
    """One recorder's file: what it says of itself (`said_*`, from its `end` line) and what is in it."""

    name: str
    lines: int
    bad: int
    first_gap: str
    ended: bool
    intents: int
    ops: int
    drops: int
    returns_without_invoke: int
    said_intents: int | None
    said_ops: int | None
    said_drops: int | None


@dataclass(frozen=True)
class History:
    """All client files together. `ops` are in the order of their invocation."""

    files: tuple[HistoryFile, ...] = ()
    ops: tuple[OpFact, ...] = ()
    intents: tuple[IntentFact, ...] = ()
    duplicate_ids: int = 0
    lag_p99_ms: float | None = None
    saved_tokens: tuple[SavedToken, ...] = ()

    @property
    def checkouts(self) -> list[IntentFact]:
        return [intent for intent in self.intents if intent.is_checkout]


@dataclass(frozen=True)
class FaultFact:
    """One planned fault and what the timeline says of it.

    too_late: an answer that should have been held until it was in force was not.
    `bytes_*`: counted at the proxies of all its edges; `probe_bytes`: what its witness made of them, an edge.
    """

    id: int
    name: str
    where: tuple[str, ...]
    fields: Mapping[str, object]
    planned_at_s: float
    planned_end_s: float
    expects: str = ""
    carries: str = "bytes"
    start_ns: int | None = None
    heal_ns: int | None = None
    clean: bool | None = None
    heal_detail: str = ""
    witnessed: bool = False
    witness_detail: str = ""
    too_late: str = ""
    bytes_before: int | None = None
    bytes_after: int | None = None
    probe_bytes: int = 0

    @property
    def title(self) -> str:
        return f"{self.name} #{self.id}" + (f" at {', '.join(self.where)}" if self.where else "")

    @property
    def on_edge(self) -> bool:
        return any("->" in place for place in self.where)

    @property
    def end_ns(self) -> int:
        return FOR_EVER if self.heal_ns is None else self.heal_ns


class Died(NamedTuple):
    name: str
    detail: str


class StartedAnew(NamedTuple):
    """An instrument that stood still, and over what."""

    name: str
    detail: str


class Aborted(NamedTuple):
    code: str
    detail: str


class Freeze(NamedTuple):
    """A PSP's journal as the harness saw it at the freeze: number of lines and chain hash."""

    n: int | None
    head: str


@dataclass(frozen=True)
class Timeline:
    """The conductor's own log."""

    lines: int = 0
    bad: int = 0
    phases: Mapping[str, int] = field(default_factory=dict)
    first_ns: int | None = None
    last_ns: int | None = None
    load_end_ns: int | None = None
    lag_p99_ms: float | None = None
    settled_waited_s: float | None = None
    settled_in_time: bool | None = None
    freezes: Mapping[str, Freeze] = field(default_factory=dict)
    died: tuple[Died, ...] = ()
    started_anew: tuple[StartedAnew, ...] = ()
    aborted: tuple[Aborted, ...] = ()
    restarts: tuple[str, ...] = ()
    steal_pct: float | None = None
    suspended_s: float | None = None
    full_s: float | None = None
    """Seconds of the load in which all processors were full."""

    def reached(self, phase: str) -> bool:
        return phase in self.phases


class Capture(NamedTuple):
    """Money taken at the PSP. `answer_ns` None: never answered; `delivered` False: the answer was lost."""

    eff: str
    t_ns: int
    token: int | None
    pi: str
    answer_ns: int | None
    delivered: bool


class ReadingFact(NamedTuple):
    """One try to read a table: of the suspect by a collector, or of the raw files by the fold."""

    table: str
    snap: int
    complete: bool
    error: str


class PspCall(NamedTuple):
    """A request at the PSP that may be about a payment."""

    t_ns: int
    op: str
    token: int | None
    pi: str


@dataclass(frozen=True)
class Psp:
    """One simulator's journal. `broken` says where and how the chain does not verify, empty if it does."""

    name: str
    present: bool = False
    lines: int = 0
    broken: str = ""
    freeze: Freeze | None = None
    freeze_hash: str | None = None
    captures: tuple[Capture, ...] = ()
    calls: tuple[PspCall, ...] = ()


@dataclass(frozen=True)
class RunInfo:
    """From run.json, plan.json and scenario.yaml; empty texts where they are missing or unreadable."""

    run: str
    scenario: str = ""
    title: str = ""
    why: str = ""
    topology: str = ""
    backend: str = ""
    target: str = ""
    mutant: str | None = None
    seed: int = 0
    started: str = ""
    isolation: str = ""
    command: tuple[str, ...] = ()
    command_ns: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    facts_offered: tuple[str, ...] = ()
    psps: tuple[str, ...] = ()
    planned_load_s: float | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunFacts:
    """Everything that guards see. `readings` are the collectors', `folded` what became evidence; `results`
    and `slos` are what was judged of it. The last three are empty before the run was judged."""

    info: RunInfo
    expect: Expect
    timing: Timing
    history: History
    timeline: Timeline
    faults: tuple[FaultFact, ...]
    psps: tuple[Psp, ...]
    readings: tuple[ReadingFact, ...] = ()
    folded: tuple[ReadingFact, ...] = ()
    results: tuple[InvariantResult, ...] = ()
    slos: tuple[SloResult, ...] = ()

    @property
    def captures(self) -> list[Capture]:
        """Of all PSPs."""
        return [capture for psp in self.psps for capture in psp.captures]

    @property
    def psp_calls(self) -> list[PspCall]:
        """Of all PSPs."""
        return [call for psp in self.psps for call in psp.calls]

    @property
    def load_start_ns(self) -> int | None:
        """When arrivals began: the `load` phase, else the first operation."""
        first_op = self.history.ops[0].inv_ns if self.history.ops else None
        return self.timeline.phases.get("load", first_op)

    @property
    def load_s(self) -> float | None:
        """Seconds of arrivals; None when they never began. The plan's, or less when the drill was cut."""
        start, end = self.load_start_ns, self.timeline.load_end_ns or self.timeline.last_ns
        if start is None or end is None:
            return None
        lasted_s = max(0.0, (end - start) / 1e9)
        planned_s = self.info.planned_load_s
        return lasted_s if planned_s is None else min(planned_s, lasted_s)

    def seconds(self, t_ns: int) -> float:
        """Seconds after the load began (after the first line of the timeline when it never did)."""
        origin = self.load_start_ns or self.timeline.first_ns or t_ns
        return (t_ns - origin) / 1e9
