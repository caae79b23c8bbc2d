"""The world: whoever dies, what is below is gone and swept. Nothing but tiny processes is started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from paydrill.backends import processes
from paydrill.backends.local.capabilities import probe
from paydrill.backends.namespaces import NamespaceKind
from paydrill.backends.world import launch
from paydrill.errors import NotReady
from paydrill.watchdog import StopRequested, WorldPlan

WITHIN_S = 10.0
KINDS: tuple[NamespaceKind, ...] = ("root", "user", "none")

# A harness that can be killed: its work starts children that would outlive it, and says so.
HARNESS = """
import subprocess, sys, time
from pathlib import Path
from paydrill.backends.world import launch
from paydrill.watchdog import WorldPlan
folder = Path(sys.argv[1])

def work(stop):
    for _ in range(3):
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    (folder / "up").touch()
    while not stop():
        time.sleep(0.01)

plan = WorldPlan(folder / "logs" / "conductor.log", sys.argv[2], work, lambda: (folder / "swept").touch())
with launch(plan) as world:
    print(world.wait(60), flush=True)
"""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> NamespaceKind:
    able = probe(request.param)
    if able.namespaces != request.param:
        pytest.skip(f"no such namespaces here: {able.lacking}")
    return able.namespaces


def plan_of(folder: Path, kind: NamespaceKind, work: Callable[[StopRequested], None]) -> WorldPlan:
    return WorldPlan(folder / "logs" / "conductor.log", kind, work, (folder / "swept").touch)


def test_the_outcome_is_that_of_the_work(tmp_path: Path, kind: NamespaceKind) -> None:
    with launch(plan_of(tmp_path, kind, lambda _: print("at work"))) as world:
        outcome = world.wait(WITHIN_S)
    assert outcome is not None
    assert (outcome.code, outcome.signal, outcome.detail) == (0, None, "")
    assert "at work" in (tmp_path / "logs" / "conductor.log").read_text()
    assert (tmp_path / "swept").exists()


def test_an_error_of_the_work_is_told_with_its_code(tmp_path: Path, kind: NamespaceKind) -> None:
    def work(_: StopRequested) -> None:
        raise NotReady("store-1: never came up")

    with launch(plan_of(tmp_path, kind, work)) as world:
        outcome = world.wait(WITHIN_S)
    assert outcome is not None
    assert (outcome.code, outcome.detail) == (3, "stack_not_ready: store-1: never came up")
    assert "Traceback" in (tmp_path / "logs" / "conductor.log").read_text()


def test_an_error_that_nobody_foresaw_is_told_too(tmp_path: Path, kind: NamespaceKind) -> None:
    with launch(plan_of(tmp_path, kind, lambda _: {}["key"])) as world:
        outcome = world.wait(WITHIN_S)
    assert outcome is not None
    assert (outcome.code, outcome.detail) == (70, "KeyError: 'key'")


def test_a_stop_can_be_asked_for(tmp_path: Path, kind: NamespaceKind) -> None:
    def work(stop: StopRequested) -> None:
        while not stop():
            time.sleep(0.005)
        (tmp_path / "healed").touch()

    with launch(plan_of(tmp_path, kind, work)) as world:
        assert world.wait(0.1) is None
        world.request_stop()
        world.request_stop()
        outcome = world.wait(WITHIN_S)
    assert outcome is not None
    assert outcome.code == 0
    assert (tmp_path / "healed").exists()


def test_leaving_the_block_ends_everything(tmp_path: Path, kind: NamespaceKind) -> None:
    with launch(plan_of(tmp_path, kind, busy)) as world:
        until(lambda: "busy" in conductor_log(tmp_path))
        assert world.watchdog_alive()
    assert_nothing_left(tmp_path)


def test_two_worlds_of_one_harness_do_not_hold_each_other(tmp_path: Path, kind: NamespaceKind) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    with launch(plan_of(first, kind, busy)):
        others = {p.pid for p in processes.children_of(os.getpid())}
        until(lambda: "busy" in conductor_log(first))
        with launch(plan_of(second, kind, busy)):
            until(lambda: "busy" in conductor_log(second))
        assert_nothing_left(second, others)
        assert processes.writing_to(first / "logs")
    assert_nothing_left(first)


@pytest.mark.parametrize("victim", ["conductor", "watchdog", "init"])
def test_a_killed_part_takes_all_with_it(tmp_path: Path, kind: NamespaceKind, victim: str) -> None:
    if victim == "init" and kind == "none":
        pytest.skip("there is no init without namespaces")
    with launch(plan_of(tmp_path, kind, busy)) as world:
        until(lambda: "busy" in conductor_log(tmp_path))
        os.kill(pid_of(os.getpid(), victim, kind), signal.SIGKILL)
        outcome = world.wait(WITHIN_S)
        assert outcome is not None
        assert outcome.signal == signal.SIGKILL
        assert world.watchdog_alive() is False
        assert ("watchdog" in outcome.detail) is (victim == "watchdog")
    assert_nothing_left(tmp_path)


def test_a_killed_harness_leaves_nothing(tmp_path: Path, kind: NamespaceKind) -> None:
    harness = subprocess.Popen([sys.executable, "-c", HARNESS, str(tmp_path), kind])
    until((tmp_path / "up").exists)
    harness.kill()
    harness.wait()
    until(lambda: not processes.writing_to(tmp_path / "logs") and (tmp_path / "swept").exists())


def test_a_killed_watchdog_leaves_a_harness_that_cleans_up(tmp_path: Path, kind: NamespaceKind) -> None:
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(tmp_path), kind], stdout=subprocess.PIPE, text=True
    )
    until((tmp_path / "up").exists)
    os.kill(pid_of(harness.pid, "watchdog", kind), signal.SIGKILL)
    said, _ = harness.communicate(timeout=WITHIN_S)
    assert "the watchdog was killed" in said
    assert harness.returncode == 0
    assert_nothing_left(tmp_path)


def test_no_output_of_the_caller_is_held_open(tmp_path: Path, kind: NamespaceKind) -> None:
    """`paydrill run | tee`: when the harness is killed, its reader must not wait for the watchdog."""
    harness = subprocess.Popen([sys.executable, "-c", HARNESS, str(tmp_path), kind], stdout=subprocess.PIPE)
    until((tmp_path / "up").exists)
    watchdog = pid_of(harness.pid, "watchdog", kind)
    os.kill(watchdog, signal.SIGSTOP)
    harness.kill()
    harness.communicate(timeout=WITHIN_S)
    os.kill(watchdog, signal.SIGCONT)
    until(lambda: not processes.writing_to(tmp_path / "logs"))


def test_ctrl_c_reaches_the_harness_only(tmp_path: Path, kind: NamespaceKind) -> None:
    with launch(plan_of(tmp_path, kind, busy)) as world:
        until(lambda: "busy" in conductor_log(tmp_path))
        below = processes.stat(pid_of(os.getpid(), "watchdog", kind))
        assert below is not None
        assert below.session != os.getsid(0)
        os.kill(below.pid, signal.SIGINT)
        os.kill(below.pid, signal.SIGTERM)
        assert world.wait(0.2) is None


def busy(_: StopRequested) -> None:
    """Starts what would outlive it, in a session of its own, then hangs."""
    subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"], start_new_session=True)
    print(json.dumps("busy"))
    time.sleep(600)


def conductor_log(folder: Path) -> str:
    log = folder / "logs" / "conductor.log"
    return log.read_text() if log.exists() else ""


def pid_of(harness: int, part: str, kind: NamespaceKind) -> int:
    """On the host: O -> A watchdog -> [B init] -> C conductor."""
    depth = {"watchdog": 1, "init": 2, "conductor": 2 if kind == "none" else 3}[part]
    pid = harness
    for _ in range(depth):
        pid = next(p.pid for p in processes.children_of(pid) if p.alive)
    return pid


def assert_nothing_left(folder: Path, others: Collection[int] = ()) -> None:
    assert processes.writing_to(folder / "logs") == []
    assert (folder / "swept").exists()
    assert [p for p in processes.children_of(os.getpid()) if p.alive and p.pid not in others] == []


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < give_up, "it did not come about in time"
        time.sleep(0.005)
