"""kill -9 of any part of a real local drill, at any moment, leaves nothing within ten seconds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paydrill.backends import processes
from paydrill.backends.local import LocalBackend
from paydrill.backends.local.journal import sweep_dead_runs
from paydrill.backends.namespaces import NamespaceKind
from paydrill.parts import cache_folder

WITHIN_S = 10.0
SEED = int(os.environ.get("PAYDRILL_TEST_SEED", str(random.SystemRandom().randrange(10**6))))

HARNESS = """
import sys, time
from pathlib import Path
from paydrill.backends.local import LocalBackend
from stack_of_minitarget import minitarget

def conductor(stack, stop_requested):
    (stack.setup.run_dir / "up").touch()
    while not stop_requested():
        time.sleep(0.01)

setup = minitarget(Path(sys.argv[1]))
with LocalBackend(best=sys.argv[2]).launch(setup, conductor) as world:
    outcome = world.wait(60)
print(outcome, flush=True)
"""


@pytest.fixture
def harness_env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}


def start(folder: Path, kind: NamespaceKind, env: dict[str, str]) -> subprocess.Popen[str]:
    if why := LocalBackend(best=kind).missing():
        pytest.skip("; ".join(why))
    if LocalBackend(best=kind).capabilities().namespaces != kind:
        pytest.skip(f"no {kind} namespaces here")
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(folder), kind], env=env, stdout=subprocess.PIPE, text=True
    )


def tree(pid: int) -> list[int]:
    """The process and all its living descendants, as the host numbers them."""
    return [pid] + [p for child in processes.children_of(pid) if child.alive for p in tree(child.pid)]


def left(folder: Path, seen: set[int]) -> list[str]:
    """Everything of the runs below `folder` that is still there."""
    found = [f"process {p.pid}" for run in folder.glob("run-*") for p in processes.writing_to(run / "logs")]
    # Those that were seen are of the drill, whatever their output is.
    found += [f"process {pid}" for pid in seen if (now := processes.stat(pid)) and now.alive]
    found += [str(path) for path in folder.glob("run-*/.work")]
    found += [
        f"mount {line.split()[4]}"
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if str(folder) in line or "/tmp/paydrill" in line
    ]
    found += [str(path) for path in (cache_folder() / "local-runs").glob("run-*.json") if of(path, folder)]
    found += [f"closed {p}" for p in folder.glob("run-*") if p.stat().st_mode & 0o777 == 0o700]
    return found


def of(path: Path, folder: Path) -> bool:
    return (folder / path.stem).exists()


def await_nothing(folder: Path, seen: set[int]) -> float:
    began = time.monotonic()
    while what := left(folder, seen):
        assert time.monotonic() - began < WITHIN_S, f"still there (seed {SEED}): {what}"
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize("kind", ["root", "user", "none"])
@pytest.mark.parametrize("victim", ["harness", "watchdog", "below", "conductor"])
def test_kill_of_a_part_at_random_moments(
    tmp_path: Path, kind: NamespaceKind, victim: str, harness_env: dict[str, str]
) -> None:
    if (kind, victim) == ("none", "conductor"):
        pytest.skip("without namespaces the conductor is what is below the watchdog")
    chance = random.Random(f"{SEED} {kind} {victim}")
    for moment in ("coming up", "up"):
        harness = start(tmp_path / moment, kind, harness_env)
        until_there(tmp_path / moment, "logs/conductor.log" if moment == "coming up" else "up")
        time.sleep(chance.uniform(0.0, 0.5 if moment == "coming up" else 0.05))
        seen = set(tree(harness.pid)[1:])
        chain = first_born(harness.pid)
        depth = {"harness": 0, "watchdog": 1, "below": 2, "conductor": 3}[victim]
        os.kill(chain[min(depth, len(chain) - 1)], signal.SIGKILL)
        harness.communicate(timeout=WITHIN_S + 5)
        gone_s = await_nothing(tmp_path / moment, seen)
        print(f"{kind} {victim} {moment}: of {len(seen)} processes the last was gone after {gone_s:.3f} s")


def first_born(pid: int) -> list[int]:
    """harness, watchdog, init or conductor, conductor or one of its children: as far as there are any."""
    chain = [pid]
    while len(chain) < 4 and (children := [p.pid for p in processes.children_of(chain[-1]) if p.alive]):
        chain.append(min(children))
    return chain


def test_kill_of_harness_and_watchdog_together_leaves_what_clean_removes(
    tmp_path: Path, harness_env: dict[str, str]
) -> None:
    harness = start(tmp_path, "root", harness_env)
    until_there(tmp_path, "up")
    watchdog = first_born(harness.pid)[1]
    harness.kill()
    os.kill(watchdog, signal.SIGKILL)
    harness.communicate()
    seen: set[int] = set()
    begun = time.monotonic()
    while any(what.startswith("process") for what in left(tmp_path, seen)):
        assert time.monotonic() - begun < WITHIN_S
        time.sleep(0.02)
    run = next(tmp_path.glob("run-*")).name
    assert any(run in line for line in sweep_dead_runs())
    assert left(tmp_path, seen) == []


def test_a_live_run_is_left_alone_and_its_folder_given_back(
    tmp_path: Path, harness_env: dict[str, str]
) -> None:
    harness = start(tmp_path, "root", harness_env)
    until_there(tmp_path, "up")
    run = next(tmp_path.glob("run-*"))
    assert run.stat().st_mode & 0o777 == 0o700
    assert not any(run.name in line for line in sweep_dead_runs())
    assert processes.writing_to(run / "logs")
    harness.kill()
    harness.communicate()
    await_nothing(tmp_path, set())
    assert {path.stat().st_uid for path in run.rglob("*")} == {os.getuid()}
    assert (run / "psp" / "journal.jsonl").stat().st_size > 0


def until_there(folder: Path, name: str) -> None:
    give_up = time.monotonic() + 30.0
    while not list(folder.glob(f"run-*/{name}")):
        assert time.monotonic() < give_up, f"there was no {name}"
        time.sleep(0.005)
