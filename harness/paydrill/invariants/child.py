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
    with Checker(ids) as checker:
        return checker.judge(run, wall_limit_s)


class Checker:
    """The child process: it makes itself ready (a third of a second) while its owner does something else.

    Making it raises UsageError for an unknown id. `judge` may be called once.
    """

    def __init__(self, ids: tuple[str, ...] | None) -> None:
        self._invariants = chosen(ids)
        self._process = subprocess.Popen(
            _command([invariant.id for invariant in self._invariants]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Checker:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def judge(self, run: RunFolder, wall_limit_s: float) -> tuple[InvariantResult, ...]:
        """See `judge_invariants`."""
        output, code, reason = self._answer(str(run.path.resolve()), wall_limit_s)
        results = _parse(output.splitlines())
        return tuple(results.get(each.id) or inconclusive(each, code, reason) for each in self._invariants)

    def _answer(self, path: str, wall_limit_s: float) -> tuple[bytes, str, str]:
        """stdout of the child, and the code and the reason for whatever is missing in it."""
        try:
            output, errors = self._process.communicate(path.encode(), timeout=wall_limit_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            output, _ = self._process.communicate()
            return output, "checker_crashed", f"not judged within the limit of {wall_limit_s:g} s"
        code = self._process.returncode
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        ending = f"signal {-code}" if code < 0 else f"exit code {code}"
        return output, "checker_crashed", f"the judging process ended with {ending}: {''.join(last)}"


def _command(ids: list[str]) -> list[str]:
    return [sys.executable, "-P", "-m", "paydrill.invariants.child", *ids]


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


def main(ids: list[str]) -> int:
    """`child.py ID…`: reads the run's path from stdin to its end; writes one JSON line a result to stdout."""
    # The slow imports come before the wait for the path: that is what the wait is for.
    import duckdb  # noqa: F401

    from paydrill.evidence.reader import evidence

    invariants: tuple[Invariant, ...] = chosen(tuple(ids))
    path = sys.stdin.buffer.read().decode()
    with evidence(RunFolder(Path(path))) as connection:
        for result in judge(connection, invariants):
            sys.stdout.buffer.write(orjson.dumps(asdict(result), option=orjson.OPT_APPEND_NEWLINE))
            sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
