"""Every fault on a real stack: which cases there are, and what a conductor does with one.

Most are tried on the mini target; what needs a shop with orders, payments and events, on the reference
stack under a few orders a second.

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
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace

import stack_of_reference
import stack_outside
from stack_of_minitarget import minitarget

from paydrill import faults, needs, other_sources
from paydrill.backends import Backend, Stack, StackSetup
from paydrill.backends.probe import startup_packet
from paydrill.faults import Arrivals, Fault, InForce, LoadGauge, Scene, ShapesLoad, Unfolds, Witness
from paydrill.topology import INSTRUMENTS, Edge, Topology

RESULTS = "faults.json"
IN_FORCE, HEALED = "in-force", "healed"
SEEN_WITHIN_S = 20.0
RATE_PER_S = 50.0

# What needs a shop: faults that hit this, and those of these names.
HITS_ON_REFERENCE = {"psp", "target"}
ON_REFERENCE: set[str] = {
    "config_change",
    "deploy",
    "tamper",
    "ramp",
    "flash_crowd",
    "thundering_herd",
    "junk_flood",
    "slow_clients",
}

# Where a fault strikes, by what it says that it hits; on the reference stack what its example says.
PLACES: Mapping[str, Mapping[str, object]] = {
    "edge": {"edge": "front->store"},
    "sets of nodes": {"nodes": ("front-1",), "from_": ("store", "lb")},
    "node": {"node": "store"},
    "database": {"node": "db-1"},
    "disk": {"node": "db-1"},
    "load": {"rate_per_s": RATE_PER_S},
}
PLACES_OUTSIDE: Mapping[str, Mapping[str, object]] = {
    "edge": {"edge": "payments->psp"},
    "sets of nodes": {"nodes": ("payments",), "from_": ("psp",)},
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
    "deploy of a whole service": {"nodes": ("payments",), "patch": "M03"},
    "deploy of a price rule": {"nodes": ("orders-1",), "patch": "deploys/price-rule.patch"},
    "deploy of a folder": {"nodes": ("worker",), "patch": None, "source": "."},
    "config_change of two services": {"nodes": ("orders-1", "payments-2")},
    "tamper with the ledger": {
        "table": "ledger_entries",
        "where": "account = 'revenue'",
        "set_": {"amount": "amount - 1"},
    },
    "tamper with the stock": {
        "table": "stock",
        "set_": {"available": "available - 3", "initial": "initial - 3"},
        "where": "sku = 'saffron'",
    },
    "tamper by deleting": {"table": "ledger_entries", "where": "line = 2", "set_": {}},
    "disk_full of the WAL": {"disk": "wal"},
    "disk_hang of the data": {"disk": "data"},
    "disk_readonly of the WAL": {"disk": "wal"},
    "psp_response_lost of refunds": {"operation": "refund", "share": 1.0},
    "psp_rate_limit by lot": {"share": 0.5, "limit_per_s": None},
    "psp_async without failures": {"failing_share": 0.0},
    "clock_step forward": {"step_s": 3600},
    "clock_step of the database": {"node": "db-1", "step_s": 86400},
    "clock_step back, of the database": {"node": "db-1", "step_s": -600},
    "timezone of the database": {"node": "db-1"},
    "cpu_quota of the database": {"node": "db-1", "cpu_share": 0.05},
    "memory_limit of the database": {"node": "db-1", "headroom_mb": 24},
    "memory_limit by number": {"node": "store-1", "limit_mb": 120, "headroom_mb": 0},
    "fd_exhaust of the database": {"node": "db-1"},
    "fd_exhaust of the load balancer": {"node": "lb-1"},
    "io_error of reads": {"call": "read"},
    "disk_slow by bytes": {"disk": "data", "write_per_s": 0, "write_bytes_per_s": 65536},
}


def cases() -> list[str]:
    """A case for every fault, under its name, and those above."""
    return [*faults.known(), *MORE]


def can_be_tried(case: str, backend: str) -> bool:
    """The fault claims the backend; a stack of somebody else's gets each fault once."""
    fault = class_of(case)
    if backend == "attached" and case in MORE:
        return False
    return backend in fault.backends


def class_of(case: str) -> type[Fault]:
    return faults.known()[case.split()[0]]


def fault_of(case: str, backend: str = "local") -> Fault:
    fault = class_of(case)
    names = {field.name for field in fields(fault)}  # type: ignore[arg-type]
    places = KINDS[kind_of(case, backend)].places.get(fault.hits, {})
    return fault(**{k: v for k, v in {**fault.example, **places, **MORE.get(case, {})}.items() if k in names})  # type: ignore[call-arg] # fmt: skip


