"""The control of a drill: the same plan without its faults, and what its findings say of the drill's (pure).

Real shops drift without any fault. A finding that the control shows too was not made by the fault.
"""

from __future__ import annotations

from dataclasses import replace

from paydrill.plan import make_plan, without_faults
from paydrill.request import DrillRequest
from paydrill.verdict import Finding, InvariantResult, Verdict

MARK = "also without the fault"


def control_of(request: DrillRequest) -> DrillRequest:
    """The request of the control: same seed, target, mutant and backend."""
    calm = without_faults(request.scenario)
    scenario = replace(calm, name=f"{request.scenario.name}-control")
    left_out = request.plan.load.left_out
    plan = make_plan(scenario, request.topology, request.target, request.seed, left_out)
    return replace(request, scenario=scenario, plan=plan, control=False)


def marked(verdict: Verdict, control: Verdict) -> Verdict:
    """The drill's verdict with every finding marked whose like the control has too, and the control named."""
    seen = {(result.id, finding.summary) for result in control.invariants for finding in result.findings}
    invariants = tuple(_marked(result, seen) for result in verdict.invariants)
    told = f"control {control.run}: {control.verdict}"
    return replace(verdict, invariants=invariants, warnings=(*verdict.warnings, told))


def _marked(result: InvariantResult, seen: set[tuple[str, str]]) -> InvariantResult:
    return replace(result, findings=tuple(_finding(result.id, finding, seen) for finding in result.findings))


def _finding(number: str, finding: Finding, seen: set[tuple[str, str]]) -> Finding:
    if (number, finding.summary) not in seen:
        return finding
    return replace(finding, summary=f"{finding.summary} ({MARK})")
