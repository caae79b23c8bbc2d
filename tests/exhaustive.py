"""`make test-all`: every seed, repeat and count that the documents promise; resumable.

    python tests/exhaustive.py [PART] [--only TEXT] [--fresh]

PART is the number of one part (each takes three hours at most); without it all parts run. What has
been run on this commit is in `.venv/by-products/exhaustive.jsonl` and is not run again; the last results of
all parts are written to docs/status.md, each with the commit that it was had on, and which fault ran live
where to docs/faults-live.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

REPOSITORY = Path(__file__).resolve().parents[1]
PAYDRILL = Path(sys.executable).parent / "paydrill"
PYTEST = Path(sys.executable).parent / "pytest"
RESULTS = REPOSITORY / ".venv" / "by-products" / "exhaustive.jsonl"
STATUS = REPOSITORY / "docs" / "status.md"
STATUS_HEAD = "# Status\n\nThe last results of `make test-all`, written by it.\n\n"
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
LIVE = REPOSITORY / "docs" / "faults-live.md"
RANDOM_PLANS = {"local": range(1, 101), "docker": range(1, 11)}
RANDOM_FOLDER = REPOSITORY / ".venv" / "by-products" / "random-plans"
MOST_INCONCLUSIVE = 0.10
BY_HOST = " on a machine that did not keep up"
CASES_A_STACK = 12
"""So many cases share one stack: the loss is small when one of them ends it."""


@dataclass(frozen=True)
class Result:
    """One line of the record. `tries` are all results of a drill that the host alone made inconclusive.

    day: when it was had (UTC)
    """

    part: int
    name: str
    wanted: str
    came: str
    good: bool
    tries: list[str]
    commit: str
    seconds: float
    day: str = ""


@dataclass(frozen=True)
class Batch:
    """Tests that are cheaper together; each has a result of its own. `tests`: name → as pytest calls it."""

    part: int
    wanted: str
    tests: Mapping[str, str]


@dataclass(frozen=True)
class Job:
    """`run` gives what came and whether it is what was wanted."""

    part: int
    name: str
    wanted: str
    run: Callable[[], tuple[str, bool, list[str]]]


def jobs() -> Iterator[Job | Batch]:
    yield from main_way()
    yield from stack_and_classes()
    yield from every_fault()
    yield from random_plans()


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
    bare = "tests/drills/test_bare_root.py"
    yield Job(2, "a bare root, by what the doctor says", "passed", lambda: pytest(bare))


def stack_and_classes() -> Iterator[Job]:
    """Part 3: every traffic class, the benign controls, other topologies and targets, the PSP killed under load."""
    for backend, seeds in (("local", range(1, 4)), ("docker", range(1, 3))):
        for seed in seeds:
            for more in (["every-class"], *BENIGN, *OTHERS):
                arguments = [*more, "--backend", backend, "--seed", str(seed)]
                yield Job(3, " ".join(arguments), "pass", lambda a=arguments: unmutated(a))
    yield Job(3, "the PSP killed a hundred times under load", "passed", psp_kills)
    every_class = "tests/drills/test_every_class.py"
    yield Job(3, "every class as often as promised, at 40/s", "passed", lambda: at_length(every_class))
    desk = "tests/psp/test_psp_desk_properties.py"
    yield Job(3, "the PSP's desk at length", "passed", lambda: at_length(desk))


def every_fault() -> Iterator[Job | Batch]:
    """Part 4: every fault on a real stack of each backend that it claims, and disks under writes."""
    found = healing_tests()
    for kind in dict.fromkeys(name.kind for name in found):
        for backend in dict.fromkeys(name.backend for name in found):
            these = {str(n): test for n, test in found.items() if (n.kind, n.backend) == (kind, backend)}
            yield Batch(4, "passed", these)
    composed = "tests/drills/test_composition.py"
    yield Job(4, "ten interleavings, held", "passed", lambda: at_length(composed))
    attacks = "tests/drills/test_attacks.py"
    yield Job(4, "attacks, crowds and junk, and who believes them", "passed", lambda: at_length(attacks))
    outside = "tests/backends/test_attached_drill.py"
    yield Job(4, "crowds and junk before somebody else's stack", "passed", lambda: at_length(outside))
    limits = "tests/faults/test_clocks_and_limits.py"
    yield Job(4, "clocks and limits without their effect", "passed", lambda: at_length(limits))
    disks = "tests/faults/test_disks_under_writes.py"
    yield Job(4, "disks under four writers, power cut five times", "passed", lambda: pytest(disks))
    toxics = "tests/benchmarks/test_toxics.py"
    yield Job(4, "toxics on open connections", "passed", lambda: pytest(toxics))


def random_plans() -> Iterator[Job]:
    """Part 5: faults drawn by lot, overlapping; after each plan the machine is as it was."""
    for backend, seeds in RANDOM_PLANS.items():
        for seed in seeds:
            name = random_name(backend, seed)
            yield Job(5, name, "no fail, nothing left", lambda b=backend, s=seed: random_plan(b, s))
        wanted = f"at most {MOST_INCONCLUSIVE:.0%} inconclusive"
        yield Job(5, f"random plans on {backend}, all", wanted, lambda b=backend: few_inconclusive(b))


def random_name(backend: str, seed: int) -> str:
    return f"random plan {seed:03} on {backend}"


def random_plan(backend: str, seed: int) -> tuple[str, bool, list[str]]:
    from random_drill import run_audited  # beside the tests of drills

    tries: list[str] = []
    for _ in range(1 + HOST_REPEATS):
        ran = run_audited(seed, backend, RANDOM_FOLDER / backend, REPOSITORY / "reports" / "exhaustive")
        came = told(ran.verdict) + (BY_HOST if ran.spoilt_by_host else "")
        tries.append("; ".join([came, *(f"LEFT {one}" for one in ran.left)]))
        if not ran.spoilt_by_host or ran.left:
            break
    return tries[-1], ran.verdict["verdict"] in ("pass", "inconclusive") and not ran.left, tries


def few_inconclusive(backend: str) -> tuple[str, bool, list[str]]:
    """Of the plans of this commit; what the host alone made inconclusive is not counted."""
    known, here = recorded(), commit()
    names = [random_name(backend, seed) for seed in RANDOM_PLANS[backend]]
    came = [known[(5, name)].came for name in names if (5, name) in known and known[(5, name)].commit == here]
    counted = [one for one in came if BY_HOST not in one]
    words = [one.partition(" ")[0].rstrip(";") for one in counted]
    each = ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))
    few = words.count("inconclusive") <= MOST_INCONCLUSIVE * len(words)
    each += f", {len(came) - len(counted)} spoilt by the machine" if len(counted) < len(came) else ""
    return f"{each} of {len(names)}", bool(few and len(came) == len(names)), []


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
    return at_length("tests/psp/test_psp_kill_series.py")


def at_length(file: str) -> tuple[str, bool, list[str]]:
    """Those of its tests that `make test` leaves out."""
    return pytest(file, "-m", "exhaustive")


def pytest(*arguments: str) -> tuple[str, bool, list[str]]:
    command = [PYTEST, "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1], done.returncode == 0, []


@dataclass(frozen=True)
class Healing:
    """One test of one case. `kind` tells how the fault ends; the same fault has more cases than one."""

    case: str
    backend: str
    kind: str

    def __str__(self) -> str:
        return f"{self.case} on {self.backend}: {self.kind}"

    @classmethod
    def of(cls, name: str) -> Healing | None:
        """From a result's name; None for what is no such test."""
        left, _, kind = name.rpartition(": ")
        case, _, backend = left.rpartition(" on ")
        return cls(case, backend, kind) if case and kind in KINDS.values() else None


