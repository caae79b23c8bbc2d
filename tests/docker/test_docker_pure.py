"""The parts of the docker backend that need no engine."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import IPv4Network
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from paydrill.backends import Address
from paydrill.backends.docker import DockerBackend, apt_sources, fence, owner, subnet, wheels
from paydrill.backends.docker.image_recipe import Recipe
from paydrill.backends.docker.run_files import PREFIX, RunFiles, User, remove_folder
from paydrill.errors import EnvironmentNotReady, UsageError

RECIPE = Recipe("target-x", ("nginx-light",), ("starlette>=0.45",), {"starlette": "1.0"}, {"tool": "ab" * 32})


def test_a_tag_changes_with_everything_that_is_in_the_image() -> None:
    others = [
        Recipe("target-x", ("nginx-full",), RECIPE.requirements, RECIPE.pins, RECIPE.programs),
        Recipe("target-x", RECIPE.packages, ("starlette>=0.46",), RECIPE.pins, RECIPE.programs),
        Recipe("target-x", RECIPE.packages, RECIPE.requirements, {"starlette": "1.1"}, RECIPE.programs),
        Recipe("target-x", RECIPE.packages, RECIPE.requirements, RECIPE.pins, {"tool": "cd" * 32}),
    ]
    tags = {recipe.reference() for recipe in (RECIPE, *others)} | {RECIPE.reference("another base")}
    assert len(tags) == 6
    assert RECIPE.reference() == Recipe(**vars(RECIPE)).reference()


def test_disks_of_its_own_without_root_are_refused_by_name_before_anything_is_made(monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    setup = SimpleNamespace(disks_of=("db-1",))
    with pytest.raises(EnvironmentNotReady, match="disk faults with Docker need root"):
        DockerBackend().launch(setup, lambda stack, stop: None)  # type: ignore[arg-type]


def test_a_run_avoids_networks_that_are_in_use() -> None:
    used = [IPv4Network("198.18.0.0/16"), IPv4Network("198.19.0.0/17"), IPv4Network("198.19.200.0/30")]
    first = list(islice(subnet.candidates("run", used), 100))
    assert all(block.prefixlen == 24 and not any(block.overlaps(u) for u in used) for block in first)
    assert all(block.subnet_of(IPv4Network("198.19.128.0/17")) for block in first)


def test_two_runs_look_in_different_orders() -> None:
    firsts = {next(subnet.candidates(f"run-{i}", [])) for i in range(20)}
    assert len(firsts) > 10


def test_where_the_first_choice_is_taken_others_are_tried() -> None:
    block = next(subnet.candidates("run", [subnet.FIRST_CHOICE]))
    assert not block.overlaps(subnet.FIRST_CHOICE)


def test_the_users_subnet_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYDRILL_SUBNET", "10.9.0.0/23")
    assert {str(block) for block in subnet.candidates("run", [])} == {"10.9.0.0/24", "10.9.1.0/24"}


@pytest.mark.parametrize("wrong", ["10.9.0.0/25", "10.9.0.1/23", "here"])
def test_a_wrong_subnet_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("PAYDRILL_SUBNET", wrong)
    with pytest.raises(UsageError, match=f"PAYDRILL_SUBNET={wrong}"):
        next(subnet.candidates("run", []))


def test_routes_are_read_without_the_default_one(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "br0\t000712C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    assert subnet.routed(table) == [IPv4Network("198.18.7.0/24")]


def test_a_fence_names_what_is_let_through_and_refuses_the_rest() -> None:
    text = fence.rules([Address("198.18.1.2", 20003)], [fence.Entry("198.18.1.1", 80)])
    assert "ip daddr 198.18.1.2 tcp dport 20003 accept" in text
    assert "ip saddr 198.18.1.1 tcp dport 80 accept" in text
    assert text.count("policy drop") == 2
    assert "accept" not in fence.closed().replace('"lo" accept', "").replace("established,related accept", "")


def test_an_owner_is_alive_until_it_ends() -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = owner.of_process(sleeper.pid)
    assert owner.is_alive(name)
    sleeper.kill()
    sleeper.wait()
    assert not owner.is_alive(name)


def test_a_reused_process_number_is_not_the_owner() -> None:
    pid, _, started = owner.of_process().partition(":")
    assert owner.is_alive(f"{pid}:{started}")
    assert not owner.is_alive(f"{pid}:{int(started) - 1}")
    assert not any(owner.is_alive(text) for text in ("", "x", f"{os.getpid()}", "1:x"))


def test_only_temporary_folders_of_runs_are_removed(tmp_path: Path) -> None:
    ours, other = tmp_path / f"{PREFIX}run-abc", tmp_path / "reports"
    for folder in (ours, other):
        (folder / "below").mkdir(parents=True)
        remove_folder(folder)
    link = tmp_path / f"{PREFIX}link"
    link.symlink_to(other)
    remove_folder(link)
    assert not ours.exists() and (other / "below").is_dir()


def test_the_machines_own_package_sources_are_used_and_foreign_ones_left_out(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(
        "Types: deb\n# http://old.example/debian\nURIs: http://mirror.example/debian\n"
        "Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /usr/share/keyrings/d.gpg\n\n"
        "Types: deb\nURIs: http://mirror.example/next\nSuites: trixie\nComponents: main\n\n"
        "Types: deb\nURIs: http://vendor.example\nSuites: bookworm\nComponents: stable\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://off.example\nSuites: bookworm\nComponents: main\n"
    )
    (tmp_path / "sources.list").write_text(
        "# a comment\ndeb [arch=amd64 signed-by=/k.gpg] http://other.example/security bookworm-security main # x\n"
        "deb-src http://other.example/debian bookworm main\n"
    )
    found = apt_sources.sources_of("bookworm", tmp_path)
    places = [line for line in found.splitlines() if line.startswith("URIs")]
    assert places == ["URIs: http://mirror.example/debian", "URIs: http://other.example/security"]
    assert "Signed-By: /k.gpg" in found and "Suites: bookworm-security" in found


def test_a_machine_without_debian_sources_has_none(tmp_path: Path) -> None:
    assert apt_sources.sources_of("bookworm", tmp_path) == ""


def test_requirements_are_read_without_comments_and_options(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("# libraries\n-r more.txt\nstarlette>=0.45  # web\n\nuvicorn[standard]\n")
    assert wheels.read_requirements(path) == ("starlette>=0.45", "uvicorn[standard]")


def test_libraries_get_the_versions_that_are_installed_here() -> None:
    import importlib.metadata

    found = wheels.versions_here(["aiohttp", "no-such-library", "orjson<0"], "3.11")
    assert found["aiohttp"] == importlib.metadata.version("aiohttp")
    assert "multidict" in found, "what a library needs is pinned too"
    assert not {"no-such-library", "orjson"} & set(found)


def test_a_requirement_that_is_none_is_said() -> None:
    with pytest.raises(EnvironmentNotReady, match=r"starlette>\*"):
        wheels.versions_here(["starlette>*"], "3.11")


def test_a_source_that_only_its_maker_may_read_is_copied_readable(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "app").mkdir(parents=True)
    (source / "app" / "web.py").write_text("x")
    (source / "app" / "__pycache__").mkdir()
    (source / "outside").symlink_to("/etc/shadow")
    for path in (source, source / "app"):
        path.chmod(0o700)
    (source / "app" / "web.py").chmod(0o600)
    files = RunFiles("r", tmp_path / "run", tmp_path / "logs", User.for_containers())
    copy = files.readable(source, "target")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (copy, copy / "app", copy / "app" / "web.py")}
    assert modes == {"target": 0o755, "app": 0o755, "web.py": 0o644}
    assert (copy / "outside").is_symlink(), "what a link leads to is not brought in"
    assert not (copy / "app" / "__pycache__").exists()
