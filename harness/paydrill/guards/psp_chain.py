"""The journal of every PSP verifies link by link, and is the one that the harness froze."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import Psp, RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "psp_chain"


def check(facts: RunFacts) -> GuardResult:
    collected = facts.timeline.reached("collected")
    found = ((psp, _problem(psp, collected)) for psp in facts.psps)
    problems = [f"{psp.name}: {problem}" for psp, problem in found if problem]
    lines = sum(psp.lines for psp in facts.psps)
    return all_of(NAME, codes.PSP_CHAIN_BROKEN, problems, f"{lines} lines verify")


def _problem(psp: Psp, collected: bool) -> str:
    """What is wrong with one PSP's journal; empty when nothing is."""
    freeze = psp.freeze
    if not psp.present:
        return "there is no journal"
    if psp.broken:
        return psp.broken
    if not psp.lines:
        return "its journal is empty"
    if freeze is None:
        return "it was never frozen" if collected else ""
    if psp.freeze_hash is None:
        return f"it was frozen at line {freeze.n}, its journal has {psp.lines}"
    if psp.freeze_hash != freeze.head:
        return f"line {freeze.n} of its journal is not the one that was there at the freeze"
    return ""
