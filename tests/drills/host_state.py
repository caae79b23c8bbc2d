"""What a machine has besides its processes, and what a run changed of it for good.

`HostState.now()` before a run, `changed_since(before, run_id)` after it: a phrase for everything that is not as
it was. What belongs to other drills that run beside it is left out, by their names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SETTLES_WITHIN_S = 10.0
CLOCK_STEP_S = 0.5
ACCOUNTS = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid", "hosts", "resolv.conf")
# Sysctls that change by themselves, and those of single interfaces, which come and go with them.
VOLATILE = re.compile(
    r"/proc/sys/(fs/(aio-nr|dentry-state|file-nr|inode-(nr|state)|quota/)"
    r"|kernel/(ns_last_pid|pty/nr|random/|sched_domain/|perf_event_max_sample_rate)"
    r"|net/netfilter/nf_conntrack_count|net/ipv[46]/(conf|neigh)/(?!all/|default/)|net/mpls/conf/)"
)
COUNTERS = re.compile(r"counter packets \d+ bytes \d+|expires \d+sec| linkdown\b|# handle \d+")
# A container's file system, namespace and cable: a container of a drill is looked for by its label.
OF_CONTAINERS = re.compile(r" /(var/lib/docker|run/docker/netns|var/run/docker/netns)/|\bveth[0-9a-f]+\b")
RUN_OF_PATH = re.compile(r"/([^/\s]+)/\.work\b")


@dataclass(frozen=True)
class HostState:
    """`lines` by what they tell of; `others` are words that only other drills' lines have."""

    lines: dict[str, frozenset[str]]
    others: frozenset[str]
    clock_s: float

    @classmethod
    def now(cls, run_id: str = "") -> HostState:
        """`run_id`: the drill whose own things are never another's."""
        lines = {
            what: frozenset(line for line in read() if not OF_CONTAINERS.search(line))
            for what, read in SOURCES.items()
        }
        return cls(lines, frozenset(names_of_others(lines, run_id)), time.time() - time.monotonic())

    def changes(self, before: HostState) -> list[str]:
        others = self.others | before.others
        found = []
        for what, lines in self.lines.items():
            for sign, some in (("new", lines - before.lines[what]), ("gone", before.lines[what] - lines)):
                mine = (line for line in sorted(some) if not any(word in line for word in others))
                found += [f"{what}, {sign}: {line[:200]}" for line in mine]
        if abs(self.clock_s - before.clock_s) > CLOCK_STEP_S:
            found.append(f"the clock was stepped by {self.clock_s - before.clock_s:.1f} s")
        return found


def changed_since(before: HostState, run_id: str = "", within_s: float = SETTLES_WITHIN_S) -> list[str]:
    """What is still different after that time: what others do beside us comes and goes."""
    give_up = time.monotonic() + within_s
    while (found := HostState.now(run_id).changes(before)) and time.monotonic() < give_up:
        time.sleep(0.25)
    return found


def names_of_others(lines: dict[str, frozenset[str]], run_id: str) -> Iterator[str]:
    """Run ids, bridges and virtual cables of drills that are not ours."""
    for line in lines["loop devices"] | lines["mounts"]:
        yield from (one for one in RUN_OF_PATH.findall(line) if one != run_id)
    for line in lines["cgroups"]:
        name = line.rpartition("/")[2]
        if not run_id or run_id not in name:
            yield name
    for network in _docker("network", "ls", "--no-trunc", "--format", "{{json .}}"):
        one = json.loads(network)
        label = re.search(r"io\.paydrill\.run=([^,]+)", one.get("Labels", ""))
        if label and label[1] != run_id:
            bridge = f"br-{one['ID'][:12]}"
            yield from (label[1], bridge, one["Name"])
            yield from (path.name for path in Path(f"/sys/class/net/{bridge}/brif").glob("*"))


def _mounts() -> Iterator[str]:
    """Without their numbers, which are given anew to whatever is mounted next."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        yield " ".join(line.split()[2:])


def _loop_devices() -> Iterator[str]:
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        if text := _text(path):
            yield f"{path.parts[3]} {text.strip()}"


def _cgroups() -> Iterator[str]:
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        yield from (f"{folder}/{name}" for name in names if "paydrill" in name)


def _routes() -> Iterator[str]:
    if shutil.which("ip") is None:
        yield from (
            " ".join(line.split()[:4]) for line in (_text(Path("/proc/net/route")) or "").splitlines()
        )
        return
    for family in ("-4", "-6"):
        yield from (f"{family} {line}" for line in _said("ip", family, "route", "show", "table", "all"))
        yield from (f"{family} rule {line}" for line in _said("ip", family, "rule"))


def _interfaces() -> Iterator[str]:
    yield from (path.name for path in Path("/sys/class/net").glob("*"))


def _named_network_namespaces() -> Iterator[str]:
    yield from (path.name for path in Path("/run/netns").glob("*"))


def _firewall() -> Iterator[str]:
    """Needs root; without it a run cannot change it either."""
    yield from _said("nft", "list", "ruleset")


def _accounts() -> Iterator[str]:
    for name in ACCOUNTS:
        path = Path("/etc", name)
        yield from (
            f"{name}: {line.partition(':')[0]} {hash(line)}" for line in (_text(path) or "").splitlines()
        )
        if path.exists():
            stat = path.stat()
            yield f"{name}: mode {stat.st_mode:o} of {stat.st_uid}:{stat.st_gid}"


def _sysctls() -> Iterator[str]:
    for folder, _, names in os.walk("/proc/sys"):
        for name in names:
            path = f"{folder}/{name}"
            if not VOLATILE.match(path) and os.access(path, os.R_OK) and (text := _text(Path(path))):
                yield f"{path} = {text.strip()}"


SOURCES = {
    "mounts": _mounts,
    "loop devices": _loop_devices,
    "cgroups": _cgroups,
    "routes": _routes,
    "interfaces": _interfaces,
    "network namespaces": _named_network_namespaces,
    "firewall": _firewall,
    "accounts": _accounts,
    "sysctls": _sysctls,
}


def _docker(*arguments: str) -> list[str]:
    return _said("docker", *arguments) if shutil.which("docker") else []


def _said(*command: str) -> list[str]:
    """Its lines without counters and leases that run out."""
    if shutil.which(command[0]) is None:
        return []
    done = subprocess.run(command, capture_output=True, text=True)
    return [COUNTERS.sub("", line).strip() for line in done.stdout.splitlines()]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None
