"""What disk faults do to a PostgreSQL that is written to by four connections, straight and all the time."""

from __future__ import annotations

import asyncio
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import asyncpg
import live
import pytest

from paydrill import faults
from paydrill.backends import Stack
from paydrill.faults import Fault

CONNECTIONS = 4
WAL_WRITER_DELAY_S = 0.2
COMMITS_PER_S_AT_LEAST = 1_000
SPEED_WITHIN_S = 10.0
BEFORE_S = 1.5
HEALTHY_S = 20.0


@dataclass
class Writing:
    """Inserts one row after the other on each connection; `acks`: (when, id) of each that was acknowledged."""

    host: str
    port: int
    synchronous_commit: str = "on"
    acks: list[tuple[float, int]] = field(default_factory=list)
    stop: bool = False

    def run(self) -> None:
        asyncio.run(self._all())

    async def _all(self) -> None:
        await asyncio.gather(*(self._one(number) for number in range(CONNECTIONS)))

    async def _one(self, number: int) -> None:
        identity = number
        while not self.stop:
            connection = None
            try:
                connection = await self._connect()
                insert = await connection.prepare("INSERT INTO ledger VALUES ($1)")
                while not self.stop:
                    identity += CONNECTIONS
                    await insert.fetch(identity)
                    self.acks.append((time.monotonic(), identity))
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.02)
            finally:
                # What has only been prepared holds a lock for which the next TRUNCATE would wait for ever.
                if connection is not None:
                    connection.terminate()

    async def _connect(self) -> asyncpg.Connection:
        settings = {"synchronous_commit": self.synchronous_commit}
        return await asyncpg.connect(
            f"postgresql://app@{self.host}:{self.port}/app", timeout=2, server_settings=settings
        )

    def wait_for_speed(self) -> None:
        """The machine may have other work just now: some time is given for it to pass."""
        give_up = time.monotonic() + SPEED_WITHIN_S
        while time.monotonic() < give_up:
            since_s = time.monotonic() - 1.0
            recent = self.acks[-COMMITS_PER_S_AT_LEAST:]
            if len(recent) == COMMITS_PER_S_AT_LEAST and recent[0][0] >= since_s:
                return
            time.sleep(0.05)

    async def prepare(self) -> None:
        connection = await self._connect()
        await connection.execute("CREATE TABLE IF NOT EXISTS ledger (id bigint PRIMARY KEY)")
        await connection.execute("TRUNCATE ledger")
        await connection.close()


@contextmanager
def writing(stack: Stack, synchronous_commit: str = "on") -> Iterator[Writing]:
    address = stack.probe(stack.topology.node("db-1")).address
    one = Writing(address.host, address.port, synchronous_commit)
    asyncio.run(one.prepare())
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        time.sleep(BEFORE_S)
        yield one
    finally:
        one.stop = True
        thread.join()


@dataclass(frozen=True)
class Measured:
    """`rate_per_s`: acknowledged in the second before; lost: acknowledged and not there; span of these."""

    rate_per_s: float
    lost: int
    span_s: float
    gap_s: float
    before_ms: float
    during_ms: float
    witnessed: bool


def strike(stack: Stack, fault: Fault, for_s: float, synchronous_commit: str = "on") -> Measured:
    with writing(stack, synchronous_commit) as ledger:
        ledger.wait_for_speed()
        at_s = time.monotonic()
        with fault.inject(live.scene(stack, 1)) as in_force:
            # From here on: while it is set in force the server still commits at full speed.
            since_s = time.monotonic()
            seen = in_force.witness()
            time.sleep(max(0.0, since_s + for_s - time.monotonic()))
            until_s = time.monotonic()
        stack.wait_healthy(stack.topology.nodes, HEALTHY_S)
        time.sleep(0.5)
    stored = {row["id"] for row in stack.sql(stack.topology.node("db-1"), "SELECT id FROM ledger", 20)}
    acks = sorted(ledger.acks)
    lost = [when for when, identity in acks if identity not in stored]
    times = [when for when, _ in acks]
    before = [when for when in times if at_s - 1.0 <= when < at_s]
    during = [when for when in times if since_s <= when < until_s]
    return Measured(
        rate_per_s=float(len(before)),
        lost=len(lost),
        span_s=max(lost) - min(lost) if lost else 0.0,
        gap_s=max(later - earlier for earlier, later in pairwise(times)),
        before_ms=typical_ms(before),
        during_ms=typical_ms(during),
        witnessed=seen.witnessed,
    )


