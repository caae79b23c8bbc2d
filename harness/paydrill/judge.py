"""Judging a run from its folder alone: evidence, invariants, guards, SLOs, recovery -> Verdict.

Works on any folder, however early the run crashed: what is not there makes the verdict inconclusive,
never an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import paydrill
from paydrill.errors import UsageError
from paydrill.evidence.psp_journals import read_journals
from paydrill.guards import codes, run_guards
from paydrill.guards.counting import ops_during
from paydrill.guards.facts import FaultFact, IntentFact, RunFacts
from paydrill.guards.host_fit import doubt_late_invariants, doubt_late_slos, full_processors, host_problems
from paydrill.guards.merge import merge
from paydrill.guards.read_facts import read_facts
from paydrill.guards.read_folded import read_folded
from paydrill.load import classes
from paydrill.psp.journal_reader import Journal
from paydrill.recovery import measure_recovery
from paydrill.report.model import build_report
from paydrill.report.outputs import render_files
from paydrill.run_folder import RunFolder
from paydrill.slo import judge_slos
from paydrill.verdict import (
    ClassResult,
    FaultResult,
    InvariantResult,
    LoadResult,
    Reason,
    Recovery,
    SloResult,
    Verdict,
)
from paydrill.verdict_file import read_verdict, to_bytes, write_atomic

WALL_LIMIT_S = 120.0
FOLDED = "folded-by"
"""In `evidence/`: written last, holds the version that folded it."""
NO_RESULTS: tuple[InvariantResult, ...] = ()
NO_JOURNALS: Mapping[str, Journal] = {}
NO_SLOS: tuple[SloResult, ...] = ()
Part = TypeVar("Part")


def judge(run: RunFolder, wall_limit_s: float = WALL_LIMIT_S) -> Verdict:
    """The verdict of a run, new or stored. Writes nothing but `evidence/`, folded from the raw files."""
    crashes: list[Reason] = []
    journals = _tried("the PSPs' journals", lambda: read_journals(run), NO_JOURNALS, crashes)
    facts = read_facts(run, journals)
    invariants = _tried(
        "the invariants", lambda: _invariants(run, facts, journals, wall_limit_s), NO_RESULTS, crashes
    )
    slos = _tried("the SLOs", lambda: judge_slos(facts), NO_SLOS, crashes)
    slow, full = host_problems(facts), full_processors(facts)
    if slow:
        invariants = doubt_late_invariants(invariants)
    if slow or full:
        slos = doubt_late_slos(slos)
    guards = run_guards(replace(facts, results=invariants, slos=slos, folded=read_folded(run)))
    recovery = _tried("the recovery", lambda: measure_recovery(facts), Recovery(), crashes)
    word, reasons = merge(invariants, guards, slos, crashes)
    info = facts.info
    return Verdict(
        verdict=word,
        reasons=reasons,
        scenario=info.scenario,
        topology=info.topology,
        backend=info.backend,
        target=info.target,
        mutant=info.mutant,
        seed=info.seed,
        started=info.started,
        duration_s=_duration_s(facts),
        overhead_s=_overhead_s(run, facts, wall_limit_s),
        invariants=invariants,
        guards=guards,
        slos=slos,
        recovery=recovery,
        faults=tuple(_fault_result(fault, facts) for fault in facts.faults),
        load=_load_result(facts),
        versions=info.versions,
        run=info.run,
        warnings=(*_warnings(facts), *slow, *full),
    )


def get_ready() -> None:
    """Import what judging needs, a third of a second; for a time at which nobody waits."""
    import duckdb  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import paydrill.evidence.fold  # noqa: F401


def write_outcome(run: RunFolder, verdict: Verdict) -> None:
    """verdict.json first, then what people read; each file appears whole or not at all. Raises OSError."""
    write_atomic(run.verdict, to_bytes(verdict))
    for name, text in render_files(build_report(run, verdict)).items():
        write_atomic(run.path / name, text.encode("utf-8", "replace"))


def _invariants(
    run: RunFolder, facts: RunFacts, journals: Mapping[str, Journal], wall_limit_s: float
) -> tuple[InvariantResult, ...]:
    from paydrill.evidence.fold import fold
    from paydrill.invariants.child import Checker

    marker = run.evidence / FOLDED
    raw_is_there = bool(run.histories()) or bool(journals) or not run.evidence.exists()
    with Checker(facts.expect.invariants) as checker:
        # Without its marker, evidence may be what a crash left of folding, or of another version.
        if raw_is_there and _read_or_empty(marker) != paydrill.__version__:
            marker.unlink(missing_ok=True)
            fold(run, journals)
            write_atomic(marker, paydrill.__version__.encode())
        return checker.judge(run, wall_limit_s)


def _read_or_empty(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _tried(what: str, part: Callable[[], Part], otherwise: Part, crashes: list[Reason]) -> Part:
    """The part's result; a crash becomes a reason, so that it can never read as a pass."""
    try:
        return part()
    except Exception as error:
        detail = f"{what} could not be judged: {type(error).__name__}: {error}"
        crashes.append(Reason(codes.CHECKER_CRASHED, detail))
        return otherwise


