"""A drill that proves nothing is never green: exit 3 with a reason code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.drill

HERE = Path(__file__).parent
SHORT = HERE / "short.yaml"


def scenario(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "made.yaml"
    path.write_text(text, encoding="utf-8")
    return path


HEAD = "name: made\ntitle: {en: Made, zh: 测试}\nwhy: A drill that proves nothing.\n"


def test_load_that_never_ran(drill, tmp_path):
    made = scenario(tmp_path, HEAD + "load: {rate: 0.0001/s, duration: 2s, mix: {checkout: 1}}\n")
    ran = drill(str(made), "--backend", "local", "--seed", "1")
    assert ran.code == 3, ran.told()
    assert "load_never_ran" in ran.reason_codes, ran.told()


def test_a_fault_on_an_edge_without_traffic(drill, tmp_path):
    text = HEAD + (
        "load: {rate: 20/s, duration: 5s, mix: {checkout: 1}}\n"
        "timeline:\n  - {at: 2s, for: 1s, fault: latency, latency_ms: 50, edge: worker->fulfilment}\n"
        "psp: {decline: 1.0}\n"
    )
    ran = drill(str(scenario(tmp_path, text)), "--backend", "local", "--seed", "1")
    assert ran.code == 3, ran.told()
    assert "no_traffic_on_fault" in ran.reason_codes, ran.told()


def test_nothing_was_examined(drill, tmp_path):
    made = scenario(tmp_path, HEAD + "load: {rate: 10/s, duration: 3s, mix: {read: 1}}\n")
    ran = drill(str(made), "--backend", "local", "--seed", "1")
    assert ran.code == 3, ran.told()
    assert "nothing_examined" in ran.reason_codes, ran.told()


INSTRUMENTS = {"psp": b"paydrill.psp", "toxiproxy": b"toxiproxy", "locust": b"locust"}


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_an_instrument_that_died_unplanned(drill, tmp_path, instrument):
    killer = threading.Thread(target=kill_when_loaded, args=(tmp_path / "reports", INSTRUMENTS[instrument]))
    killer.start()
    ran = drill(str(SHORT), "--backend", "local", "--seed", "1")
    killer.join()
    assert ran.code == 3, ran.told()
    assert "instrument_died" in ran.reason_codes, ran.told()
    assert any(instrument in reason["detail"] for reason in ran.verdict["reasons"]), ran.told()


def test_a_checker_that_crashed(drill):
    ran = drill(str(SHORT), "--backend", "local", "--seed", "1")
    assert ran.code == 0, ran.told()
    damaged = ran.folder / "evidence" / "op.parquet"
    damaged.write_bytes(damaged.read_bytes()[:200])
    done = subprocess.run(
        [Path(sys.executable).parent / "paydrill", "check", ran.folder, "--json"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    codes = {reason["code"] for reason in json.loads(done.stdout)["reasons"]}
    assert "checker_crashed" in codes, codes


def test_a_run_copied_elsewhere_gets_the_same_verdict(drill, tmp_path):
    ran = drill(str(SHORT), "--backend", "local", "--seed", "2")
    copy = tmp_path / "copy"
    shutil.copytree(ran.folder, copy)
    shutil.rmtree(copy / "evidence")
    done = subprocess.run(
        [Path(sys.executable).parent / "paydrill", "check", copy, "--json"], capture_output=True, text=True
    )
    assert done.returncode == ran.code, done.stderr
    again = json.loads(done.stdout)
    assert again["invariants"] == ran.verdict["invariants"]


def kill_when_loaded(out: Path, word: bytes) -> None:
    """Kill the run's process whose command line holds `word`, once the load has begun."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        timeline = out / "latest" / "timeline.jsonl"
        if timeline.exists() and b'"t0"' in timeline.read_bytes():
            break
        time.sleep(0.05)
    time.sleep(1.0)
    for pid in below(os.getpid()):
        if word in command_line(pid):
            os.kill(pid, signal.SIGKILL)


def below(root: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {root})


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
