"""A program with a clock of its own, stepped while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydrill.backends import fake_time, zones

TELLS = """
import sys, time
for line in sys.stdin:
    print(time.time(), time.monotonic(), flush=True)
"""


@pytest.fixture
def clock(tmp_path):
    """The file, and a function: how far the program's wall clock is ahead, and its monotonic one."""
    if lacks := fake_time.missing():
        pytest.skip(lacks)
    file = tmp_path / "clock"
    fake_time.write(file, fake_time.RIGHT)
    env = {"PATH": os.defpath, **fake_time.environment(str(file))}
    with subprocess.Popen(
        [sys.executable, "-I", "-c", TELLS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as process:

        def ahead() -> tuple[float, float]:
            process.stdin.write("\n")
            process.stdin.flush()
            wall, monotonic = map(float, process.stdout.readline().split())
            return wall - time.time(), monotonic - time.monotonic()

        yield file, ahead
        process.stdin.close()


@pytest.mark.parametrize("step_s", [90, -3600, 864000, -86400])
def test_a_wall_clock_is_stepped_at_run_time_and_put_right_and_the_monotonic_one_never_is(clock, step_s):
    file, ahead = clock
    for wanted in (0, step_s, 0):
        fake_time.write(file, wanted)
        wall, monotonic = ahead()
        assert abs(wall - wanted) < 2 and abs(monotonic) < 2


@given(step_s=st.integers(-(10**9), 10**9))
def test_a_step_is_written_whole_with_its_sign(tmp_path_factory, step_s):
    file = tmp_path_factory.mktemp("clock") / "clock"
    fake_time.write(file, step_s)
    text = file.read_text()
    assert int(text) == step_s and text[0] in "+-" and "e" not in text
    assert os.listdir(file.parent) == ["clock"]


def test_a_machine_without_the_library_says_what_installs_it(monkeypatch):
    monkeypatch.setattr(fake_time, "LIBRARY", "/nowhere/libfaketime.so.1")
    assert "apt-get install -y libfaketime" in fake_time.missing.__wrapped__()


def test_the_zone_of_a_process_is_what_it_was_executed_with():
    with subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, env={"PATH": os.defpath, "TZ": "Asia/Tokyo"}
    ) as process:
        while (found := zones.of_process(process.pid)) == os.environ.get("TZ", ""):
            time.sleep(0.001)  # it has been forked and not been executed yet
        process.stdin.close()
    assert found == "Asia/Tokyo"
    assert zones.of_process(2**22 + 1) is None


def test_only_postgresql_needs_more_than_the_variable():
    assert zones.arguments("postgres", "Asia/Tokyo") == ("-c", "timezone=Asia/Tokyo")
    assert zones.arguments("python", "Asia/Tokyo") == ()