KINDS = {
    "test_a_fault_is_seen_and_healed_and_leaves_nothing": "seen and healed",
    "test_the_harness_killed_while_it_is_on_leaves_nothing": "killed -9",
    "test_sigterm_while_it_is_on_heals_and_ends_within_seconds": "SIGTERM",
}


def healing_tests() -> dict[Healing, str]:
    """The tests of each fault's case on each backend, as pytest calls them."""
    command = [PYTEST, "--collect-only", "-q", "-p", "no:cacheprovider", "tests/faults/test_healing.py"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found: dict[Healing, str] = {}
    for line in done.stdout.splitlines():
        test, bracket, words = line.removesuffix("]").partition("[")
        kind = KINDS.get(test.rpartition("::")[2])
        if bracket and kind:
            backend, _, case = words.partition("-")
            found[Healing(case, backend, kind)] = line
    return found


def pytest_each(tests: Sequence[str]) -> dict[str, tuple[str, float]]:
    """What came of each (`passed`, or the reason) and its seconds; what pytest did not get to is not there."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = [PYTEST, "-q", "-p", "no:cacheprovider", f"--junitxml={report.name}", *tests]
        subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
        text = Path(report.name).read_text()
    came = {}
    for case in ElementTree.fromstring(text).iter("testcase") if text else ():
        bad = next((one for one in case if one.tag in ("failure", "error", "skipped")), None)
        told = "passed" if bad is None else f"{bad.tag}: {(bad.get('message') or '').splitlines()[0][:150]}"
        came[str(case.get("name"))] = (told, float(case.get("time") or 0))
    return came


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
    """docs/status.md from the record; what it tells of parts that are not in the record stays."""
    kept = sections(STATUS.read_text(encoding="utf-8")) if STATUS.exists() else {}
    by_part: dict[int, list[Result]] = {}
    for row in sorted(recorded().values(), key=lambda result: (result.part, result.name)):
        by_part.setdefault(row.part, []).append(row)
    told = kept | {part: status_of(part, rows) for part, rows in by_part.items()}
    STATUS.write_text(STATUS_HEAD + "\n".join(told[part] for part in sorted(told)), encoding="utf-8")


def sections(status: str) -> dict[int, str]:
    """The parts of a docs/status.md as it stands."""
    found = {}
    for text in re.split(r"^(?=## Part )", status, flags=re.MULTILINE)[1:]:
        found[int(text.split()[2].rstrip(":"))] = text.rstrip() + "\n"
    return found


def status_of(part: int, rows: Sequence[Result]) -> str:
    """One section. Of the tests of single faults only what was not as wanted: docs/faults-live.md has them all."""
    lines = [f"## Part {part}: {sum(row.good for row in rows)} of {len(rows)} as wanted", ""]
    single = [row for row in rows if part == 4 and Healing.of(row.name)]
    shown = [row for row in rows if not (row.good and row in single)]
    if single:
        commits = ", ".join(sorted({row.commit for row in single}))
        lines += [f"{len(single)} of them are tests of one fault's case ([faults-live.md](faults-live.md)), on {commits}.", ""]  # fmt: skip
    lines += ["| what | wanted | came | as wanted | commit |", "|---|---|---|---|---|"]
    for row in shown:
        came = " → ".join(row.tries) if len(row.tries) > 1 else row.came
        lines.append(
            f"| `{row.name}` | {row.wanted} | {came} | {'yes' if row.good else '**no**'} | {row.commit} |"
        )
    return "\n".join(lines) + "\n"


def write_live() -> None:
    """docs/faults-live.md from the record."""
    from live_table import rewrite  # beside this file

    rewrite(LIVE)


def run_job(job: Job) -> Iterator[Result]:
    began = time.monotonic()
    came, good, tries = job.run()
    yield Result(job.part, job.name, job.wanted, came, good, tries, "", round(time.monotonic() - began, 1))


def run_batch(batch: Batch, names: Sequence[str]) -> Iterator[Result]:
    """Some at a time, so that little is lost when it is ended."""
    for first in range(0, len(names), CASES_A_STACK):
        these = names[first : first + CASES_A_STACK]
        came = pytest_each([batch.tests[name] for name in these])
        for name in these:
            told, seconds = came.get(batch.tests[name].rpartition("::")[2], ("error: it was never run", 0.0))
            yield Result(
                batch.part, name, batch.wanted, told, told == batch.wanted, [], "", round(seconds, 1)
            )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", type=int, nargs="?", help="only this part")
    parser.add_argument("--only", default="", metavar="TEXT", help="only what has this in its name")
    parser.add_argument("--fresh", action="store_true", help="run again what has been run on this commit")
    asked = parser.parse_args()
    here, bad = commit(), 0

    def known_of(part: int, name: str) -> Result | None:
        known = recorded().get((part, name))
        return known if known and known.commit == here and not asked.fresh else None

    for job in jobs():
        if asked.part not in (None, job.part):
            continue
        names = list(job.tests) if isinstance(job, Batch) else [job.name]
        names = [name for name in names if asked.only in name]
        already = [known for name in names if (known := known_of(job.part, name))]
        bad += sum(not known.good for known in already)
        left = [name for name in names if name not in {known.name for known in already}]
        if not left:
            continue
        for result in run_batch(job, left) if isinstance(job, Batch) else run_job(job):
            day = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
            record(replace(result, commit=here, day=day))
            bad += not result.good
            took = f"({result.seconds:.0f} s)"
            print(f"{'ok ' if result.good else 'BAD'} {result.name}: {result.came} {took}", flush=True)
            write_status()
            write_live()
    print(f"{bad} not as wanted")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.path[:0] = [str(REPOSITORY / "tests" / "drills")]
    sys.exit(main())
