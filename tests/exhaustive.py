"""`make test-all`: every seed, repeat and count that the documents promise; resumable.

    python tests/exhaustive.py [PART] [--fresh]

PART is the number of one part (each takes three hours at most); without it all parts run. What has
been run on this commit is in `.venv/by-products/exhaustive.jsonl` and is not run again; the last results of
all parts are written to docs/status.md, each with the commit that it was had on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PAYDRILL = Path(sys.executable).parent / "paydrill"
PYTEST = Path(sys.executable).parent / "pytest"
RESULTS = REPOSITORY / ".venv" / "by-products" / "exhaustive.jsonl"
STATUS = REPOSITORY / "docs" / "status.md"
SCENARIOS = ("steady", "psp-response-lost", "payments-kill", "flash-sale")
MUTANTS = {
    "M01": ("psp-response-lost", {"I-01", "I-02"}),
    "M03": ("psp-response-lost", {"I-01", "I-02"}),
    "M09": ("payments-kill", {"I-01", "I-02", "I-05"}),
    "M21": ("psp-response-lost", {"I-31", "I-01", "I-02", "I-05"}),
}
CONTROLS = "targets/reference/controls"
BENIGN = (
    ["benign-slow-answers"],
    ["benign-webhooks-thrice"],
    ["steady", "--mutant", f"{CONTROLS}/B03-honest-503.patch", "--set", "expect.slo.availability=>= 0.9"],
    ["benign-lost-webhooks"],
    ["steady", "--mutant", f"{CONTROLS}/B05-two-captures.patch"],
    ["benign-repeat-purchase"],
)
OTHERS = (
    ["steady", "--topology", "two-psp"],
    ["psp-response-lost", "--topology", "two-psp"],
    ["steady", "--topology", "lb-2-tls"],
    ["steady", "--target", "minishop"],
    ["psp-response-lost", "--target", "minishop"],
)
HOST_REPEATS = 2


@dataclass(frozen=True)
class Result:
    """One line of the record. `tries` are all results of a drill that the host alone made inconclusive."""

    part: int
    name: str
    wanted: str
    came: str
    good: bool
    tries: list[str]
    commit: str
    seconds: float


@dataclass(frozen=True)
class Job:
    """`run` gives what came and whether it is what was wanted."""

    part: int
    name: str
    wanted: str
    run: Callable[[], tuple[str, bool, list[str]]]


def jobs() -> Iterator[Job]:
    yield from main_way()
    yield from stack_and_classes()
    yield from every_fault()


def main_way() -> Iterator[Job]:
    """Part 2: the main way, end to end."""
    for backend, seeds in (("local", range(1, 6)), ("docker", range(1, 3))):
        for scenario in SCENARIOS:
            for seed in seeds:
                arguments = [scenario, "--backend", backend, "--seed", str(seed)]
                yield Job(2, " ".join(arguments), "pass", lambda a=arguments: unmutated(a))
    for backend, seeds in (("local", range(1, 6)), ("docker", range(1, 3))):
        for mutant, (scenario, listed) in MUTANTS.items():
            for seed in seeds:
                arguments = [scenario, "--mutant", mutant, "--backend", backend, "--seed", str(seed)]
                yield Job(2, " ".join(arguments), "fail", lambda a=arguments, i=listed: mutated(a, i))
    for number in range(1, 4):
        yield Job(2, f"killed at every phase, local, round {number}", "passed", lambda: tests("local"))
    yield Job(2, "killed at every phase, docker", "passed", lambda: tests("docker"))


def stack_and_classes() -> Iterator[Job]:
    """Part 3: every traffic class, the benign controls, other topologies and targets, the PSP killed under load."""
    for backend, seeds in (("local", range(1, 4)), ("docker", range(1, 3))):
        for seed in seeds:
            for more in (["every-class"], *BENIGN, *OTHERS):
                arguments = [*more, "--backend", backend, "--seed", str(seed)]
                yield Job(3, " ".join(arguments), "pass", lambda a=arguments: unmutated(a))
    yield Job(3, "the PSP killed a hundred times under load", "passed", psp_kills)


def every_fault() -> Iterator[Job]:
    """Part 4: every fault on a real stack of each backend that it claims, and disks under writes."""
    for what, these in healing_tests().items():
        yield Job(4, f"{what}: seen, healed; killed -9; SIGTERM", "passed", lambda t=these: pytest(*t))
    composed = "tests/drills/test_composition.py"
    yield Job(4, "ten interleavings, held", "passed", lambda: pytest(composed, "-m", "exhaustive"))
    disks = "tests/faults/test_disks_under_writes.py"
    yield Job(4, "disks under four writers, power cut five times", "passed", lambda: pytest(disks))


def unmutated(arguments: list[str]) -> tuple[str, bool, list[str]]:
    """A pass is wanted; a drill that only the host made inconclusive is repeated up to twice."""
    tries: list[str] = []
    for _ in range(1 + HOST_REPEATS):
        verdict = drill(arguments)
        tries.append(told(verdict))
        codes = {reason["code"] for reason in verdict["reasons"]}
        if codes != {"host_unfit"}:
            break
    examined = any(one["examined"] > 0 for one in verdict["invariants"]) and all(
        one["examined"] > 0 or one["verdict"] == "not_examined" for one in verdict["invariants"]
    )
    return tries[-1], verdict["verdict"] == "pass" and examined, tries


def mutated(arguments: list[str], listed: set[str]) -> tuple[str, bool, list[str]]:
    verdict = drill(arguments)
    found = {one["id"] for one in verdict["invariants"] if one["findings"]}
    return told(verdict), verdict["verdict"] == "fail" and bool(found & listed), []


def tests(backend: str) -> tuple[str, bool, list[str]]:
    return pytest("tests/drills/test_killed.py", "-k", backend)


def psp_kills() -> tuple[str, bool, list[str]]:
    return pytest("tests/psp/test_psp_kill_series.py", "-m", "exhaustive")


def pytest(*arguments: str) -> tuple[str, bool, list[str]]:
    command = [PYTEST, "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1], done.returncode == 0, []


def healing_tests() -> dict[str, list[str]]:
    """The tests of each fault's case on each backend, as pytest numbers them."""
    command = [PYTEST, "--collect-only", "-q", "-p", "no:cacheprovider", "tests/faults/test_healing.py"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if line.endswith("]"):
            backend, _, case = line.partition("[")[2].rstrip("]").partition("-")
            found.setdefault(f"{case} on {backend}", []).append(line)
    return found


def drill(arguments: list[str]) -> dict:
    command = [PAYDRILL, "run", *arguments, "--json", "--out", REPOSITORY / "reports" / "exhaustive"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if not done.stdout.strip():
        return {
            "verdict": f"exit {done.returncode}",
            "reasons": [{"code": done.stderr[-200:]}],
            "invariants": [],
        }
    return json.loads(done.stdout)


def told(verdict: dict) -> str:
    codes = sorted({reason["code"] for reason in verdict["reasons"]})
    found = sorted(one["id"] for one in verdict["invariants"] if one["findings"])
    return " ".join(
        [verdict["verdict"], *found, *(f"({code})" for code in codes if code != "invariant_failed")]
    )


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True
    )
    return done.stdout.strip()


def recorded() -> dict[tuple[int, str], Result]:
    """The newest result of each job."""
    if not RESULTS.exists():
        return {}
    results = [Result(**json.loads(line)) for line in RESULTS.read_text().splitlines()]
    return {(result.part, result.name): result for result in results}


def record(result: Result) -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(asdict(result)) + "\n")


