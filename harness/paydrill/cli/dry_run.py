"""`--dry-run`: what a plan would do, when, to what, how it is undone, and what this machine lacks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from paydrill.backends.choose import choose_for
from paydrill.cli.condition_words import when_words
from paydrill.cli.output import print_json, print_lines
from paydrill.cli.psp_words import psp_words
from paydrill.errors import EnvironmentNotReady
from paydrill.fault_fields import as_written
from paydrill.faults import known
from paydrill.needs import in_the_way
from paydrill.not_run import cannot
from paydrill.plan import Plan, PlannedFault
from paydrill.request import DrillRequest
from paydrill.units import format_rate, format_seconds


@dataclass(frozen=True)
class _Machine:
    """The backend that would run a drill here, None when none can, and what this machine lacks for it."""

    backend: str | None
    lacks: str = ""
    missing: dict[str, list[str]] = field(default_factory=dict)

    @staticmethod
    def for_drill(request: DrillRequest) -> _Machine:
        """Looks and probes; starts nothing."""
        try:
            choice = choose_for(request.backend, request.target, request.topology, request.owned)
        except EnvironmentNotReady as problem:
            return _Machine(None, str(problem))
        backend, catalogue = choice.backend.name, known()
        names = {fault.name for fault in request.plan.faults} & set(catalogue)
        missing = {
            name: [f"{need}: {why}" for need in catalogue[name].needs if (why := in_the_way(need, backend))]
            for name in names
        }
        return _Machine(backend, cannot(request.plan, backend, catalogue), missing)


def print_plans(requests: Sequence[DrillRequest], *, as_json: bool) -> None:
    """The actions of each drill on stdout; nothing is started."""
    if as_json:
        documents = [{"scenario": one.scenario.name, **_told(one)} for one in requests]
        print_json(documents if len(documents) > 1 else documents[0])
        return
    for request in requests:
        told = _told(request)
        mutant = f", mutant {told['mutant']}" if told["mutant"] else ""
        print_lines(
            [
                f"{request.scenario.name} on {told['topology']} of {told['target']}, seed {request.seed}{mutant}",
                f"  backend: {told['runs_on'] or 'none can run it here'}",
            ]
        )
        if told["lacks"]:
            print_lines([f"  lacking: {told['lacks']}"])
        print_lines(_lines(told["actions"]))


def _told(request: DrillRequest) -> dict[str, Any]:
    """`runs_on` is the backend that was chosen here; `lacks` what keeps it from the drill, empty when nothing does."""
    machine = _Machine.for_drill(request)
    return {
        "topology": request.topology.name,
        "target": request.target.name,
        "backend": request.backend,
        "runs_on": machine.backend,
        "lacks": machine.lacks,
        "mutant": request.mutant.name if request.mutant else None,
        "seed": request.seed,
        "actions": [
            {**action, "lacks": machine.missing.get(action["action"], [])}
            for action in _actions(request.plan)
        ],
    }


def _lines(actions: Sequence[dict[str, Any]]) -> Iterator[str]:
    for action in actions:
        yield f"  {action['at_s']:8.3f} s  {action['action']}: {action['object']}"
        yield f"              undone: {action['undo']}"
        for lack in action["lacks"]:
            yield f"              lacking: {lack}"


def _actions(plan: Plan) -> list[dict[str, Any]]:
    """In the order of time; `at_s` counts from the begin of the load, what comes before stands at 0."""
    actions = [
        _action(
            0.0,
            "start",
            f"all nodes of {plan.topology}, the PSP, a proxy for every edge",
            "all are stopped and removed at the end",
        ),
        *(
            _action(0.0, "psp", psp_words(name, value), "ends with the drill")
            for name, value in plan.psp.items()
        ),
    ]
    mix = ", ".join(f"{name} {weight:g}" for name, weight in plan.load.mix.items())
    for segment in plan.load.segments:
        until = format_seconds(segment.end_s)
        actions.append(
            _action(
                segment.at_s,
                "load",
                f"{format_rate(segment.rate_per_s)} of {mix}",
                f"ends by itself at {until}",
            )
        )
    actions += [_fault_action(fault) for fault in plan.faults]
    actions += [
        _action(one.after_s, "abort", f"the whole drill, if {one.condition.told()}", "everything is healed")
        for one in plan.abort_if
    ]
    return sorted(actions, key=lambda action: action["at_s"])


def _fault_action(fault: PlannedFault) -> dict[str, Any]:
    fields = ", ".join(
        f"{key} {value}" for key, value in as_written(fault.fields).items() if key not in ("edge", "node")
    )
    where = ", ".join(fault.places) + (f" ({fields})" if fields else "")
    undone = known()[fault.name].undo if fault.name in known() else "healed"
    at = f"at {format_seconds(fault.end_s)}"
    if fault.when is not None:
        where += f", {when_words(fault.when)}"
        at = f"{format_seconds(fault.end_s - fault.when.before_s)} after it began"
    undo = f"{at} {undone}, and its state is read back; at once on any error or stop"
    return _action(fault.at_s, fault.name, where, undo)


def _action(at_s: float, action: str, what: str, undo: str) -> dict[str, Any]:
    return {"at_s": at_s, "action": action, "object": what, "undo": undo}
