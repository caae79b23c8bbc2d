"""One contract for all backends: each starts the mini target once and makes every check on it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from contract import BackendUnderTest, backends_under_test
from contract_checks import CHECKS, RESULTS, run_all
from stack_of_minitarget import minitarget

from paydrill.backends import Outcome, Stack

UNDER_TEST = backends_under_test()


@dataclass(frozen=True)
class Ran:
    """What one backend did: results by check, how it ended, and how long it took (seconds)."""

    results: dict[str, str]
    outcome: Outcome | None
    isolation: str
    up_s: float
    down_s: float
    log: str


@pytest.fixture(scope="module")
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return _run(request.param, UNDER_TEST[request.param], tmp_path_factory.mktemp(request.param))


def _run(name: str, under_test: BackendUnderTest, folder: Path) -> Ran:
    if why := under_test.missing():
        pytest.skip(f"{name}: {why}")
    setup = minitarget(folder)
    times = setup.run_dir / "times.json"

    def conductor(stack: Stack, stop_requested: Callable[[], bool]) -> None:
        up_s = time.monotonic() - began
        run_all(stack, under_test.hooks)
        text = {"up_s": up_s, "end": time.monotonic(), "isolation": stack.isolation}
        times.write_text(json.dumps(text))

    began = time.monotonic()
    with under_test.make().launch(setup, conductor) as world:
        outcome = world.wait(240)
    ended = time.monotonic()
    log = (setup.run_dir / "logs" / "conductor.log").read_text()
    results = setup.run_dir / RESULTS
    if not times.exists():
        pytest.fail(f"{name} did not come up or through: {outcome}\n{log}")
    said = json.loads(times.read_text())
    print(f"\n{name}: up {said['up_s']:.2f} s, down {ended - said['end']:.2f} s")
    return Ran(
        json.loads(results.read_text()), outcome, said["isolation"], said["up_s"], ended - said["end"], log
    )


def _params() -> list[object]:
    return [
        pytest.param(name, marks=[getattr(pytest.mark, mark) for mark in under_test.marks])
        for name, under_test in UNDER_TEST.items()
    ]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("ran", _params(), indirect=True)
def test_contract(ran: Ran, check: str) -> None:
    assert ran.results.get(check) == "ok", f"{ran.results.get(check, 'was not reached')}\n{ran.log[-3000:]}"


@pytest.mark.parametrize("ran", _params(), indirect=True)
def test_the_conductor_ends_well(ran: Ran) -> None:
    assert ran.outcome == Outcome(0, None), ran.log[-3000:]


@pytest.mark.parametrize("ran", _params(), indirect=True)
def test_isolation_is_told_as_it_is(ran: Ran, request: pytest.FixtureRequest) -> None:
    assert ran.isolation == UNDER_TEST[request.node.callspec.params["ran"]].isolation
