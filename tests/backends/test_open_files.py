"""Open files of another process: none more than it has, and given back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from paydrill.backends import open_files

OPENS = """
import sys
from pathlib import Path
for line in sys.stdin:
    try:
        open("/dev/null").close()
        print("opened", flush=True)
    except OSError as problem:
        print(problem.errno, flush=True)
"""


@pytest.fixture(params=["ours", "another user's"])
def opener(request):
    """A process that opens a file for each line that it is given, and says how it went."""
    if request.param != "ours" and os.geteuid() != 0:
        pytest.skip("only root can start somebody else's process")
    # Ours may be in a home that other users cannot enter.
    python = shutil.which("python3", path=os.defpath) if request.param != "ours" else sys.executable
    if python is None:
        pytest.skip("the system has no python3")
    uid = None if request.param == "ours" else 60001
    with subprocess.Popen(
        [python, "-I", "-S", "-c", OPENS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
        cwd="/",
    ) as process:
        yield process
        process.stdin.close()


def asked(process) -> str:
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def limits(process) -> list[str]:
    """Soft and hard; to ask for another user's takes a right that root may not have."""
    lines = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
    return next(line.split()[3:5] for line in lines if line.startswith("Max open files"))


def test_a_process_can_open_nothing_more_until_it_is_given_back(opener):
    assert asked(opener) == "opened"
    as_before = limits(opener)
    before = open_files.exhaust([opener.pid])
    assert asked(opener) == "24"
    assert before == {opener.pid: int(as_before[0])}
    open_files.give_back([opener.pid], before)
    assert asked(opener) == "opened"
    assert limits(opener) == as_before


def test_a_process_that_was_made_meanwhile_gets_what_the_others_had(opener):
    assert asked(opener) == "opened"
    (soft,) = open_files.exhaust([opener.pid]).values()
    open_files.give_back([opener.pid], {2**22 + 1: soft})
    assert asked(opener) == "opened"


def test_a_process_that_has_ended_is_left_out():
    assert open_files.exhaust([2**22 + 1]) == {}
    open_files.give_back([2**22 + 1], {2**22 + 1: 1024})
