"""What a run has on the machine: its processes, mounts, temporary folders and containers."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path


def descendants(pid: int) -> set[tuple[int, str]]:
    """(pid, start time) of every process below `pid`, itself included."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            parents[int(entry.name)] = (int(stat[1]), stat[19])
    found = {pid} if pid in parents else set()
    while True:
        more = {child for child, (parent, _) in parents.items() if parent in found} - found
        if not more:
            return {(one, parents[one][1]) for one in found}
        found |= more


def alive(processes: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those of them that still run (a zombie does not)."""
    return {(pid, start) for pid, start in processes if (s := _stat(pid)) and s[19] == start and s[0] != "Z"}


def leftovers(run_id: str) -> list[str]:
    """Mounts, loop devices, cgroups, temporary folders, containers and networks that name the run."""
    found = [
        f"mount: {line}" for line in Path("/proc/self/mountinfo").read_text().splitlines() if run_id in line
    ]
    temporary = Path(os.environ.get("TMPDIR", "/tmp"))
    found += [f"folder: {path}" for path in temporary.glob(f"*{run_id}*")]
    for device in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            found += [f"loop device: {device}"] if run_id in device.read_text() else []
    # Some are made below the group that the harness is in.
    groups = (folder for folder, _, _ in os.walk("/sys/fs/cgroup"))
    found += [f"cgroup: {folder}" for folder in groups if run_id in os.path.basename(folder)]
    if shutil.which("docker"):
        for kind in ("container", "network"):
            command = ["docker", kind, "ls", "-q", "--filter", f"label=io.paydrill.run={run_id}"]
            command += ["-a"] if kind == "container" else []
            found += [
                f"{kind}: {one}"
                for one in subprocess.run(command, capture_output=True, text=True).stdout.split()
            ]
    return found


def wait_until_gone(processes: set[tuple[int, str]], run_id: str, within_s: float) -> tuple[float, list[str]]:
    """Seconds until nothing was left, and what was left at the end of the time."""
    began = time.monotonic()
    while True:
        left = [f"process {pid}: {_cmdline(pid)}" for pid, _ in alive(processes)] + leftovers(run_id)
        waited_s = time.monotonic() - began
        if not left or waited_s > within_s:
            return waited_s, left
        time.sleep(0.05)


def _cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:120]
    except OSError:
        return "?"


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat after the name: state, ppid, …"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
