"""Verdicts as exit code, as words and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from paydrill.cli.output import print_json
from paydrill.run_folder import RunFolder
from paydrill.verdict import Verdict


def exit_code(verdicts: Sequence[Verdict], *, allow_not_run: bool = False) -> int:
    """1 if any failed, else 3 if any was inconclusive (or not run, unless allowed), else 0."""
    words = {verdict.verdict for verdict in verdicts}
    if "fail" in words:
        return 1
    undecided = {"inconclusive"} if allow_not_run else {"inconclusive", "not_run"}
    return 3 if words & undecided else 0


def print_verdicts(verdicts: Sequence[Verdict], out: Path) -> None:
    """For people: each drill's summary, from its run folder below `out`."""
    for verdict in verdicts:
        print_verdict(verdict, RunFolder(out / verdict.run))


def print_verdict(verdict: Verdict, run: RunFolder) -> None:
    from paydrill.report.model import build_report
    from paydrill.report.terminal import terminal

    sys.stdout.write(terminal(build_report(run, verdict), colour=_colour()))
    sys.stdout.flush()


def print_verdicts_json(verdicts: Sequence[Verdict], *, several: bool) -> None:
    """One drill: its verdict; several: a list."""
    from paydrill.verdict_file import to_json

    documents = [to_json(verdict) for verdict in verdicts]
    print_json(documents if several else documents[0])


def _colour() -> bool:
    import os

    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
