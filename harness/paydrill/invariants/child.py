"""Judging in a child process with a wall limit: a rule that hangs or crashes proves nothing.

The child writes one JSON line per invariant as soon as it is judged, so that what was finished
before a crash or an overrun counts.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from paydrill.invariants.catalogue import Invariant, chosen
from paydrill.invariants.runner import inconclusive, judge
from paydrill.run_folder import RunFolder
from paydrill.verdict import Finding, InvariantResult, Money


def judge_invariants(
    run: RunFolder, ids: tuple[str, ...] | None, wall_limit_s: float = 60
) -> tuple[InvariantResult, ...]:
    """Results of a folded run, one per invariant, in catalogue order; all invariants for `ids` None.

    Never raises for what stands in the run folder: a crash of the checker is inconclusive
    `checker_crashed`, and so is an overrun. Raises UsageError for an unknown id.
    """
    invariants = chosen(ids)
    command = [sys.executable, "-P", "-m", "paydrill.invariants.child", str(run.path.resolve())]
    output, code, reason = _run([*command, *(invariant.id for invariant in invariants)], wall_limit_s)
    results = _parse(output.splitlines())
    return tuple(results.get(each.id) or inconclusive(each, code, reason) for each in invariants)


def _run(command: list[str], wall_limit_s: float) -> tuple[bytes, str, str]:
    """stdout of the child, and the code and the reason for whatever is missing in it."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=wall_limit_s, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as overrun:
        return overrun.stdout or b"", "checker_crashed", f"not judged within the limit of {wall_limit_s:g} s"
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    ending = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return done.stdout, "checker_crashed", f"the judging process ended with {ending}: {''.join(last)}"


def _parse(lines: Iterable[bytes]) -> dict[str, InvariantResult]:
    """Results by id; a torn line is none."""
    results: dict[str, InvariantResult] = {}
    for line in lines:
        try:
            result = _from_json(orjson.loads(line))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue
        results[result.id] = result
    return results


def _from_json(row: Mapping[str, Any]) -> InvariantResult:
    findings = tuple(
        Finding(
            intent=each["intent"],
            summary=each["summary"],
            money_at_risk=tuple(Money(**money) for money in each["money_at_risk"]),
            events=tuple(each["events"]),
        )
        for each in row["findings"]
    )
    return InvariantResult(**{**row, "findings": findings})


def main(arguments: list[str]) -> int:
    """`child.py RUN ID…`: writes one JSON line a result to stdout."""
    from paydrill.evidence.reader import evidence

    path, *ids = arguments
    invariants: tuple[Invariant, ...] = chosen(tuple(ids))
    with evidence(RunFolder(Path(path))) as connection:
        for result in judge(connection, invariants):
            sys.stdout.buffer.write(orjson.dumps(asdict(result), option=orjson.OPT_APPEND_NEWLINE))
            sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
