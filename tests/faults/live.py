"""Every fault on a real stack, the mini target: which cases there are, and what a conductor does with one.

Run as a program it is a whole harness with one fault in force, for tests that end it by a signal:

    python live.py FOLDER BACKEND CASE
"""

from __future__ import annotations

import datetime
import json
import signal
import socket
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace

from stack_of_minitarget import TOPOLOGY, minitarget

from paydrill import faults
from paydrill.backends import Backend, Stack, StackSetup, fake_time
from paydrill.backends.local import limits
from paydrill.backends.probe import startup_packet
from paydrill.faults import Fault, InForce, Scene, Unfolds, Witness
from paydrill.topology import INSTRUMENTS, Edge, Topology

RESULTS = "faults.json"
IN_FORCE, HEALED = "in-force", "healed"
SEEN_WITHIN_S = 20.0
RATE_PER_S = 50.0

# Where a fault strikes on the mini target, by what it says that it hits.
PLACES: Mapping[str, Mapping[str, object]] = {
    "edge": {"edge": "front->store"},
    "sets of nodes": {"nodes": ("front-1",), "from_": ("store", "lb")},
    "node": {"node": "store"},
    "database": {"node": "db-1"},
    "disk": {"node": "db-1"},
    "load": {"rate_per_s": RATE_PER_S},
}
# More than a fault's own example: other kinds of servers, other ways.
MORE: Mapping[str, Mapping[str, object]] = {
    "bandwidth to the database": {"edge": "store->db"},
    "bandwidth to the load balancer": {"edge": "client->lb"},
    "bandwidth to the PSP, upstream": {"edge": "store->psp", "direction": "upstream"},
    "slicer to the database, upstream": {"edge": "store->db", "direction": "upstream"},
    "slow_close to the database": {"edge": "store->db"},
    "slow_close to the load balancer, upstream": {"edge": "client->lb", "direction": "upstream"},
    "slow_close to the PSP": {"edge": "store->psp"},
    "limit_data to the database": {"edge": "store->db", "existing": "cut"},
    "limit_data to the PSP, upstream": {"edge": "store->psp", "direction": "upstream"},
    "partition one way": {"way": "in"},
    "partition the other way": {"way": "out"},
    "kill of the database": {"node": "db-1"},
    "terminate the database": {"node": "db-1", "signal": "INT"},
    "terminate the load balancer": {"node": "lb-1", "signal": "QUIT"},
    "restart of the database": {"node": "db-1", "signal": "INT"},
    "restart of one that does not end": {"node": "db-1", "signal": "TERM", "grace_ms": 300},
    "crash_loop of the database": {"node": "db-1", "up_ms": 400, "away_ms": 200},
    "kill_session by the kernel": {"how": "kill"},
    "pause of the database": {"node": "db-1"},
    "disk_full of the WAL": {"disk": "wal"},
    "disk_hang of the data": {"disk": "data"},
    "clock_step forward": {"step_s": 3600},
    "clock_step of the database": {"node": "db-1", "step_s": 86400},
    "clock_step back, of the database": {"node": "db-1", "step_s": -600},
    "timezone of the database": {"node": "db-1"},
    "cpu_quota of the database": {"node": "db-1", "cpu_share": 0.05},
    "memory_limit of the database": {"node": "db-1", "headroom_mb": 24},
    "memory_limit by number": {"node": "store-1", "limit_mb": 120, "headroom_mb": 0},
    "fd_exhaust of the database": {"node": "db-1"},
    "fd_exhaust of the load balancer": {"node": "lb-1"},
    "disk_slow by bytes": {"disk": "data", "write_per_s": 0, "write_bytes_per_s": 65536},
}


def cases() -> list[str]:
    """A case for every fault, under its name, and those above."""
    return [*faults.known(), *MORE]


def fault_of(case: str) -> Fault:
    fault = faults.known()[case.split()[0]]
    names = {field.name for field in fields(fault)}  # type: ignore[arg-type]
    return fault(**{k: v for k, v in {**fault.example, **PLACES[fault.hits], **MORE.get(case, {})}.items() if k in names})  # type: ignore[call-arg] # fmt: skip


def of_today(names: list[str], day: int | None = None) -> set[str]:
    """The first of each family, and another one each day; over the days all are had."""
    day = datetime.date.today().toordinal() if day is None else day
    chosen: set[str] = set()
    for family in {faults.known()[name.split()[0]].family for name in names}:
        first, *rest = [name for name in names if faults.known()[name.split()[0]].family == family]
        chosen |= {first, rest[day % len(rest)]} if rest else {first}
    return chosen


def one_of_today(names: list[str], day: int | None = None) -> str:
    day = datetime.date.today().toordinal() if day is None else day
    return names[day % len(names)]


def setup_for(wanted: list[str], folder: Path) -> StackSetup:
    """The mini target; with disks, clocks and counted memory of its own where a case asks for them."""
    setup = minitarget(folder)
    disks = any(faults.known()[case.split()[0]].hits == "disk" for case in wanted)
    return replace(
        setup,
        disks_of=("db-1",) if disks else (),
        clocks_of=prepared(wanted, "clock", setup.topology),
        memory_of=prepared(wanted, "memory", setup.topology),
    )


