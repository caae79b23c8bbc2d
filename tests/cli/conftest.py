"""Running the command line: in this process for words, as a real process for exit codes and streams."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from paydrill.cli import run_command

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Cli = Callable[..., Ended]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`cli("run", "steady")` in this process, in the repository's folder."""
    monkeypatch.chdir(ROOT)

    def run(*words: str) -> Ended:
        code = run_command(list(words))
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


@pytest.fixture
def process() -> Cli:
    """The same as a process of its own."""

    def run(*words: str, cwd: Path = ROOT) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "paydrill.cli", *words],
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run
