"""The command as a real process: exit codes, streams, what it imports, how fast it says its help."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = (
    "pydantic",
    "aiohttp",
    "docker",
    "duckdb",
    "locust",
    "rich",
    "pyarrow",
    "jinja2",
    "orjson",
    "ruamel",
    "faker",
    "stripe",
)
LOADED = "import sys; from paydrill.cli import run_command; code = run_command(sys.argv[1:]); print(*sorted(m.split('.')[0] for m in sys.modules), file=sys.stderr)"


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), ("run", "--help"), ("list", "--help"), ("nonsense",)]
)
def test_help_imports_nothing_heavy(words):
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stderr.split())
    assert "click" in loaded
    assert not loaded & set(HEAVY)


def test_help_is_said_quickly(capsys):
    def measured(*argv: str) -> float:
        times = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run([sys.executable, *argv], stdout=subprocess.DEVNULL, check=True, timeout=60)
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    nothing, said = measured("-c", "pass"), measured("-m", "paydrill.cli", "--help")
    with capsys.disabled():
        print(
            f"\npaydrill --help {said * 1000:.0f} ms, python -c pass {nothing * 1000:.0f} ms: {said / nothing:.1f} times"
        )


def test_help_names_every_command_that_there_is(process):
    from paydrill.cli.group import COMMANDS

    ended = process("--help")
    assert ended.code == 0
    for name in COMMANDS:
        assert f"  {name} " in ended.out
        assert process(name, "--help").code == 0


def test_without_a_command_the_help_is_wrong_usage(process):
    assert process().code == 2


def test_data_goes_to_stdout_and_mistakes_to_stderr(process):
    good, bad = process("run", "steady", "--dry-run"), process("run", "stedy")
    assert (good.code, good.err) == (0, "") and good.out
    assert (bad.code, bad.out) == (2, "") and bad.err


def test_a_reader_that_leaves_is_no_error(tmp_path):
    """`paydrill list faults | true`"""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as out:
        done = subprocess.run([sys.executable, "-m", "paydrill.cli", "list", "faults"], stdout=out, stderr=subprocess.PIPE, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 141
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr


def test_an_error_of_paydrill_itself_is_exit_4_with_its_trace_in_a_file(tmp_path):
    script = (
        "import sys, paydrill.library as library\n"
        "from paydrill.cli import run_command\n"
        "def broken(*args): raise RuntimeError('a bug')\n"
        "library.scenario_path = broken\n"
        "sys.exit(run_command(['run', 'steady']))\n"
    )
    env = {**os.environ, "PAYDRILL_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 4
    assert "RuntimeError: a bug" in done.stderr and "Traceback" not in done.stderr
    assert str(tmp_path / "last-crash.log") in done.stderr
    assert "in broken" in (tmp_path / "last-crash.log").read_text()


def test_ctrl_c_is_exit_130(tmp_path):
    script = (
        "import sys, paydrill.library as library\n"
        "from paydrill.cli import run_command\n"
        "def stopped(*args): raise KeyboardInterrupt\n"
        "library.scenario_path = stopped\n"
        "sys.exit(run_command(['run', 'steady']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "paydrill: interrupted\n"


MISTAKES = {
    "a misspelt key": b"timelime: []\n",
    "a bad duration": b"timeline: [{at: soon, for: 1s, fault: timeout, edge: payments->psp}]\n",
    "duplicate keys": b"why: x\nwhy: y\n",
    "an anchor bomb": b"a: &a [x, x]\nb: &b [*a, *a]\n",
    "no UTF-8": b"why: \xff\n",
    "not in the topology": b"timeline: [{at: 1s, for: 1s, fault: kill, node: payments-9}]\n",
}


@pytest.mark.parametrize("line", MISTAKES.values(), ids=list(MISTAKES))
def test_a_bad_file_is_exit_2_and_nothing_has_been_started(process, tmp_path, line):
    path = tmp_path / "s.yaml"
    path.write_bytes(b"name: s\ntitle: t\nload: {rate: 1/s, duration: 9s, mix: {checkout: 1}}\n" + line)
    ended = process("run", str(path), "--out", str(tmp_path / "reports"))
    assert ended.code == 2
    assert ended.out == ""
    assert f"{path}:" in ended.err and "did you mean" in ended.err
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "patch",
    [
        "--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n",
        "--- a/target.yaml\n+++ b/target.yaml\n@@ -1 +1 @@\n-a\n+b\n",
    ],
)
def test_a_patch_that_leaves_the_target_or_does_not_apply_is_exit_2(process, tmp_path, patch):
    path = tmp_path / "bad.patch"
    path.write_text(patch)
    ended = process("run", "steady", "--mutant", str(path), "--out", str(tmp_path / "reports"))
    assert ended.code == 2
    assert str(path) in ended.err
    assert not (tmp_path / "reports").exists()


def test_commands_work_in_any_folder(process, tmp_path: Path):
    ended = process("run", "psp-response-lost", "--dry-run", cwd=tmp_path)
    assert ended.code == 0
    assert list(tmp_path.iterdir()) == []
