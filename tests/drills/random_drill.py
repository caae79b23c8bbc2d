"""One drill drawn by lot, with an audit of the machine around it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_state import HostState, changed_since
from process_tree import descendants, wait_until_gone

from paydrill import faults, library, needs
from paydrill.random_plan import write_scenario
from paydrill.target_file import load_target

PAYDRILL = Path(sys.executable).parent / "paydrill"
GONE_WITHIN_S = 5.0
LOOK_AT_PROCESSES_S = 0.3
DRILL_TIMEOUT_S = 240.0


@dataclass(frozen=True)
class Audited:
    """`left`: what the run left on the machine or changed of it, a phrase each."""

    verdict: dict[str, Any]
    left: list[str]
    stderr: str
    scenario: Path

    @property
    def spoilt_by_host(self) -> bool:
        """Inconclusive for no other reason than that the machine did not keep up."""
        return {one["code"] for one in self.verdict["reasons"]} == {"host_unfit"}

    def told(self) -> str:
        """For a failed test: the reasons, and the file to run it again with."""
        reasons = "\n".join(f"  {one['code']}: {one['detail']}" for one in self.verdict["reasons"])
        return (
            f"{self.verdict['verdict']}: {self.scenario}\n{reasons}\nleft: {self.left}\n{self.stderr[-2000:]}"
        )


def lacking(backend: str) -> set[str]:
    """Faults that this machine cannot do."""
    return {
        name
        for name, fault in faults.known().items()
        if any(needs.in_the_way(need, backend) for need in fault.needs)
    }


def run_audited(seed: int, backend: str, folder: Path, out: Path) -> Audited:
    """The scenario is written to `folder`, run into `out`, and kept."""
    target = load_target(library.target_folder(library.DEFAULT_TARGET))
    scenario = write_scenario(folder, seed, target, backend, lacking(backend))
    before = HostState.now()
    arguments = [scenario, "--backend", backend, "--seed", str(seed), "--json", "--out", out]
    process = subprocess.Popen(
        [PAYDRILL, "run", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    seen: set[tuple[int, str]] = set()
    give_up = time.monotonic() + DRILL_TIMEOUT_S
    while True:
        seen |= descendants(process.pid)
        try:
            output, errors = process.communicate(timeout=LOOK_AT_PROCESSES_S)
            break
        except subprocess.TimeoutExpired:
            if time.monotonic() > give_up:
                process.terminate()
    if not output.strip():
        raise AssertionError(f"{scenario}: no verdict on stdout, exit {process.returncode}:\n{errors}")
    verdict = json.loads(output)
    return Audited(verdict, audit(out / verdict["run"], seen, before), errors, scenario)


def audit(run: Path, seen: set[tuple[int, str]], before: HostState) -> list[str]:
    """What is left of a run that has ended: `seen` are all processes that it ever had."""
    _, left = wait_until_gone(seen, run.name, GONE_WITHIN_S)
    left += [f"folder: {run / '.work'}"] if (run / ".work").exists() else []
    left += toxics_left(run / "timeline.jsonl")
    return left + changed_since(before, run.name)


def toxics_left(timeline: Path) -> list[str]:
    """What the proxies still had after everything was healed, as they were read back then; they are gone now."""
    lines = [json.loads(line) for line in timeline.read_text().splitlines()]
    healed = [line for line in lines if line["kind"] == "healed"]
    if not healed:
        return ["toxics: nobody read back whether any was left"]
    return [f"toxic: {line['detail']}" for line in healed if not line["clean"]]
