"""Drills that the chosen backend or this machine cannot run, known before anything is started."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from paydrill.faults import Fault
from paydrill.guards import codes
from paydrill.needs import lacking
from paydrill.plan import Plan
from paydrill.request import DrillRequest
from paydrill.verdict import LoadResult, Reason, Recovery, Verdict


def why_not(plan: Plan, backend: str, faults: Mapping[str, type[Fault]]) -> Reason | None:
    """Why the drill cannot be run here; None when it can. What faults need of the machine is tried."""
    if cannot_do := cannot(plan, backend, faults):
        return Reason(codes.BACKEND_CANNOT, cannot_do)
    if lacks := lacking(plan, backend, faults):
        return Reason(codes.MACHINE_LACKS, "this machine lacks: " + "; ".join(str(lack) for lack in lacks))
    return None


def cannot(plan: Plan, backend: str, faults: Mapping[str, type[Fault]]) -> str:
    """Which faults of the plan the backend cannot put in force; empty when it can run the drill."""
    strange = [fault for fault in plan.faults if backend not in faults[fault.name].backends]
    if not strange:
        return ""
    named = "; ".join(f"{fault.name} on {', '.join(fault.places)}" for fault in strange)
    able = sorted(set.intersection(*(set(faults[fault.name].backends) for fault in strange)))
    others = f" (backends that can, where they start the target: {', '.join(able)})" if able else ""
    return f"the {backend} backend cannot do: {named}{others}"


def not_run(request: DrillRequest, backend: str, why: Reason, run: str) -> Verdict:
    """The verdict of a drill that was never begun; `run` is its folder's name."""
    return Verdict(
        verdict="not_run",
        reasons=(why,),
        scenario=request.scenario.name,
        topology=request.topology.name,
        backend=backend,
        target=request.target.name,
        mutant=request.mutant.name if request.mutant else None,
        seed=request.seed,
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        duration_s=0.0,
        overhead_s=None,
        invariants=(),
        guards=(),
        slos=(),
        recovery=Recovery(),
        faults=(),
        load=LoadResult(),
        versions={},
        run=run,
    )
