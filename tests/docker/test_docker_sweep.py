"""Nothing of a run is left, however it ended."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from paydrill.backends import Stack, StackSetup
from paydrill.backends.docker import DockerBackend, engine, images, labels, network, owner, up
from paydrill.backends.docker.run_files import PREFIX
from paydrill.backends.docker.sweep import sweep
from paydrill.errors import NotReady

pytestmark = pytest.mark.docker

ThingsOf = Callable[[str], list[str]]
MakeSetup = Callable[[], StackSetup]


def folders_of(run_id: str) -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{PREFIX}{run_id}-*"))


def wait_until(true: Callable[[], bool], within_s: float) -> bool:
    give_up = time.monotonic() + within_s
    while not true():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


def work_for_ever(ready: Path, stack: Stack, stop: Callable[[], bool]) -> None:
    """A conductor that says when the stack is up, pauses a node, and then does nothing."""
    stack.pause(stack.topology.node("web-2"))
    ready.touch()
    while not stop():
        time.sleep(0.05)


def fork_harness(setup: StackSetup, ready: Path) -> int:
    """A harness in a process of its own: its pid."""
    engine.forget()
    pid = os.fork()
    if pid == 0:
        try:
            with DockerBackend().launch(setup, partial(work_for_ever, ready)) as world:
                while world.wait(1) is None:
                    pass
        finally:
            os._exit(0)
    return pid


@pytest.mark.parametrize("moment", ["starting", "up"])
def test_nothing_is_left_when_the_harness_is_killed(
    tiny_images: images.Images, make_setup: MakeSetup, things_of: ThingsOf, tmp_path: Path, moment: str
) -> None:
    setup, ready = make_setup(), tmp_path / "ready"
    harness = fork_harness(setup, ready)
    try:
        begun = (lambda: len(things_of(setup.run_id)) > 2) if moment == "starting" else ready.exists
        assert wait_until(begun, 60)
    finally:
        os.kill(harness, signal.SIGKILL)
        os.waitpid(harness, 0)
    gone = wait_until(lambda: not things_of(setup.run_id) and not folders_of(setup.run_id), 10)
    assert gone, (things_of(setup.run_id), folders_of(setup.run_id))
    # The engine may still be carrying out what the dead had asked for.
    assert not wait_until(lambda: bool(things_of(setup.run_id)), 2)


def test_leaving_a_world_leaves_nothing(
    tiny_images: images.Images, make_setup: MakeSetup, things_of: ThingsOf
) -> None:
    setup = make_setup()

    def conduct(stack: Stack, stop: Callable[[], bool]) -> None:
        assert things_of(setup.run_id)
        (setup.run_dir / "seen").write_text(stack.toxiproxy.version())

    with DockerBackend().launch(setup, conduct) as world:
        outcome = world.wait(60)
    assert outcome is not None and (outcome.code, outcome.signal) == (0, None), outcome
    assert (setup.run_dir / "seen").read_text()
    assert things_of(setup.run_id) == [] and folders_of(setup.run_id) == []
    assert (setup.run_dir / "psp" / "journal.jsonl").stat().st_uid == os.getuid()
    assert {"lb-1.log", "psp.log", "toxiproxy.log", "web-1.log", "db-1.log"} <= {
        path.name for path in (setup.run_dir / "logs").iterdir()
    }


def test_a_node_that_ends_at_once_is_said_with_its_log_and_nothing_is_left(
    tiny_images: images.Images, make_setup: MakeSetup, things_of: ThingsOf, tmp_path: Path
) -> None:
    setup = make_setup()
    (tmp_path / "web.py").write_text("raise SystemExit('I cannot')")
    (tmp_path / "sql").symlink_to(setup.source / "sql")
    (tmp_path / "nginx.conf.j2").write_text((setup.source / "nginx.conf.j2").read_text())
    broken = StackSetup(**{**vars(setup), "source": tmp_path})
    said = r"web-[12]: it ended with exit code 1;.*\n.*I cannot"
    with pytest.raises(NotReady, match=said), up.running(broken, tiny_images):
        pass
    assert things_of(setup.run_id) == [] and folders_of(setup.run_id) == []


def leave_a_network(run_id: str, held_by: str) -> str:
    network.create(engine.client(), run_id, labels.of_run(run_id, held_by, ""))
    return labels.network_name(run_id)


def test_a_sweep_of_dead_runs_leaves_the_living_alone(with_engine: None, things_of: ThingsOf) -> None:
    living, dead = f"alive{os.getpid()}", f"dead{os.getpid()}"
    leave_a_network(living, owner.of_process())
    try:
        name = leave_a_network(dead, f"{os.getpid()}:1")
        assert name in sweep()
        assert things_of(dead) == [] and things_of(living) == [labels.network_name(living)]
    finally:
        assert sweep(living) == [labels.network_name(living)]
    assert sweep(living) == [], "a second sweep finds nothing"


def test_runs_that_start_together_get_networks_of_their_own(with_engine: None) -> None:
    runs = [f"both{i}{os.getpid()}" for i in range(4)]
    blocks: list[str] = []

    def make(run_id: str) -> None:
        found = network.create(engine.client(), run_id, labels.of_run(run_id, owner.of_process(), ""))
        blocks.append(str(found))
        engine.forget()

    threads = [threading.Thread(target=make, args=(run_id,)) for run_id in runs]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(blocks)) == len(runs)
    finally:
        for run_id in runs:
            sweep(run_id)
