"""The PSP's journal verifies link by link, and is the one that the harness froze."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import held, tripped
from paydrill.verdict import GuardResult

NAME = "psp_chain"


def check(facts: RunFacts) -> GuardResult:
    problem = _problem(facts)
    if problem:
        return tripped(NAME, codes.PSP_CHAIN_BROKEN, problem)
    return held(NAME, f"{facts.psp.lines} lines verify")


def _problem(facts: RunFacts) -> str:
    psp, freeze = facts.psp, facts.timeline.freeze
    if not psp.present:
        return "there is no PSP journal"
    if psp.broken:
        return f"PSP journal: {psp.broken}"
    if not psp.lines:
        return "the PSP journal is empty"
    if freeze is None:
        return "" if not facts.timeline.reached("collected") else "the PSP was never frozen"
    if psp.freeze_hash is None:
        return f"the PSP was frozen at line {freeze.n}, its journal has {psp.lines}"
    if psp.freeze_hash != freeze.head:
        return f"line {freeze.n} of the PSP journal is not the one that was there at the freeze"
    return ""
