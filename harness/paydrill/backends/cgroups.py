"""Control groups of the kernel: which version a controller is of, where it is, and how its knobs are turned.

Pure, so that a version that this machine has not can be tried by what was recorded elsewhere. Version 1
has a tree for each controller, version 2 one tree for all; a machine may have some of either (hybrid).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from paydrill.backends.cgroups_v1 import Version1
from paydrill.backends.cgroups_v2 import Version2

if TYPE_CHECKING:
    from paydrill.backends import WriteUnit

Controller = Literal["cpu", "memory", "io"]
CONTROLLERS: tuple[Controller, ...] = ("cpu", "memory", "io")
MEMBERS = "cgroup.procs"
# Version 1 has another name for it; /proc/cgroups has that name in either version.
_NAME_V1: Mapping[Controller, str] = {"cpu": "cpu", "memory": "memory", "io": "blkio"}


class Knobs(Protocol):
    """How one version's files are written and read.

    A pair is (file of the group, text to write). None means no limit. Readers get the file's whole text.
    """

    @property
    def cpu_quota_file(self) -> str: ...

    def cpu_quota(self, share: float | None) -> Sequence[tuple[str, str]]:
        """`share` of one CPU, 0.01 to any number."""
        ...

    def read_cpu_quota(self, text: str) -> float | None: ...

    @property
    def cpu_stat_file(self) -> str: ...

    def read_throttled(self, text: str) -> int:
        """In how many periods the group was held back."""
        ...

    @property
    def memory_limit_file(self) -> str: ...

    @property
    def memory_used_file(self) -> str:
        """Bytes that the group has now, cached files among them."""
        ...

    @property
    def memory_stat_file(self) -> str: ...

    def read_cached(self, text: str) -> int:
        """Bytes of files that the kernel holds for the group, and takes back before it kills anybody."""
        ...

    def memory_limit(self, limit_bytes: int | None) -> Sequence[tuple[str, str]]: ...

    def read_memory_limit(self, text: str) -> int | None: ...

    @property
    def oom_file(self) -> str: ...

    def read_oom_kills(self, text: str) -> int:
        """How many of the group's processes the kernel has killed for want of memory."""
        ...

    def write_limit_file(self, unit: WriteUnit) -> str: ...

    def write_limit(self, device: str, per_s: int, unit: WriteUnit) -> Sequence[tuple[str, str]]:
        """`device` is MAJOR:MINOR, 0 means no limit."""
        ...

    def read_write_limit(self, text: str, device: str, unit: WriteUnit) -> int: ...


@dataclass(frozen=True)
class Tree:
    """Where one controller's groups are. `home`: the folder in which groups of ours are made."""

    controller: Controller
    knobs: Knobs
    root: Path
    home: Path


def tree_of(controller: Controller, mountinfo: str, cgroups: str, own: str) -> Tree | None:
    """From /proc/self/mountinfo, /proc/cgroups and /proc/self/cgroup; None where the kernel does not have it.

    Of version 1 our groups are made in our own, so that limits that were put on us go on holding. Of version 2
    they cannot be: a group with processes in it has no limited ones below, so they are made in the root.
    """
    name = _NAME_V1[controller]
    hierarchies = {words[0]: words[1] for line in cgroups.splitlines() if len(words := line.split()) == 4}
    if name not in hierarchies:
        return None
    for mount in _mounts(mountinfo):
        if mount.kind == "cgroup" and name in mount.options:
            own_path = _own_path(own, hierarchies[name])
            return Tree(controller, Version1(), mount.place, _below(mount, own_path))
    unified = next((mount for mount in _mounts(mountinfo) if mount.kind == "cgroup2"), None)
    if unified is None or hierarchies[name] != "0":
        return None
    return Tree(controller, Version2(), unified.place, unified.place)


def group_of(tree: Tree, mountinfo: str, cgroups: str, whose: str) -> Path:
    """The folder of the group that a process is in. `whose` is its /proc/<pid>/cgroup."""
    hierarchies = {words[0]: words[1] for line in cgroups.splitlines() if len(words := line.split()) == 4}
    number = hierarchies.get(_NAME_V1[tree.controller], "0")
    mount = next(mount for mount in _mounts(mountinfo) if mount.place == tree.root)
    return _below(mount, _own_path(whose, number))


@dataclass(frozen=True)
class _Mount:
    """One line of mountinfo. `shown`: which folder of the tree is seen there."""

    shown: str
    place: Path
    kind: str
    options: tuple[str, ...]


def _mounts(mountinfo: str) -> list[_Mount]:
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        words, kind = before.split(), after.split()
        if len(words) >= 6 and len(kind) >= 3 and kind[0] in ("cgroup", "cgroup2"):
            found.append(_Mount(words[3], Path(words[4]), kind[0], tuple(kind[2].split(","))))
    return found


def _own_path(own: str, hierarchy: str) -> str:
    """The third field of the line of that hierarchy: `4:memory:/user/1`; `/` where there is none."""
    lines = [line.split(":", 2) for line in own.splitlines()]
    return next((words[2] for words in lines if len(words) == 3 and words[0] == hierarchy), "/")


def _below(mount: _Mount, path: str) -> Path:
    """Where a group of the tree is seen; one that is not below what is shown counts as the top."""
    try:
        return mount.place / Path(path).relative_to(mount.shown)
    except ValueError:
        return mount.place