def _duration_s(facts: RunFacts) -> float:
    timeline = facts.timeline
    return round(((timeline.last_ns or 0) - (timeline.first_ns or 0)) / 1e9, 3)


def _overhead_s(run: RunFolder, facts: RunFacts, wall_limit_s: float) -> float | None:
    """Now − command typed − load − settling, while the drill itself is judging; later what it said then."""
    try:
        return read_verdict(run).overhead_s
    except UsageError:
        pass
    typed_ns, load_s = facts.info.command_ns, facts.load_s
    settle_s, judging_ns = facts.timeline.settled_waited_s, facts.timeline.phases.get("judging")
    if typed_ns is None or load_s is None or settle_s is None or judging_ns is None:
        return None
    now_ns = time.monotonic_ns()
    if not 0 <= now_ns - judging_ns <= wall_limit_s * 1e9:
        return None  # judged later, or after a restart of the machine
    return round(max(0.0, (now_ns - typed_ns) / 1e9 - load_s - settle_s), 3)


def _fault_result(fault: FaultFact, facts: RunFacts) -> FaultResult:
    """Seconds after the load began; a fault that never came stands at its planned time, unwitnessed."""
    started, healed = fault.start_ns, fault.heal_ns
    return FaultResult(
        fault=fault.name,
        where=", ".join(fault.where),
        start_s=round(fault.planned_at_s if started is None else facts.seconds(started), 3),
        end_s=None if healed is None else round(facts.seconds(healed), 3),
        witnessed=fault.witnessed,
        witness=fault.witness_detail
        or ("nobody looked" if started is not None else "it never came into force"),
    )


def _load_result(facts: RunFacts) -> LoadResult:
    outcomes = [intent.outcome for intent in facts.history.checkouts]
    during = {op.op for fault in facts.faults for op in ops_during(facts.history.ops, fault)}
    return LoadResult(
        intents=len(outcomes),
        ok=outcomes.count("ok"),
        fail=outcomes.count("fail"),
        info=outcomes.count("info"),
        dropped=outcomes.count("dropped"),
        during_faults=len(during),
        ops=len(facts.history.ops),
        classes=_class_results(facts),
        left_out=facts.info.left_out,
    )


def _class_results(facts: RunFacts) -> tuple[ClassResult, ...]:
    """Each traffic class that came, by name. A class that this version does not know has no signature."""
    words = {name: traffic.signature for name, traffic in classes.known().items()}
    by_class: dict[str, list[IntentFact]] = {}
    for intent in facts.history.intents:
        if not intent.second:
            by_class.setdefault(intent.cls, []).append(intent)
    return tuple(
        ClassResult(
            name=name,
            arrivals=len(arrivals),
            as_declared=sum(one.as_declared for one in arrivals),
            signature=words.get(name, ""),
            signatures=sum(one.signature for one in arrivals),
        )
        for name, arrivals in sorted(by_class.items())
    )


def _warnings(facts: RunFacts) -> tuple[str, ...]:
    isolation = facts.info.isolation
    weak = ("isolation is weak: the target's processes share this machine's names and network",)
    restarts = tuple(
        f"{node} restarted although the plan did not ask for it" for node in facts.timeline.restarts
    )
    left_out = tuple(
        f"the traffic class {name} was left out: the target does not offer it" for name in facts.info.left_out
    )
    return (*facts.info.warnings, *left_out, *(weak if isolation == "weak" else ()), *restarts)