def prepared(wanted: list[str], how: str, topology: Topology) -> tuple[str, ...]:
    """The nodes that have to be started with it."""
    hit = [
        fault_of(case) for case in wanted if getattr(faults.known()[case.split()[0]], "prepared", "") == how
    ]
    return tuple(sorted({place for fault in hit for place in fault.places(topology)}))


def lacking(backend: str, case: str) -> str:
    """What this machine lacks for one case where the backend itself can run; empty when nothing."""
    if backend == "docker" or not getattr(faults.known()[case.split()[0]], "prepared", ""):
        return ""
    return fake_time.missing() if prepared([case], "clock", TOPOLOGY) else limits.missing("memory")


def backend_of(name: str) -> Backend:
    if name == "docker":
        from paydrill.backends.docker import DockerBackend

        return DockerBackend(print)
    from paydrill.backends.local import LocalBackend

    return LocalBackend()


@dataclass(frozen=True)
class Result:
    """What became of one case; `left` names what was not as before after healing."""

    witnessed: bool
    detail: str
    left: tuple[str, ...]
    error: str = ""


def conduct(wanted: list[str]) -> Callable[[Stack, Callable[[], bool]], None]:
    """A conductor that puts one case after the other in force, sees it, heals it and looks what is left."""

    def conductor(stack: Stack, _: Callable[[], bool]) -> None:
        results: dict[str, Result] = {}
        for number, case in enumerate(wanted, 1):
            began = time.monotonic()
            try:
                results[case] = _try(stack, case, number)
            except Exception:
                results[case] = Result(False, "", (), traceback.format_exc())
            print(f"{case}: {results[case]} ({time.monotonic() - began:.2f} s)", flush=True)
            text = json.dumps({name: vars(result) for name, result in results.items()})
            Path(stack.setup.run_dir, RESULTS).write_text(text)

    return conductor


def _try(stack: Stack, case: str, number: int) -> Result:
    stack.wait_healthy(stack.topology.nodes, 20)
    fault = fault_of(case)
    with _sessions(stack), fault.inject(scene(stack, number)) as in_force:
        seen = _witness(fault, in_force)
    return Result(seen.witnessed, seen.detail, tuple(_left(stack)))


def scene(stack: Stack, number: int) -> Scene:
    load = SimpleNamespace(started=lambda: int(time.monotonic() * RATE_PER_S))
    return Scene(stack, load, stack.setup.seed, number)


def _witness(fault: Fault, in_force: InForce) -> Witness:
    """As the conductor does: at once, or when it has unfolded."""
    if fault.looks == "at once":
        return in_force.witness()
    assert isinstance(in_force, Unfolds)
    give_up = time.monotonic() + SEEN_WITHIN_S
    while True:
        time.sleep(min(in_force.step(), 0.05))
        seen = in_force.witness()
        if seen.witnessed or time.monotonic() > give_up:
            return seen


def _left(stack: Stack) -> Iterator[str]:
    """Everything that is not as it was before the fault."""
    yield from stack.toxiproxy.leftovers()
    for node in stack.topology.nodes:
        if node.service in INSTRUMENTS:
            continue
        if stack.process(node) is None:
            yield f"{node.name} does not run"
        elif stack.is_paused(node):
            yield f"{node.name} is paused"
    if dead := stack.dead_instruments():
        yield f"dead: {dead}"
    try:
        stack.wait_healthy(stack.topology.nodes, 20)
        address = stack.dial(Edge("client", "lb-1"))
        with urllib.request.urlopen(f"http://{address}/ask", timeout=10) as answer:
            if json.loads(answer.read()) != {"answers": ["hello", "hello"]}:
                yield "a request through all edges has another answer"
    except Exception as problem:
        yield f"a request through all edges fails: {problem!r}"


@contextmanager
def _sessions(stack: Stack) -> Iterator[None]:
    """Two open sessions on the database: the mini target keeps none."""
    with ExitStack() as opened:
        for edge in (Edge("store-1", "db-1"), Edge("store-2", "db-1")):
            address = stack.dial(edge)
            connection = opened.enter_context(socket.create_connection((address.host, address.port), 5))
            connection.sendall(startup_packet("app"))
            assert connection.recv(1) == b"R"
        yield


def hold(case: str) -> Callable[[Stack, Callable[[], bool]], None]:
    """A conductor that keeps one case in force until a stop is asked for, then heals it."""

    def conductor(stack: Stack, stop_asked: Callable[[], bool]) -> None:
        with _sessions(stack), fault_of(case).inject(scene(stack, 1)) as in_force:
            (stack.setup.run_dir / IN_FORCE).touch()
            while not stop_asked():
                wait_s = in_force.step() if isinstance(in_force, Unfolds) else 0.05
                time.sleep(min(wait_s, 0.05))
        (stack.setup.run_dir / HEALED).touch()

    return conductor


def main() -> None:
    folder, backend, case = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    setup = setup_for([case], folder)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    with backend_of(backend).launch(setup, hold(case)) as world:
        while (outcome := world.wait(0.1)) is None:
            if stopping:
                world.request_stop()
    print(outcome, flush=True)


if __name__ == "__main__":
    main()
