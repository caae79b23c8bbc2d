"""Drills that start in the same second don't disturb each other; a drill leaves nothing outside its places."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.drill

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PAYDRILL = Path(sys.executable).parent / "paydrill"


def start(scenario: str, backend: str, out: Path, **env: str) -> subprocess.Popen:
    command = [
        PAYDRILL,
        "run",
        HERE / scenario,
        "--backend",
        backend,
        "--seed",
        "1",
        "--json",
        "--out",
        out,
    ]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_drills_of_the_same_second_both_pass_in_folders_of_their_own(backend, tmp_path):
    both = [start("side-by-side.yaml", backend, tmp_path / "reports") for _ in range(2)]
    ended = [one.communicate(timeout=240) for one in both]
    verdicts = [json.loads(out) for out, _ in ended]
    told = [(verdict["verdict"], verdict["reasons"]) for verdict in verdicts]
    unfit = [{reason["code"] for reason in verdict["reasons"]} <= {"host_unfit"} for verdict in verdicts]
    assert all(unfit), (told, [err[-1500:] for _, err in ended])
    assert len({verdict["run"] for verdict in verdicts}) == 2
    assert all(verdict["load"]["ok"] > 50 for verdict in verdicts), told


def test_a_local_drill_writes_only_into_its_reports_and_the_cache(tmp_path):
    home, temporary, out = tmp_path / "home", tmp_path / "tmp", tmp_path / "reports"
    home.mkdir()
    temporary.mkdir()
    before = files_of(REPOSITORY)
    cache = Path(os.environ.get("PAYDRILL_CACHE") or Path.home() / ".cache" / "paydrill")
    one = start("short.yaml", "local", out, HOME=str(home), TMPDIR=str(temporary), PAYDRILL_CACHE=str(cache))
    _, err = one.communicate(timeout=240)
    assert one.returncode in (0, 3), err
    assert list(home.rglob("*")) == []
    assert list(temporary.iterdir()) == []
    assert files_of(REPOSITORY) - before == set()


def files_of(folder: Path) -> set[str]:
    """Files of the work tree that are not by-products of Python."""
    found = set()
    for path in folder.rglob("*"):
        parts = set(path.relative_to(folder).parts)
        if parts & {".git", ".venv", "__pycache__", "reports", ".pytest_cache", ".mypy_cache", ".ruff_cache"}:
            continue
        if ".hypothesis" not in parts and path.is_file():
            found.add(str(path))
    return found
