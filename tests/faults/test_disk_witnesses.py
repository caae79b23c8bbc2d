"""A disk fault's witness sees nothing once the effect is gone, whatever was injected before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import live
import pytest

from paydrill.backends import Stack
from paydrill.backends.local import LocalBackend
from paydrill.faults.corrupt_page import CorruptPage, Damaged, _put_back
from paydrill.faults.disk_readonly import DiskReadonly

SEEN = "seen.json"


def read_only(stack: Stack) -> tuple[bool, bool]:
    with DiskReadonly(node="db-1", disk="data").inject(live.scene(stack, 1)) as in_force:
        before = in_force.witness().witnessed
        disk = stack.disk(stack.topology.node("db-1"), "data")
        stack.kill(disk.node)
        stack.mount_anew(disk, mend=True)
        return before, in_force.witness().witnessed


def corrupted(stack: Stack) -> tuple[bool, bool]:
    stack.wait_healthy(stack.topology.nodes, 20)
    with CorruptPage(node="db-1").inject(live.scene(stack, 2)) as in_force:
        assert isinstance(in_force, Damaged)
        before = in_force.witness().witnessed
        _put_back(stack, in_force.node, in_force.table, in_force.damage)
        return before, in_force.witness().witnessed


CASES: dict[str, Callable[[Stack], tuple[bool, bool]]] = {
    "read only": read_only,
    "corrupted": corrupted,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    backend = LocalBackend()
    if lacks := backend.missing():
        pytest.skip("; ".join(lacks))
    setup = live.setup_for(["power_cut"], tmp_path_factory.mktemp("witnesses"))

    def conductor(stack: Stack, _: Callable[[], bool]) -> None:
        found = {name: case(stack) for name, case in CASES.items()}
        Path(setup.run_dir, SEEN).write_text(json.dumps(found))

    with backend.launch(setup, conductor) as world:
        outcome = world.wait(60)
    results = Path(setup.run_dir, SEEN)
    assert results.exists(), (outcome, (setup.run_dir / "logs" / "conductor.log").read_text()[-3000:])
    return json.loads(results.read_text())


@pytest.mark.parametrize("case", CASES)
def test_a_witness_is_true_with_the_effect_and_false_without(seen, case):
    assert seen[case] == [True, False]