def write_status() -> None:
    """docs/status.md from the record."""
    rows = sorted(recorded().values(), key=lambda result: (result.part, result.name))
    lines = ["# Status", "", "The last results of `make test-all`, written by it.", ""]
    for part in sorted({row.part for row in rows}):
        mine = [row for row in rows if row.part == part]
        lines += [f"## Part {part}: {sum(row.good for row in mine)} of {len(mine)} as wanted", ""]
        lines += ["| what | wanted | came | as wanted | commit |", "|---|---|---|---|---|"]
        for row in mine:
            came = " → ".join(row.tries) if len(row.tries) > 1 else row.came
            lines.append(
                f"| `{row.name}` | {row.wanted} | {came} | {'yes' if row.good else '**no**'} | {row.commit} |"
            )
        lines.append("")
    STATUS.write_text("\n".join(lines), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", type=int, nargs="?", help="only this part")
    parser.add_argument("--fresh", action="store_true", help="run again what has been run on this commit")
    asked = parser.parse_args()
    here, bad = commit(), 0
    for job in jobs():
        if asked.part not in (None, job.part):
            continue
        known = recorded().get((job.part, job.name))
        if known and known.commit == here and not asked.fresh:
            bad += not known.good
            continue
        began = time.monotonic()
        came, good, tries = job.run()
        result = Result(
            job.part, job.name, job.wanted, came, good, tries, here, round(time.monotonic() - began, 1)
        )
        record(result)
        bad += not good
        print(f"{'ok ' if good else 'BAD'} {job.name}: {came} ({result.seconds:.0f} s)", flush=True)
        write_status()
    print(f"{bad} not as wanted")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
