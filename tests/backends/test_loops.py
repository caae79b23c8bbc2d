"""Disks on loop devices: made, frozen under a writer who then cannot die, thawed from outside, gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paydrill.backends import disks, loops, namespaces, processes
from paydrill.errors import EnvironmentNotReady

FROZEN_FOR_S = 0.5


@pytest.fixture
def device(tmp_path: Path) -> Iterator[str]:
    if os.geteuid() != 0:
        pytest.skip("loop devices need root")
    try:
        yield loops.make(tmp_path / "disks" / "db-1-wal.img")
    except EnvironmentNotReady as problem:
        pytest.skip(str(problem))
    finally:
        loops.remove(tmp_path)


def in_a_drill(device: str, mount: Path, do: Callable[[], None]) -> int:
    """The pid of a child in namespaces of its own that has the disk mounted and does that to it."""
    mount.mkdir(exist_ok=True)
    ready_r, ready_w = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            namespaces.unshare(namespaces.NEWNS)
            namespaces.make_mounts_private()
            namespaces.mount(device, str(mount), "ext4")
            do()
            os.write(ready_w, b"!")
            signal.pause()
        finally:
            os._exit(1)
    os.close(ready_w)
    assert os.read(ready_r, 1) == b"!"
    os.close(ready_r)
    return child


def end(child: int) -> int:
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def frozen_with_a_writer(mount: Path) -> None:
    disks.freeze(mount)
    assert disks.is_frozen(mount)
    if os.fork() == 0:
        (mount / "waits").write_text("for ever")
        os._exit(0)


def test_a_writer_to_a_frozen_disk_dies_once_it_is_thawed_from_outside(device: str, tmp_path: Path) -> None:
    child = in_a_drill(device, tmp_path / "m", lambda: frozen_with_a_writer(tmp_path / "m"))
    (writer,) = processes.children_of(child)
    give_up = time.monotonic() + 5
    while processes.stat(writer.pid).state != "D":  # type: ignore[union-attr]
        assert time.monotonic() < give_up
        time.sleep(0.01)
    os.kill(writer.pid, signal.SIGKILL)
    time.sleep(FROZEN_FOR_S)
    assert processes.is_running(writer.pid, writer.started)
    loops.thaw([device])
    give_up = time.monotonic() + 5
    while processes.is_running(writer.pid, writer.started):
        assert time.monotonic() < give_up
        time.sleep(0.01)
    end(child)


def test_a_disk_that_stayed_frozen_with_nobody_left_is_detached(device: str, tmp_path: Path) -> None:
    end(in_a_drill(device, tmp_path / "m", lambda: disks.freeze(tmp_path / "m")))
    assert loops.of_files_below(tmp_path) == [device]
    loops.remove(tmp_path)
    assert loops.of_files_below(tmp_path) == []
    assert device not in Path("/proc/mounts").read_text()


def test_a_power_cut_drops_what_was_not_flushed_and_fails_every_access(device: str, tmp_path: Path) -> None:
    mount, seen = tmp_path / "m", tmp_path / "seen"

    def cut() -> None:
        (mount / "flushed").write_text("here")
        namespaces.flush(str(mount))
        (mount / "not-flushed").write_text("gone")
        disks.cut_power(mount)
        seen.write_text(str(disks.is_dead(mount)))

    end(in_a_drill(device, mount, cut))
    assert seen.read_text() == "True"
    listed = tmp_path / "listed"
    end(in_a_drill(device, mount, lambda: listed.write_text(" ".join(os.listdir(mount))) and None))
    assert "flushed" in listed.read_text().split()
    assert "not-flushed" not in listed.read_text().split()


def test_devices_of_other_folders_are_left_alone(device: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert loops.of_files_below(other) == []
    loops.remove(other)
    assert loops.of_files_below(tmp_path) == [device]
    assert loops.of_files_below(Path(str(tmp_path)[:-1])) == []


def test_a_view_made_meanwhile_lets_go_of_a_disk_that_is_not_its_own(device, tmp_path):
    mount = tmp_path / loops.place("wal")
    loops.mount(device, mount)
    ready_r, ready_w = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            namespaces.unshare(namespaces.NEWNS)
            namespaces.make_mounts_private()
            loops.let_go_of_other_drills()
            os.write(ready_w, b"!")
            signal.pause()
        finally:
            os._exit(1)
    os.close(ready_w)
    try:
        assert os.read(ready_r, 1) == b"!"
        disks.cut_power(mount)
        loops.unmount(mount)
        loops.mount(device, mount)
        assert not disks.is_dead(mount), "the child has the old one"
        loops.unmount_below(tmp_path)
        loops.remove(tmp_path)
    finally:
        os.close(ready_r)
        end(child)
