"""A stored run -> the request that runs its plan again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import orjson

from paydrill import library
from paydrill.cli.words import load_scenario_file, load_target_folder
from paydrill.errors import UsageError
from paydrill.mutants import check_mutant, find_mutant
from paydrill.plan import make_plan, plan_from_json
from paydrill.request import BackendChoice, DrillRequest, MutantChoice
from paydrill.run_folder import RunFolder
from paydrill.target import Target
from paydrill.topology_file import load_topology

BACKENDS = ("docker", "local", "attached")


def request_of(
    run: RunFolder, argv: Sequence[str], command_t_ns: int, say: Callable[[str], None]
) -> DrillRequest:
    """Raises UsageError when the folder lacks its plan or scenario, or its target is not here."""
    for needed in (run.plan, run.scenario):
        if not needed.is_file():
            raise UsageError(f"{run.path}: cannot be replayed: it has no {needed.name}")
    stored = plan_from_json(run.plan.read_bytes())
    record = _record(run)
    target = load_target_folder(library.target_folder(stored.target))
    topology = load_topology(target, stored.topology)
    scenario = load_scenario_file(run.scenario, topology)
    plan = make_plan(scenario, topology, target, stored.seed, stored.load.left_out)
    if plan != stored:
        say("the target or this version has changed since: the plan is the stored one, what it meets is not")
    backend = record.get("backend")
    return DrillRequest(
        scenario=scenario,
        target=target,
        topology=topology,
        plan=stored,
        seed=stored.seed,
        backend=cast("BackendChoice", backend) if backend in BACKENDS else "auto",
        mutant=_mutant(run, record, target),
        control=False,
        argv=tuple(argv),
        command_t_ns=command_t_ns,
    )


def _record(run: RunFolder) -> dict[str, Any]:
    try:
        record = orjson.loads(run.run.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return record if isinstance(record, dict) else {}


def _mutant(run: RunFolder, record: dict[str, Any], target: Target) -> MutantChoice | None:
    """By the patch kept in the run folder, else by its name among the target's mutants."""
    name = record.get("mutant")
    if not isinstance(name, str):
        return None
    kept = run.path / "mutant.patch"
    patch = kept if kept.is_file() else find_mutant(target.folder, name).patch
    check_mutant(target.folder, patch)
    return MutantChoice(name, patch)