def kind_of(case: str, backend: str = "local") -> str:
    """Which stack the case is tried on: `mini`, `reference`, or `outside` where somebody else runs one."""
    if backend == "attached":
        return "outside"
    fault = class_of(case)
    return "reference" if fault.hits in HITS_ON_REFERENCE or fault.name in ON_REFERENCE else "mini"


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


def setup_for(wanted: list[str], folder: Path, backend: str = "local") -> StackSetup:
    """The stack of all these cases, with disks, clocks and counted memory of its own where a case asks for them."""
    (kind,) = {kind_of(case, backend) for case in wanted}
    disks = any(class_of(case).hits == "disk" for case in wanted)
    setup = KINDS[kind].setup(folder)
    chosen = [fault_of(case, backend) for case in wanted]
    others = other_sources.prepare(chosen, setup.target.folder, setup.source, folder / "others")
    return replace(
        setup,
        disks_of=("db-1",) if disks else (),
        sources=others,
        clocks_of=prepared(wanted, "clock", setup.topology),
        memory_of=prepared(wanted, "memory", setup.topology),
        io_of=prepared(wanted, "io", setup.topology),
    )


def prepared(wanted: list[str], how: str, topology: Topology) -> tuple[str, ...]:
    """The nodes that have to be started with it."""
    hit = [fault_of(case) for case in wanted if getattr(class_of(case), "prepared", "") == how]
    return tuple(sorted({place for fault in hit for place in fault.places(topology)}))


def lacking(backend: str, case: str) -> str:
    """What this machine lacks for one case where the backend itself can run; empty when nothing."""
    found = {need: needs.in_the_way(need, backend) for need in class_of(case).needs}
    return "; ".join(f"{need}: {why}" for need, why in found.items() if why)


def backend_of(name: str) -> Backend:
    if name == "docker":
        from paydrill.backends.docker import DockerBackend

        return DockerBackend(print)
    if name == "attached":
        return outside_backend()
    from paydrill.backends.local import LocalBackend

    return LocalBackend()


def outside_backend() -> Backend:
    from paydrill.backends.choose import choose_for

    return choose_for("attached", *stack_outside.target_and_topology(), None, print).backend


def cleaned(backend: str) -> list[str]:
    """What `clean` removes of runs whose harness is dead."""
    if backend == "docker":
        from paydrill.backends.docker.sweep import sweep

        return sweep()
    from paydrill.backends.local.journal import sweep_dead_runs

    return sweep_dead_runs()


@dataclass(frozen=True)
class Result:
    """What became of one case; `left` names what was not as before after healing."""

    witnessed: bool
    detail: str
    left: tuple[str, ...]
    error: str = ""


def conduct(wanted: list[str], backend: str) -> Callable[[Stack, Callable[[], bool]], None]:
    """A conductor that puts one case after the other in force, sees it, heals it and looks what is left."""

    def conductor(stack: Stack, _: Callable[[], bool]) -> None:
        results: dict[str, Result] = {}
        kind = KINDS[kind_of(wanted[0], backend)]
        with kind.load(stack) as load:
            for number, case in enumerate(wanted, 1):
                began = time.monotonic()
                try:
                    results[case] = _try(scene(stack, load, number), kind, case, backend)
                except Exception:
                    results[case] = Result(False, "", (), traceback.format_exc())
                print(f"{case}: {results[case]} ({time.monotonic() - began:.2f} s)", flush=True)
                text = json.dumps({name: vars(result) for name, result in results.items()})
                Path(stack.setup.run_dir, RESULTS).write_text(text)

    return conductor


def _try(scene: Scene, kind: Kind, case: str, backend: str) -> Result:
    stack = scene.stack
    stack.wait_healthy(stack.topology.nodes, 20)
    fault = fault_of(case, backend)
    with ExitStack() as around:
        around.enter_context(kind.visitors(stack))
        if isinstance(fault, ShapesLoad) and kind is not KINDS["mini"]:
            # What shapes the load is in the plan: its customers come besides those who are there anyway.
            scene = replace(scene, load=around.enter_context(stack_of_reference.shaped(stack, fault)))
        seen = _witness(fault, around.enter_context(fault.inject(scene)))
    return Result(seen.witnessed, seen.detail, (*_left(stack), *kind.left(stack)))


def scene(stack: Stack, load: LoadGauge, number: int = 1) -> Scene:
    return Scene(stack, load, stack.setup.seed, number)


