"""`kill -9` of the harness at any moment: nothing stays behind, what was learned stays, no false verdict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

pytestmark = pytest.mark.drill

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
WITHIN_S = 10.0
# What stands in the timeline when the moment has come.
MOMENTS = {
    "starting": ("phase", "starting"),
    "load before the fault": ("phase", "load"),
    "in the fault": ("fault", "timeout"),
    "healing": ("phase", "healing"),
    "quiescing": ("phase", "quiescing"),
    "collecting": ("phase", "collecting"),
    "judging": ("phase", "judging"),
}


# With Docker each takes a quarter of a minute: most are left to `make test-all`.
OFTEN_WITH_DOCKER = {"in the fault", "judging"}
CASES = [("local", moment) for moment in MOMENTS] + [
    pytest.param(
        "docker",
        moment,
        marks=[pytest.mark.docker, *([] if moment in OFTEN_WITH_DOCKER else [pytest.mark.exhaustive])],
    )
    for moment in MOMENTS
]


def load_process_tree():
    spec = spec_from_file_location("process_tree", HERE / "process_tree.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tree = load_process_tree()


class Running:
    """A drill under way that the test may kill."""

    def __init__(self, out: Path, backend: str) -> None:
        self.out = out
        command = [REPOSITORY / ".venv/bin/paydrill"]
        command += ["run", HERE / "short.yaml", "--backend", backend, "--seed", "3", "--out", out]
        self.process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def folder(self) -> Path:
        return (self.out / "latest").resolve()

    def timeline(self) -> list[dict]:
        try:
            lines = (self.folder / "timeline.jsonl").read_bytes().splitlines(keepends=True)
        except OSError:
            return []
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def wait_for(self, kind: str, name: str, timeout_s: float = 90.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not any(line["kind"] == kind and line.get("name") == name for line in self.timeline()):
            if self.process.poll() is not None:
                raise AssertionError(f"it ended before {name}: {self.process.communicate()}")
            assert time.monotonic() < deadline, f"{name} did not come"
            time.sleep(0.003)


@pytest.fixture
def running(tmp_path, backend):
    one = Running(tmp_path / "reports", backend)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize(("backend", "moment"), CASES, indirect=["backend"])
def test_the_harness_killed_leaves_nothing_and_the_run_can_be_judged(running, moment):
    kind, name = MOMENTS[moment]
    running.wait_for(kind, name)
    processes = tree.descendants(running.process.pid)
    lines_before = len(running.timeline())
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    waited_s, left = tree.wait_until_gone(processes, running.folder.name, WITHIN_S)
    assert not left, f"left after {waited_s:.1f} s: {left}"
    assert len(running.timeline()) >= lines_before
    if moment not in ("starting",):
        assert list(running.folder.glob("history-*.jsonl"))
    checked = check(running.folder)
    assert "Traceback" not in checked.stderr, checked.stderr
    verdict = json.loads(checked.stdout)
    codes = {reason["code"] for reason in verdict["reasons"]}
    if moment == "judging":
        assert checked.returncode in (0, 3), checked.stderr
        assert "interrupted" not in codes
    else:
        assert checked.returncode == 3, verdict["reasons"]
        assert verdict["verdict"] == "inconclusive" and "interrupted" in codes, verdict["reasons"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_heals_and_ends_within_seconds(running, number):
    running.wait_for("fault", "timeout")
    processes = tree.descendants(running.process.pid)
    began = time.monotonic()
    os.kill(running.process.pid, number)
    _, err = running.process.communicate(timeout=60)
    assert running.process.returncode == 128 + number, err
    assert time.monotonic() - began < 8, "healing and coming down took too long"
    _, left = tree.wait_until_gone(processes, running.folder.name, 3.0)
    assert not left
    assert "Traceback" not in err
    kinds = [line["kind"] for line in running.timeline()]
    assert "heal" in kinds


def test_the_watchdog_killed_alone_is_noticed_and_everything_is_taken_down(running):
    running.wait_for("fault", "timeout")
    processes = tree.descendants(running.process.pid)
    watchdog = next(pid for pid, _ in processes if parent_of(pid) == running.process.pid)
    os.kill(watchdog, signal.SIGKILL)
    _, err = running.process.communicate(timeout=60)
    assert running.process.returncode == 3, err
    _, left = tree.wait_until_gone(processes - {(running.process.pid, "")}, running.folder.name, WITHIN_S)
    assert not left
    verdict = json.loads((running.folder / "verdict.json").read_text())
    assert "watchdog_died" in {reason["code"] for reason in verdict["reasons"]}, verdict["reasons"]


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def check(folder: Path) -> subprocess.CompletedProcess:
    command = [REPOSITORY / ".venv/bin/paydrill", "check", folder, "--json"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
