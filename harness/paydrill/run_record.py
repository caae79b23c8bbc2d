"""run.json: what a run is, said before anything of it is started, and what was learned of its parts."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import orjson

from paydrill.backends import Stack
from paydrill.plan import plan_to_json
from paydrill.request import DrillRequest
from paydrill.run_folder import RunFolder
from paydrill.target import Timing

SCHEMA = "paydrill/run/1"


def begin_run(run: RunFolder, run_id: str, request: DrillRequest, backend: str, timing: Timing) -> None:
    """Create the folder with scenario.yaml, plan.json and run.json. Raises FileExistsError."""
    run.path.mkdir(parents=True)
    for folder in (run.logs, run.readings, run.path / "psp"):
        folder.mkdir()
    run.scenario.write_text(request.scenario.text, encoding="utf-8")
    run.plan.write_bytes(plan_to_json(request.plan))
    if request.mutant is not None:
        run.mutant.write_bytes(request.mutant.patch.read_bytes())
    _write(run, _record(run_id, request, backend, timing))


def add_to_run(run: RunFolder, **facts: Any) -> None:
    """Add what was learned since, such as versions; keys that are there already are replaced."""
    _write(run, {**orjson.loads(run.run.read_bytes()), **facts})


def record_stack(run: RunFolder, stack: Stack) -> None:
    """Add what the running stack says of itself: isolation, versions, foreign programs."""
    add_to_run(
        run,
        isolation=stack.isolation,
        capabilities=dict(stack.capabilities),
        versions={**harness_versions(), **stack.versions()},
        parts={name: dict(part) for name, part in stack.foreign_parts().items()},
    )


def new_run_id(request: DrillRequest) -> str:
    """`<utc>-<scenario>-<topology>-s<seed>`, the run folder's name."""
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return f"{at}-{request.scenario.name}-{request.topology.name}-s{request.seed}"


def harness_versions() -> Mapping[str, str]:
    """Versions of the parts that run inside the harness."""
    parts = ("locust", "toxiproxy-python", "duckdb", "faker")
    return {
        "paydrill": version("paydrill"),
        "python": platform.python_version(),
        **{part: version(part) for part in parts},
    }


def _record(run_id: str, request: DrillRequest, backend: str, timing: Timing) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "scenario": request.scenario.name,
        "title": dict(request.scenario.title),
        "why": request.scenario.why,
        "topology": request.topology.name,
        "psps": [node.name for node in request.topology.psps],
        "backend": backend,
        "target": request.target.name,
        "mutant": request.mutant.name if request.mutant else None,
        "seed": request.seed,
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "command": list(request.argv),
        "command_t_ns": request.command_t_ns,
        "clock": {"monotonic_ns": time.monotonic_ns(), "wall_ns": time.time_ns()},
        "timing": asdict(timing),
        "state_classes": {kind: dict(states) for kind, states in request.target.state_classes.items()},
        "paid_states": list(request.target.client.paid_states),
        "expect": asdict(request.scenario.expect),
        "facts_offered": sorted({fact.table for fact in request.target.facts}),
        "versions": dict(harness_versions()),
    }


def _write(run: RunFolder, record: Mapping[str, Any]) -> None:
    temporary = run.run.with_suffix(".tmp")
    temporary.write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    temporary.replace(run.run)