def _witness(fault: Fault, in_force: InForce) -> Witness:
    """As the conductor does: at once, or when it has unfolded or had time to be met."""
    if fault.looks == "at once":
        return in_force.witness()
    give_up = time.monotonic() + SEEN_WITHIN_S
    while True:
        time.sleep(_step(in_force))
        seen = in_force.witness()
        if seen.witnessed or time.monotonic() > give_up:
            return seen


def _left(stack: Stack) -> Iterator[str]:
    """Everything that is not as it was before the fault."""
    yield from stack.toxiproxy.leftovers()
    if dead := stack.dead_instruments():
        yield f"dead: {dead}"
    try:
        stack.wait_healthy(stack.topology.nodes, 20)
    except Exception as problem:
        yield f"the stack is not healthy again: {problem!r}"


def _step(in_force: InForce) -> float:
    return min(in_force.step(), 0.05) if isinstance(in_force, Unfolds) else 0.05


@dataclass(frozen=True)
class Kind:
    """One of the stacks, and what is specific to it.

    setup:    of a fresh run folder
    places:   where faults strike, by what they say that they hit; elsewhere what their examples say
    load:     what goes on while all the cases are tried one after the other
    visitors: what one case finds besides
    left:     what of one case is still there, where only this stack can tell
    """

    setup: Callable[[Path], StackSetup]
    places: Mapping[str, Mapping[str, object]]
    load: Callable[[Stack], AbstractContextManager[LoadGauge]]
    visitors: Callable[[Stack], AbstractContextManager[None]]
    left: Callable[[Stack], Iterator[str]]


def _left_of_nodes(stack: Stack) -> Iterator[str]:
    for node in stack.topology.nodes:
        if node.service in INSTRUMENTS:
            continue
        if stack.process(node) is None:
            yield f"{node.name} does not run"
        elif stack.is_paused(node):
            yield f"{node.name} is paused"


def _left_on_mini(stack: Stack) -> Iterator[str]:
    yield from _left_of_nodes(stack)
    try:
        address = stack.dial(Edge("client", "lb-1"))
        with urllib.request.urlopen(f"http://{address}/ask", timeout=10) as answer:
            if json.loads(answer.read()) != {"answers": ["hello", "hello"]}:
                yield "a request through all edges has another answer"
    except Exception as problem:
        yield f"a request through all edges fails: {problem!r}"


@contextmanager
def _pretended_load(_: Stack) -> Iterator[LoadGauge]:
    def arrivals() -> Arrivals:
        now_s = time.monotonic()
        return Arrivals(now_s, int(now_s * RATE_PER_S), int(now_s * RATE_PER_S))

    yield SimpleNamespace(arrivals=arrivals)


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


def _left_on_reference(stack: Stack) -> Iterator[str]:
    yield from _left_of_nodes(stack)
    yield from stack_of_reference.left_of_shop(stack, "/livez")


def _left_outside(stack: Stack) -> Iterator[str]:
    return stack_of_reference.left_of_shop(stack, "/health")


KINDS: Mapping[str, Kind] = {
    "mini": Kind(minitarget, PLACES, _pretended_load, _sessions, _left_on_mini),
    "reference": Kind(
        stack_of_reference.reference,
        {},
        stack_of_reference.shoppers,
        stack_of_reference.merchants_who_capture_later,
        _left_on_reference,
    ),
    "outside": Kind(
        stack_outside.outside,
        PLACES_OUTSIDE,
        stack_of_reference.shoppers,
        stack_outside.back_office,
        _left_outside,
    ),
}


def hold(case: str, backend: str) -> Callable[[Stack, Callable[[], bool]], None]:
    """A conductor that keeps one case in force until a stop is asked for, then heals it."""
    kind = KINDS[kind_of(case, backend)]

    def conductor(stack: Stack, stop_asked: Callable[[], bool]) -> None:
        with (
            kind.load(stack) as load,
            kind.visitors(stack),
            fault_of(case, backend).inject(scene(stack, load)) as in_force,
        ):
            (stack.setup.run_dir / IN_FORCE).touch()
            while not stop_asked():
                time.sleep(_step(in_force))
        (stack.setup.run_dir / HEALED).touch()

    return conductor


def main() -> None:
    folder, backend, case = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    setup = setup_for([case], folder, backend)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    with backend_of(backend).launch(setup, hold(case, backend)) as world:
        while (outcome := world.wait(0.1)) is None:
            if stopping:
                world.request_stop()
    print(outcome, flush=True)


if __name__ == "__main__":
    main()
