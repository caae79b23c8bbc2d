"""Every fault on a real stack of each backend that it claims: seen while on, gone after, whatever happens.

`make test` tries the first of each family and another one each day; `-m exhaustive` all the others.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import host_state
import live
import process_tree
import pytest
import shop_by_hand

from paydrill import faults
from paydrill.backends import processes

HERE = Path(__file__).parent
BACKENDS = ("local", "docker", "attached")
GONE_WITHIN_S = 10.0
STOPPED_WITHIN_S = 5.0


def params(today: dict[str, set[str]]) -> list[object]:
    """(backend, case); those that are not for today only in `-m exhaustive`."""
    return [
        pytest.param(
            backend,
            case,
            marks=[
                *([pytest.mark.docker] if backend == "docker" else []),
                *([] if case in today[backend] else [pytest.mark.exhaustive]),
            ],
        )
        for backend in BACKENDS
        for case in live.cases()
        if live.can_be_tried(case, backend)
    ]


NAMES = list(faults.known())
OUTSIDE = [name for name in NAMES if live.can_be_tried(name, "attached")]
TODAY = {"local": live.of_today(NAMES), "docker": live.of_today(NAMES), "attached": live.of_today(OUTSIDE)}
# Each of these brings a stack up for itself alone.
ENDED_TODAY = {
    "local": live.of_today(NAMES),
    "docker": {live.one_of_today(NAMES)},
    "attached": {live.one_of_today(OUTSIDE)},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """For the attached backend: a stack that is not the harness's, and outlives it."""
    if taken := shop_by_hand.port_in_use():
        pytest.skip(f"something of somebody else's listens on port {taken} of this machine")
    with shop_by_hand.started(tmp_path_factory.mktemp("shop")) as process:
        yield process


@pytest.fixture
def backend(request):
    name = request.param
    if name == "attached":
        request.getfixturevalue("shop")
    if lacks := live.backend_of(name).missing():
        if name == "docker" and os.environ.get("PAYDRILL_REQUIRE_DOCKER") == "1":
            pytest.fail(f"PAYDRILL_REQUIRE_DOCKER=1, but: {lacks}")
        pytest.skip("; ".join(lacks))
    return name


@pytest.fixture(autouse=True)
def host_as_before():
    """Whatever a test puts in force, the host's mounts, devices, routes, users and settings stay as they are."""
    before = host_state.HostState.now()
    yield
    assert host_state.changed_since(before) == []


@pytest.fixture(scope="module")
def stacks():
    """Results by case for each backend and kind of stack, filled as they are asked for."""
    return {}


@pytest.fixture
def healed(request, backend, case, stacks, tmp_path_factory):
    """One stack a backend and kind, for all cases that this session asks for."""
    which = backend, live.kind_of(case, backend)
    if which not in stacks:
        params = [item.callspec.params for item in request.session.items if item.originalname == request.function.__name__]  # fmt: skip
        asked = [(one["backend"], one["case"]) for one in params]
        wanted = [name for place, name in asked if (place, live.kind_of(name, place)) == which]
        wanted = [case for case in wanted if not live.lacking(backend, case)]
        stacks[which] = results_of(backend, wanted, tmp_path_factory.mktemp("-".join(which)))
    return stacks[which]


def results_of(backend, wanted, folder):
    setup = live.setup_for(wanted, folder, backend)
    with live.backend_of(backend).launch(setup, live.conduct(wanted, backend)) as world:
        outcome = world.wait(30 + 30 * len(wanted))
    results = setup.run_dir / live.RESULTS
    log = (setup.run_dir / "logs" / "conductor.log").read_text()
    if not results.exists():
        pytest.fail(f"{backend} did not come up: {outcome}\n{log[-3000:]}")
    print(log)
    return json.loads(results.read_text())


@pytest.mark.parametrize(("backend", "case"), params(TODAY), indirect=["backend"])
def test_a_fault_is_seen_and_healed_and_leaves_nothing(healed, backend, case):
    if lacks := live.lacking(backend, case):
        pytest.skip(lacks)
    assert case in healed, "the conductor did not get that far"
    result = healed[case]
    assert not result["error"], result["error"]
    assert result["witnessed"], result["detail"]
    assert result["left"] == []


