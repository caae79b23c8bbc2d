"""Limits of writes in control groups of either version; trees of version 2 are recorded ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paydrill.backends import io_limit
from paydrill.errors import FaultNotApplied

HEAD = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
V1 = (
    "38 31 0:35 / {root} rw,relatime - cgroup cgroup rw,blkio\n",
    HEAD + "blkio\t7\t2\t1\n",
    "7:blkio:/\n0::/\n",
    {"operations": "blkio.throttle.write_iops_device", "bytes": "blkio.throttle.write_bps_device"},
)
V2 = (  # Debian 12, kernel 6.1
    "35 24 0:30 / {root} rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
    HEAD + "blkio\t0\t142\t1\n",
    "0::/user.slice/user-0.slice/session-4.scope\n",
    {"operations": "io.max", "bytes": "io.max"},
)
VERSIONS = pytest.mark.parametrize("recorded", [V1, V2], ids=["version 1", "version 2"])


def machine(folder: Path, recorded) -> tuple[Path, Path]:
    """Its /proc, and a group of its tree."""
    mountinfo, groups, own, files = recorded
    proc, group = folder / "proc", folder / "tree" / "paydrill-r1-db-1"
    (proc / "self").mkdir(parents=True)
    group.mkdir(parents=True)
    (proc / "self" / "mountinfo").write_text(mountinfo.format(root=folder / "tree"))
    (proc / "cgroups").write_text(groups)
    (proc / "self" / "cgroup").write_text(own)
    for name in files.values():
        (group / name).write_text("")
    return proc, group


@VERSIONS
@pytest.mark.parametrize("unit", ["operations", "bytes"])
def test_a_limit_is_set_read_back_and_taken_away_in_either_version(tmp_path, recorded, unit):
    proc, group = machine(tmp_path, recorded)
    assert io_limit.missing(proc) == ""
    tree = io_limit.tree(proc)
    assert tree.root == tree.home == group.parent
    io_limit.set_by_number(tree, group, "7:3", 50, unit)
    assert tree.knobs.read_write_limit((group / recorded[3][unit]).read_text(), "7:3", unit) == 50
    io_limit.set_by_number(tree, group, "7:3", 0, unit)
    assert tree.knobs.read_write_limit((group / recorded[3][unit]).read_text(), "7:3", unit) == 0


@VERSIONS
def test_a_group_without_the_controller_is_refused_with_what_it_needs(tmp_path, recorded):
    proc, group = machine(tmp_path, recorded)
    for name in set(recorded[3].values()):
        (group / name).unlink()
    with pytest.raises(FaultNotApplied, match=r"has no .*cgroup\.subtree_control has `io`"):
        io_limit.set_by_number(io_limit.tree(proc), group, "7:3", 50, "operations")


@VERSIONS
def test_a_limit_that_the_kernel_does_not_take_is_no_limit(tmp_path, recorded):
    proc, group = machine(tmp_path, recorded)
    file = group / recorded[3]["operations"]
    file.unlink()
    file.symlink_to(os.devnull)
    with pytest.raises(FaultNotApplied, match="50 operations/s was asked for, the kernel has 0"):
        io_limit.set_by_number(io_limit.tree(proc), group, "7:3", 50, "operations")


def test_a_machine_without_control_groups_says_so(tmp_path):
    assert "no control groups for block devices" in io_limit.missing(tmp_path)
    with pytest.raises(FaultNotApplied, match="no control groups"):
        io_limit.tree(tmp_path)
