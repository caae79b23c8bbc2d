"""Whole drills, run as a user runs them: the command in a process of its own, judged by what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paydrill.backends.choose import choose
from paydrill.errors import EnvironmentNotReady

sys.path[:0] = [str(Path(__file__).parent)]  # the helpers beside these tests

REPOSITORY = Path(__file__).resolve().parents[2]
PAYDRILL = Path(sys.executable).parent / "paydrill"
DRILL_TIMEOUT_S = 240


@dataclass(frozen=True)
class Ran:
    """What one command left behind. `verdict` is stdout's JSON, `folder` its run folder."""

    code: int
    verdict: dict[str, Any]
    folder: Path
    stderr: str

    def invariant(self, number: str) -> dict[str, Any]:
        return next(one for one in self.verdict["invariants"] if one["id"] == number)

    @property
    def findings(self) -> dict[str, list[dict[str, Any]]]:
        return {one["id"]: one["findings"] for one in self.verdict["invariants"] if one["findings"]}

    @property
    def timeline(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "timeline.jsonl").read_text().splitlines()]

    @property
    def reason_codes(self) -> set[str]:
        return {reason["code"] for reason in self.verdict["reasons"]}

    def told(self) -> str:
        """Everything one wants to see when an expectation is not met."""
        reasons = "\n".join(f"  {r['code']}: {r['detail']}" for r in self.verdict["reasons"])
        shown = {number: [f["summary"] for f in found[:3]] for number, found in self.findings.items()}
        began = (self.folder / "timeline.jsonl").exists()
        host = [line for line in self.timeline if line["kind"] == "host"] if began else "not begun"
        head = f"exit {self.code} {self.verdict['verdict']} in {self.folder}"
        return f"{head}\n{reasons}\n{shown}\n{host}\n{self.stderr[-2000:]}"


def backend_missing(name: str) -> str:
    try:
        choose(name)
    except EnvironmentNotReady as problem:
        return str(problem)
    return ""


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def backend(request):
    """Both backends; a missing one is skipped, where Docker is required it fails."""
    if why := backend_missing(request.param):
        if request.param == "docker" and os.environ.get("PAYDRILL_REQUIRE_DOCKER") == "1":
            pytest.fail(why)
        pytest.skip(why)
    return request.param


@pytest.fixture
def drill(tmp_path):
    """Runs `paydrill run … --json` into a folder of this test and reads what it left."""

    def run(
        *arguments: str, timeout_s: float = DRILL_TIMEOUT_S, paydrill: Sequence[str | Path] = (PAYDRILL,)
    ) -> Ran:
        out = tmp_path / "reports"
        done = subprocess.run(
            [*paydrill, "run", *arguments, "--json", "--out", out],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        if not done.stdout.strip():
            raise AssertionError(f"no verdict on stdout, exit {done.returncode}:\n{done.stderr}")
        verdict = json.loads(done.stdout)
        return Ran(done.returncode, verdict, (out / "latest").resolve(), done.stderr)

    return run


@pytest.fixture
def drill_on_a_fit_host(drill):
    """Like `drill`, but one that only the machine made inconclusive is run again, twice at most."""

    def run(*arguments: str, timeout_s: float = DRILL_TIMEOUT_S) -> Ran:
        for _ in range(3):
            ran = drill(*arguments, timeout_s=timeout_s)
            if ran.reason_codes != {"host_unfit"}:
                break
        return ran

    return run
