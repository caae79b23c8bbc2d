"""The folder of one run: names of its files, and the two append-only logs of the harness.

Everything in it is written as it happens, one write(2) a line, so that a crash keeps all that was
learned until then. `paydrill check` judges from this folder alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from paydrill.topology import PSP, PSPS

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run folder. Nothing is created by naming it."""

    path: Path

    @property
    def scenario(self) -> Path:
        return self.path / "scenario.yaml"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def run(self) -> Path:
        return self.path / "run.json"

    @property
    def mutant(self) -> Path:
        """The patch of a drill against a mutant, so that it can be replayed anywhere."""
        return self.path / "mutant.patch"

    @property
    def timeline(self) -> Path:
        return self.path / "timeline.jsonl"

    @property
    def psp_journal(self) -> Path:
        """The first PSP's, which every drill has."""
        return self.psp_folder(PSP) / JOURNAL

    def psp_folder(self, psp: str) -> Path:
        return self.path / psp

    def psp_journals(self) -> Mapping[str, Path]:
        """The journals that there are, by the PSP's name; the first PSP's first."""
        named = {psp: self.psp_folder(psp) / JOURNAL for psp in PSPS}
        return {psp: path for psp, path in named.items() if path.exists()}

    @property
    def ca(self) -> Path:
        """The certificate of the run's own authority, where the load balancer speaks TLS."""
        return self.path / "ca.pem"

    @property
    def deliveries(self) -> Path:
        return self.path / "deliveries.jsonl"

    @property
    def evidence(self) -> Path:
        return self.path / "evidence"

    @property
    def readings(self) -> Path:
        """Raw suspect facts as read, NDJSON: `readings/<table>-<snap>.ndjson`."""
        return self.path / "readings"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def verdict(self) -> Path:
        return self.path / "verdict.json"

    def histories(self) -> list[Path]:
        return sorted(self.path.glob("history-*.jsonl"))


class LineLog:
    """Append-only JSON lines; each `write` is one write(2) and is in the kernel when it returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A second writer, after the first one has ended, goes on counting.
        self._seq = path.read_bytes().count(b"\n") if path.exists() else 0
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, kind: str, **fields: Any) -> int:
        """Append `{"seq", "t", "kind", …}`; returns t, monotonic nanoseconds (a given `t` is kept)."""
        t_ns = int(fields.pop("t", 0)) or time.monotonic_ns()
        line = {"seq": self._seq, "t": t_ns, "kind": kind, **fields}
        os.write(self._fd, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self._seq += 1
        return t_ns

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> LineLog:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