def typical_ms(acks: list[float]) -> float:
    """How long a commit takes: each of the connections waits for its own, one after the other."""
    gaps = [later - earlier for earlier, later in zip(acks, acks[CONNECTIONS:], strict=False)]
    return statistics.median(gaps) * 1000 if gaps else 0.0


def measured(name: str, folder: Path, strikes: list[Callable[[Stack], Measured]]) -> list[Measured]:
    """All on one stack of that backend, one after the other."""
    backend = live.backend_of(name)
    if lacks := backend.missing():
        pytest.skip("; ".join(lacks))
    setup = live.setup_for(["power_cut"], folder)

    def conductor(stack: Stack, _: Callable[[], bool]) -> None:
        results = [asdict(one(stack)) for one in strikes]
        (setup.run_dir / "measured.json").write_text(json.dumps(results))

    with backend.launch(setup, conductor) as world:
        outcome = world.wait(300)
    results = setup.run_dir / "measured.json"
    assert results.exists(), (outcome, (setup.run_dir / "logs" / "conductor.log").read_text()[-3000:])
    found = [Measured(**one) for one in json.loads(results.read_text())]
    print(found)
    return found


def fault(name: str, **fields: object) -> Fault:
    return faults.known()[name](node="db-1", **fields)  # type: ignore[call-arg]


ON_DOCKER = (pytest.mark.docker, pytest.mark.exhaustive)


@pytest.mark.parametrize(
    ("backend", "times"),
    [
        pytest.param("local", 1, id="once"),
        pytest.param("local", 5, id="five times", marks=pytest.mark.exhaustive),
        pytest.param("docker", 2, id="twice with Docker", marks=ON_DOCKER),
    ],
)
def test_a_power_cut_takes_only_what_was_acknowledged_without_being_flushed(tmp_path, backend, times):
    cut = fault("power_cut")
    honest = [lambda stack: strike(stack, cut, 0.3)] * times
    hasty = [lambda stack: strike(stack, cut, 0.3, "off")] * times
    found = measured(backend, tmp_path, [*honest, *hasty])
    assert all(one.rate_per_s >= COMMITS_PER_S_AT_LEAST for one in found)
    for one in found[:times]:
        assert one.witnessed
        assert one.lost == 0
    for one in found[times:]:
        assert one.lost >= 1
        assert one.span_s <= 3 * WAL_WRITER_DELAY_S + 0.2


@pytest.mark.parametrize("backend", ["local", pytest.param("docker", marks=ON_DOCKER)])
def test_a_hanging_disk_is_a_gap_and_a_slow_one_slows_every_commit(tmp_path, backend):
    hang = fault("disk_hang", disk="wal")
    slow = fault("disk_slow", disk="wal", write_per_s=50)
    full = fault("disk_full", disk="data")
    found = measured(
        backend,
        tmp_path,
        [
            lambda stack: strike(stack, hang, 3.0),
            lambda stack: strike(stack, slow, 3.0),
            lambda stack: strike(stack, full, 2.0),
            lambda stack: strike(stack, fault("disk_readonly", disk="data"), 1.0),
            lambda stack: strike(stack, fault("disk_readonly", disk="wal"), 1.0),
            lambda stack: strike(stack, fault("corrupt_page", table="ledger"), 1.0),
            # What was given back must stay so: else the server cannot recover for want of room.
            lambda stack: strike(stack, fault("power_cut"), 0.3),
        ],
    )
    hung, slowed, filled, *_ = found
    assert all(one.witnessed and one.lost == 0 for one in found)
    assert 2.0 <= hung.gap_s <= 4.0
    # The machine has other work, now more and now less: its best moment says what a commit takes here.
    assert slowed.during_ms >= 20 * min(one.before_ms for one in found)
    assert filled.rate_per_s > 0
