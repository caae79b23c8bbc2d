"""Killing, crashing and restarting of nodes, as seen from outside."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from paydrill.backends.docker import engine, labels
from paydrill.backends.docker.node_process import NodeState
from paydrill.backends.docker.stack import DockerStack

pytestmark = pytest.mark.docker


def wait_until(true: Callable[[], bool], within_s: float = 20) -> bool:
    give_up = time.monotonic() + within_s
    while not true():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


def test_a_dead_nodes_address_refuses_instead_of_being_silent(stack: DockerStack) -> None:
    """As a machine does whose process died: a silent address would be another fault."""
    node = stack.topology.node("web-2")
    stack.kill(node)
    listen = stack.addresses.listen(node)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((listen.host, listen.port), 20)
    stack.start(node)
    stack.wait_healthy([node], 30)


def test_a_node_that_crashes_by_itself_is_seen_and_can_be_started(stack: DockerStack) -> None:
    node = stack.topology.node("web-2")
    before = stack.process(node)
    stack.run_in(node, ["python3", "-c", "import os; os.kill(-1, 9)"], 5)
    assert wait_until(lambda: stack.process(node) is None)
    stack.start(node)
    stack.wait_healthy([node], 30)
    assert stack.process(node) not in (None, before)


def test_a_paused_node_can_be_killed_and_started(stack: DockerStack) -> None:
    node = stack.topology.node("web-2")
    stack.pause(node)
    stack.kill(node)
    assert stack.process(node) is None and not stack.is_paused(node)
    stack.start(node)
    assert stack.process(node) is not None
    stack.wait_healthy([node], 30)


def test_starting_what_runs_and_killing_what_is_dead_change_nothing(stack: DockerStack) -> None:
    node = stack.topology.node("web-2")
    before = stack.process(node)
    stack.start(node)
    assert stack.process(node) == before
    stack.kill(node)
    stack.kill(node)
    stack.start(node)
    stack.wait_healthy([node], 30)


def test_an_instrument_that_died_is_named(stack: DockerStack) -> None:
    assert stack.dead_instruments() == []
    name = labels.container_name(stack.setup.run_id, "psp")
    engine.client().containers.get(name).kill()
    assert wait_until(lambda: stack.dead_instruments() == ["psp"])
    engine.client().containers.get(name).start()
    stack.wait_healthy([stack.topology.node("psp")], 30)
    assert stack.dead_instruments() == []


def test_a_nodes_output_is_in_the_run_folder_while_it_runs(stack: DockerStack) -> None:
    log = stack.setup.run_dir / "logs" / "psp.log"
    assert "listening on" in log.read_text()


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("", NodeState(0, None)),
        ("running 2\n", NodeState(2, None)),
        ("ended 2 137\n", NodeState(2, 137)),
        ("end", NodeState(0, None)),
    ],
)
def test_a_nodes_state_is_read_also_half_written(tmp_path: Path, text: str, state: NodeState) -> None:
    (tmp_path / "state").write_text(text)
    assert NodeState.read(tmp_path / "state") == state
