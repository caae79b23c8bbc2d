""".ci/docker-engine.sh against stand-ins for `docker` and `dockerd`: no engine is touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "docker-engine.sh"


class Machine:
    """A PATH whose docker answers once `dockerd` has made the file `up`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.run_dir = folder / "run"
        for place in (self.bin, self.run_dir):
            place.mkdir()
        self.program("docker", f"[ -e {folder}/up ] && echo 1.2.3 || exit 1\n")
        self.program("dockerd", f'echo "started with $*"\ntouch {folder}/up\nsleep 2\n')
        for name in ("iptables", "mmdebstrap", "nft"):
            self.program(name, "exit 0\n")
        self.program("id", "echo 0\n")
        self.program("apt-get", f"echo $* >>{folder}/apt\n")
        self.program("apt-cache", "exit 1\n")

    def program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(0o755)

    def bring_up(self, **more: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "PAYDRILL_DOCKERD_LOG": str(self.folder / "log"),
            "PAYDRILL_DOCKERD_WAIT": "15",
            "PAYDRILL_DOCKER_RUN": str(self.run_dir),
            **more,
        }
        return subprocess.run(
            ["sh", SCRIPT], env=env, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_engine_that_answers_is_left_alone(machine: Machine) -> None:
    (machine.folder / "up").touch()
    done = machine.bring_up()
    assert done.returncode == 0 and "engine 1.2.3 answers" in done.stderr
    assert not (machine.folder / "log").exists()


def test_an_engine_is_started_and_waited_for(machine: Machine) -> None:
    done = machine.bring_up(PAYDRILL_DOCKERD_ARGS="--debug")
    assert done.returncode == 0 and "engine 1.2.3 answers" in done.stderr
    assert "started with --debug" in (machine.folder / "log").read_text()


def test_a_dead_engines_pid_file_is_removed(machine: Machine) -> None:
    pid_file = machine.run_dir / "docker.pid"
    pid_file.write_text(str(os.getpid()))  # a living process that is no dockerd
    done = machine.bring_up()
    assert done.returncode == 0 and f"removing {pid_file}" in done.stderr
    assert not pid_file.exists()


def test_an_engine_that_ends_is_explained_by_its_log(machine: Machine) -> None:
    machine.program("dockerd", "echo 'no cgroups here'\nexit 1\n")
    done = machine.bring_up()
    assert done.returncode == 1
    assert "dockerd ended at once" in done.stderr and "no cgroups here" in done.stderr


def test_an_engine_that_never_answers_is_given_up(machine: Machine) -> None:
    machine.program("dockerd", "echo stuck\nsleep 6\n")
    done = machine.bring_up(PAYDRILL_DOCKERD_WAIT="1")
    assert done.returncode == 1
    assert "did not answer within 1 s" in done.stderr and "stuck" in done.stderr


def test_what_is_absent_is_installed(machine: Machine) -> None:
    (machine.bin / "mmdebstrap").unlink()
    done = machine.bring_up(PATH=f"{machine.bin}:{_without_parts(machine)}")
    assert done.returncode == 0, done.stderr
    assert "install --no-install-recommends mmdebstrap" in (machine.folder / "apt").read_text()


def _without_parts(machine: Machine) -> Path:
    """Only the shell's own tools, so that this machine's mmdebstrap is not found."""
    tools = machine.folder / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "date", "sleep", "tail", "timeout", "touch", "rm", "setsid", "nohup"):
        found = next(Path(place, name) for place in ("/usr/bin", "/bin") if Path(place, name).exists())
        (tools / name).symlink_to(found)
    return tools
