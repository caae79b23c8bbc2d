"""A real program's writes, made to fail and healed while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from paydrill.backends import failing_io

WRITES = """
import os, sys
for line in sys.stdin:
    try:
        os.write(2, b".")
        print("written", flush=True)
    except OSError as problem:
        os.writev(1, [f"errno {problem.errno}\\n".encode()])
"""


def test_what_is_to_be_loaded_by_two_is_loaded_both():
    clock = {"LD_PRELOAD": "/lib/clock.so", "CLOCK": "file"}
    found = failing_io.together({"PATH": "/bin"}, failing_io.environment("/tmp/p"), clock)
    assert found["LD_PRELOAD"] == ":".join([*failing_io.LIBRARIES, "/lib/clock.so"])
    assert (found["PATH"], found["CLOCK"], found["FIU_CTRL_FIFO"]) == ("/bin", "file", "/tmp/p")
    assert failing_io.together({"PATH": "/bin"}) == {"PATH": "/bin"}


@pytest.fixture
def program(tmp_path):
    """Asks it for one more write; and tells it."""
    if lacks := failing_io.missing():
        pytest.skip(lacks)
    prefix = f"{tmp_path}/fiu"
    env = {"PATH": os.defpath, **failing_io.environment(prefix)}
    with subprocess.Popen(
        [sys.executable, "-I", "-c", WRITES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=env,
    ) as process:
        give_up = time.monotonic() + 10
        while not os.path.exists(f"{prefix}-{process.pid}.out"):
            assert time.monotonic() < give_up
            time.sleep(0.01)

        def write() -> str:
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        def tell(*commands: str) -> int:
            argv = [sys.executable, "-c", failing_io.TELL, prefix, *commands]
            return int(subprocess.run(argv, capture_output=True, check=True, timeout=20).stdout)

        yield write, tell
        process.stdin.close()


def test_a_running_programs_writes_fail_until_it_is_told_otherwise(program):
    write, tell = program
    assert [write() for _ in range(20)] == ["written"] * 20
    only_write = [line for line in failing_io.begin("write", 1.0) if "rw/write," in line]
    assert tell(*only_write) == 1
    assert [write() for _ in range(5)] == [f"errno {failing_io.EIO}"] * 5
    assert tell(*failing_io.end("write")) == 1
    assert [write() for _ in range(20)] == ["written"] * 20


def test_a_program_without_it_is_not_told(tmp_path):
    argv = [sys.executable, "-c", failing_io.TELL, f"{tmp_path}/fiu", *failing_io.end("read")]
    assert subprocess.run(argv, capture_output=True, check=True).stdout.strip() == b"0"
