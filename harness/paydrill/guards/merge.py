"""How the parts of a judgement become one verdict with its reasons (pure).

fail            an invariant was broken or an SLO missed, on evidence that can be trusted
inconclusive    evidence not to be trusted, a guard tripped, or something stayed undecided
pass            everything was examined and held
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from paydrill.guards import codes, drill_complete
from paydrill.verdict import GuardResult, InvariantResult, Reason, SloResult, VerdictWord


def merge(
    invariants: Sequence[InvariantResult],
    guards: Sequence[GuardResult],
    slos: Sequence[SloResult],
    crashes: Sequence[Reason] = (),
) -> tuple[VerdictWord, tuple[Reason, ...]]:
    """The verdict, and every reason for it that is not a pass. `crashes`: parts of the judging itself."""
    failures = [*_broken_invariants(invariants), *_missed_slos(slos)]
    doubts = [*crashes, *_tripped(guards), *_undecided_invariants(invariants), *_undecided_slos(slos)]
    untrusted = any(doubt.code in codes.EVIDENCE_NOT_TRUSTWORTHY for doubt in doubts) or any(
        guard.name == drill_complete.NAME and guard.verdict == "inconclusive" for guard in guards
    )
    if failures and not untrusted:
        return "fail", _each_once([*failures, *doubts])
    if failures or doubts:
        return "inconclusive", _each_once([*doubts, *failures])
    return "pass", ()


def _broken_invariants(invariants: Iterable[InvariantResult]) -> Iterator[Reason]:
    for result in invariants:
        if result.verdict == "fail":
            found = len(result.findings)
            told = f"{result.id} {result.name}: {found} of {result.examined} broken"
            yield Reason(codes.INVARIANT_FAILED, told)


def _missed_slos(slos: Iterable[SloResult]) -> Iterator[Reason]:
    for slo in slos:
        if slo.verdict == "fail":
            measured = "never" if slo.measured is None else f"{slo.measured:g}"
            yield Reason(codes.SLO_FAILED, f"{slo.name} was {measured}, must be {slo.bound}")


def _tripped(guards: Iterable[GuardResult]) -> Iterator[Reason]:
    for guard in guards:
        if guard.verdict == "inconclusive":
            yield Reason(guard.code or codes.UNDECIDED, f"{guard.name}: {guard.detail}")


def _undecided_invariants(invariants: Iterable[InvariantResult]) -> Iterator[Reason]:
    for result in invariants:
        if result.verdict == "inconclusive":
            yield Reason(code_in(result.detail), f"{result.id} {result.name}: {result.detail}")


def _undecided_slos(slos: Iterable[SloResult]) -> Iterator[Reason]:
    for slo in slos:
        if slo.verdict != "inconclusive":
            continue
        if slo.measured is None:
            yield Reason(codes.UNDECIDED, f"{slo.name} ({slo.bound}) could not be measured")
        else:
            told = f"{slo.name} was {slo.measured:g}, must be {slo.bound}, on a machine that did not keep up"
            yield Reason(codes.HOST_UNFIT, told)


ALIASES = {"population": codes.POPULATION_MISMATCH, "wall_limit": codes.CHECKER_CRASHED}
"""Words of the invariants' runner that are narrower than a reason code."""


def code_in(detail: str) -> str:
    """The reason code that a detail begins with (`population_mismatch: …`), else undecided."""
    word = detail.partition(":")[0].strip()
    return ALIASES.get(word, word if word in codes.KNOWN else codes.UNDECIDED)


def _each_once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))