@pytest.fixture
def harness(tmp_path, backend, case):
    """A harness of its own, with the case in force."""
    if lacks := live.lacking(backend, case):
        pytest.skip(lacks)
    paths = [str(HERE), str(HERE.parent / "backends"), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    log = (tmp_path / "harness.log").open("w")
    process = subprocess.Popen(
        [sys.executable, str(HERE / "live.py"), str(tmp_path), backend, case],
        env=env,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        give_up = time.monotonic() + 60
        while not list(tmp_path.glob(f"run-*/{live.IN_FORCE}")):
            assert process.poll() is None, told(tmp_path)
            assert time.monotonic() < give_up, told(tmp_path)
            time.sleep(0.01)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        log.close()


def told(folder: Path) -> str:
    logs = [folder / "harness.log", *folder.glob("run-*/logs/conductor.log")]
    return "\n".join(log.read_text()[-2500:] for log in logs)


def nothing_left(folder: Path, seen: set[tuple[int, str]], within_s: float) -> None:
    run = next(folder.glob("run-*"))
    waited_s, left = process_tree.wait_until_gone(seen, run.name, within_s)
    assert not left, f"left after {waited_s:.1f} s: {left}\n{told(folder)}"
    assert not (run / ".work").exists()


@pytest.mark.parametrize(("backend", "case"), params(ENDED_TODAY), indirect=["backend"])
def test_the_harness_killed_while_it_is_on_leaves_nothing(harness, tmp_path, backend, case):
    seen = process_tree.descendants(harness.pid)
    harness.kill()
    harness.wait()
    nothing_left(tmp_path, seen, GONE_WITHIN_S)
    assert not list(tmp_path.glob(f"run-*/{live.HEALED}"))


@pytest.mark.parametrize(("backend", "case"), params(ENDED_TODAY), indirect=["backend"])
def test_sigterm_while_it_is_on_heals_and_ends_within_seconds(harness, tmp_path, backend, case):
    seen = process_tree.descendants(harness.pid)
    began = time.monotonic()
    harness.send_signal(signal.SIGTERM)
    assert harness.wait(30) == 0
    took_s = time.monotonic() - began
    assert list(tmp_path.glob(f"run-*/{live.HEALED}")), told(tmp_path)
    assert took_s <= STOPPED_WITHIN_S, f"{took_s:.1f} s"
    nothing_left(tmp_path, seen, 1.0)


FROZEN = pytest.mark.parametrize(
    ("backend", "case"),
    [("local", "disk_hang"), pytest.param("docker", "disk_hang", marks=pytest.mark.docker)],
    indirect=["backend"],
)


@FROZEN
def test_a_frozen_disk_does_not_outlive_its_watchdog(harness, tmp_path, backend, case):
    seen = process_tree.descendants(harness.pid)
    (watchdog,) = processes.children_of(harness.pid)
    os.kill(watchdog.pid, signal.SIGKILL)
    harness.wait(30)
    nothing_left(tmp_path, seen, GONE_WITHIN_S)


@FROZEN
def test_a_frozen_disk_whose_harness_and_watchdog_are_dead_is_cleaned(harness, tmp_path, backend, case):
    cleaned_by_somebody_else(harness, tmp_path, backend)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("backend", "case"), [("local", "cpu_quota"), ("local", "memory_limit")], indirect=["backend"]
)
def test_a_limit_whose_harness_and_watchdog_are_dead_is_cleaned(harness, tmp_path, backend, case):
    """The groups of the kernel that it stands on outlive all processes."""
    cleaned_by_somebody_else(harness, tmp_path, backend)


def cleaned_by_somebody_else(harness, tmp_path, backend):
    seen = process_tree.descendants(harness.pid)
    (watchdog,) = processes.children_of(harness.pid)
    harness.kill()
    os.kill(watchdog.pid, signal.SIGKILL)
    harness.wait()
    run = next(tmp_path.glob("run-*"))
    # The conductor notices within moments that it is alone; while it lives, the run is not a dead one.
    give_up = time.monotonic() + GONE_WITHIN_S
    while not any(run.name in line for line in live.cleaned(backend)):
        assert time.monotonic() < give_up, "nothing of the run was cleaned"
        time.sleep(0.05)
    nothing_left(tmp_path, seen, 1.0)


def test_every_fault_is_tried_on_some_day_and_each_family_every_day():
    days = [live.of_today(NAMES, day) for day in range(len(NAMES))]
    assert set().union(*days) == set(NAMES)
    families = {fault.family for fault in faults.known().values()}
    assert all({faults.known()[name].family for name in day} == families for day in days)
    assert {live.one_of_today(NAMES, day) for day in range(len(NAMES))} == set(NAMES)
