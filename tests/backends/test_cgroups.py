"""Control groups by version: found in what three kinds of machines say, and their knobs turned and read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydrill.backends.cgroups import CONTROLLERS, group_of, tree_of
from paydrill.backends.cgroups_v1 import Version1
from paydrill.backends.cgroups_v2 import Version2

HEAD = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
V1 = (
    """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio
""",
    HEAD + "cpu\t1\t2\t1\ncpuacct\t2\t2\t1\nblkio\t7\t2\t1\nmemory\t4\t54\t1\n",
    "7:blkio:/\n4:memory:/jobs/3843\n2:cpuacct:/\n1:cpu:/\n0::/\n",
)
V1_JOINED = (  # cpu and cpuacct in one tree, as systemd mounts them
    """\
30 24 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:16 - cgroup cgroup rw,cpu,cpuacct
36 30 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:19 - cgroup cgroup rw,memory
38 30 0:34 / /sys/fs/cgroup/blkio rw,nosuid shared:21 - cgroup cgroup rw,blkio
""",
    HEAD + "cpu\t5\t65\t1\ncpuacct\t5\t65\t1\nblkio\t8\t61\t1\nmemory\t6\t130\t1\n",
    "8:blkio:/user.slice\n6:memory:/user.slice/user-0.slice/session-4.scope\n5:cpu,cpuacct:/user.slice\n",
)
V2 = (
    "35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
    HEAD + "cpu\t0\t142\t1\nblkio\t0\t142\t1\nmemory\t0\t142\t1\n",
    "0::/user.slice/user-0.slice/session-4.scope\n",
)
HYBRID = (  # memory has gone over to version 2, the others have not
    """\
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
""",
    HEAD + "cpu\t1\t2\t1\nblkio\t7\t2\t1\nmemory\t0\t2\t1\n",
    "7:blkio:/\n1:cpu:/a\n0::/b\n",
)


@pytest.mark.parametrize(
    ("machine", "controller", "version", "root", "home"),
    [
        (V1, "cpu", Version1, "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu"),
        (V1, "io", Version1, "/sys/fs/cgroup/blkio", "/sys/fs/cgroup/blkio"),
        (V1, "memory", Version1, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/jobs/3843"),
        (V1_JOINED, "cpu", Version1, "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/user.slice"),
        (V2, "cpu", Version2, "/sys/fs/cgroup", "/sys/fs/cgroup"),
        (V2, "io", Version2, "/sys/fs/cgroup", "/sys/fs/cgroup"),
        (V2, "memory", Version2, "/sys/fs/cgroup", "/sys/fs/cgroup"),
        (HYBRID, "cpu", Version1, "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu/a"),
        (HYBRID, "memory", Version2, "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified"),
    ],
)
def test_a_controller_is_found_with_its_version_and_the_place_for_our_groups(
    machine, controller, version, root, home
):
    tree = tree_of(controller, *machine)
    assert tree is not None
    assert (type(tree.knobs), tree.root, tree.home) == (version, Path(root), Path(home))


@pytest.mark.parametrize("controller", CONTROLLERS)
@pytest.mark.parametrize(
    "machine",
    [("", "", ""), (V1[0], HEAD, V1[2]), ("", V1[1], V1[2]), ("", V2[1], V2[2])],
    ids=["nothing", "a kernel without", "version 1 not mounted", "version 2 not mounted"],
)
def test_a_controller_that_is_not_there_is_not_found(machine, controller):
    assert tree_of(controller, *machine) is None


def test_our_own_group_is_found_where_only_a_part_of_the_tree_is_shown():
    mountinfo = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    cgroups = HEAD + "memory\t4\t54\t1\n"
    inside = tree_of("memory", mountinfo, cgroups, "4:memory:/docker/abc/x\n")
    elsewhere = tree_of("memory", mountinfo, cgroups, "4:memory:/other\n")
    assert inside is not None and inside.home == Path("/sys/fs/cgroup/memory/x")
    assert elsewhere is not None and elsewhere.home == Path("/sys/fs/cgroup/memory")


@pytest.mark.parametrize(
    ("machine", "whose", "group"),
    [
        (V1, "4:memory:/docker/ab\n1:cpu:/\n", "/sys/fs/cgroup/memory/docker/ab"),
        (V2, "0::/system.slice/docker-ab.scope\n", "/sys/fs/cgroup/system.slice/docker-ab.scope"),
    ],
)
def test_the_group_of_another_process_is_found(machine, whose, group):
    tree = tree_of("memory", *machine)
    assert tree is not None
    assert group_of(tree, machine[0], machine[1], whose) == Path(group)


KNOBS = pytest.mark.parametrize("knobs", [Version1(), Version2()], ids=["v1", "v2"])


def written(pairs):
    """What the files of a group say after the writes, as the kernel keeps single values."""
    return dict(pairs)


@KNOBS
@given(share=st.none() | st.integers(1, 800).map(lambda n: n / 100))
def test_a_cpu_quota_reads_back_as_it_was_asked_for(knobs, share):
    assert knobs.read_cpu_quota(written(knobs.cpu_quota(share))[knobs.cpu_quota_file]) == share


@KNOBS
@given(pages=st.none() | st.integers(1, 1 << 30))
def test_a_memory_limit_reads_back_as_it_was_asked_for(knobs, pages):
    limit = None if pages is None else pages * 4096
    said = written(knobs.memory_limit(limit))[knobs.memory_limit_file]
    assert knobs.read_memory_limit("9223372036854771712" if said == "-1" else said) == limit


@KNOBS
def test_what_the_kernel_counts_is_read(knobs):
    assert knobs.read_throttled("nr_periods 40\nnr_throttled 31\nthrottled_time 12\n") == 31
    assert knobs.read_throttled("usage_usec 4\nnr_throttled 7\n") == 7
    assert knobs.read_oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n") == 2
    assert knobs.read_oom_kills("low 0\nhigh 0\nmax 9\noom 3\noom_kill 1\noom_group_kill 0\n") == 1
    assert knobs.read_oom_kills("") == 0


def test_cached_files_are_told_apart_from_what_a_group_needs():
    old = "cache 90\ninactive_file 1\nactive_file 1\ntotal_inactive_file 40\ntotal_active_file 2\n"
    assert Version1().read_cached(old) == 42
    assert Version2().read_cached("anon 9\nfile 90\ninactive_file 40\nactive_file 2\n") == 42


@pytest.mark.parametrize("unit", ["operations", "bytes"])
def test_a_limit_of_writes_is_one_line_a_device(unit):
    old, new = Version1(), Version2()
    file = {"operations": "blkio.throttle.write_iops_device", "bytes": "blkio.throttle.write_bps_device"}[
        unit
    ]
    assert old.write_limit("7:0", 50, unit) == ((file, "7:0 50"),)
    assert old.read_write_limit("7:1 20\n7:0 50\n", "7:0", unit) == 50
    assert old.read_write_limit("7:1 20\n", "7:0", unit) == 0
    word = {"operations": "wiops", "bytes": "wbps"}[unit]
    assert new.write_limit("7:0", 50, unit) == (("io.max", f"7:0 {word}=50"),)
    assert new.write_limit("7:0", 0, unit) == (("io.max", f"7:0 {word}=max"),)
    line = {"operations": "7:0 rbps=max wbps=max riops=max wiops=50\n", "bytes": "7:0 rbps=max wbps=50 riops=max wiops=max\n"}  # fmt: skip
    assert new.read_write_limit(line[unit], "7:0", unit) == 50
    assert new.read_write_limit("7:1 rbps=max wbps=9 riops=max wiops=9\n", "7:0", unit) == 0
