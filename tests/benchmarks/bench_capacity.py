"""How many checkouts a second the reference stack takes, and where the time goes.

Prints one JSON document and asserts nothing: `python tests/benchmarks/bench_capacity.py [--rates 40,80,120]`.
Each step is a drill of its own (`steady`, checkouts only, local backend, through nginx and Toxiproxy).
A checkout is its create and its pay; its latency counts from its intended start, so that queueing is in it.
The first two seconds are left out of it: connections are opened then.
The capacity is the highest step whose p99 is below the limit and that dropped nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PAYDRILL = Path(sys.executable).parent / "paydrill"
LOOK_EVERY_S = 0.5
WARM_UP_S = 2.0
SERVICES = ("orders", "payments", "worker", "fulfilment", "postgres", "nginx", "toxiproxy", "locust")
"""What a process is counted as: the first of these that its name or its command line holds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", default="40,80,100,120,150", help="checkouts/s, a step each")
    parser.add_argument("--seconds", type=int, default=15, help="length of a step")
    parser.add_argument("--limit-ms", type=float, default=250.0, help="p99 that a step may have")
    parser.add_argument("--topology", default="lb-2")
    asked = parser.parse_args()
    steps = [step(float(rate), asked.seconds, asked.topology) for rate in asked.rates.split(",")]
    within = [one["rate"] for one in steps if one["p99_ms"] < asked.limit_ms and one["dropped"] == 0]
    print(
        json.dumps(
            {"capacity_per_s": max(within, default=0), "limit_ms": asked.limit_ms, "steps": steps}, indent=2
        )
    )


def step(rate: float, seconds: int, topology: str) -> dict[str, Any]:
    """One drill at one rate."""
    with tempfile.TemporaryDirectory(prefix="bench-capacity-") as out:
        sets = [f"load.rate={rate:g}/s", f"load.duration={seconds}s", "load.mix={checkout: 1}"]
        options = [part for one in sets for part in ("--set", one)]
        command = [PAYDRILL, "run", "steady", "--backend", "local", "--topology", topology]
        with subprocess.Popen(
            [*command, *options, "--json", "--out", out],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            looks = watch(process)
            assert process.stdout is not None
            verdict = json.loads(process.stdout.read())
        run = Path(out) / "latest"
        done = checkouts(run)
        latencies = sorted(one.ms for one in done if one.due_s >= WARM_UP_S)
        # A machine that is busy with other things ends fewer than are asked for.
        ended = sum(WARM_UP_S <= one.end_s <= seconds for one in done) / (seconds - WARM_UP_S)
        cpu = spent_in(looks, *warm_load(run))
    return {
        "rate": rate,
        "verdict": verdict["verdict"],
        "ok": verdict["load"]["ok"],
        "ended_per_s": round(ended, 1),
        "dropped": verdict["load"]["dropped"],
        "p50_ms": quantile(latencies, 0.5),
        "p99_ms": quantile(latencies, 0.99),
        "cpu_ms_per_checkout": {
            name: round(1000 * used_s / max(1.0, ended), 2) for name, used_s in sorted(cpu.items())
        },
    }


Look = dict[tuple[int, str], tuple[str, float]]
"""(pid, start) -> name and CPU seconds so far."""


def watch(process: subprocess.Popen[bytes]) -> list[tuple[int, Look]]:
    """Looks at all processes of the drill, each with its time (monotonic ns), until it has ended."""
    looks = []
    while process.poll() is None:
        looks.append((time.monotonic_ns(), {key: (name, used_s) for key, name, used_s in below(process.pid)}))
        time.sleep(LOOK_EVERY_S)
    return looks


def warm_load(run: Path) -> tuple[int, int]:
    """From when to when the load was on, without its warm-up, monotonic ns."""
    lines = [json.loads(text) for text in (run / "timeline.jsonl").read_text().splitlines()]
    began = next(line["t0"] for line in lines if line.get("name") == "load")
    ended = next(line["t"] for line in lines if line.get("name") == "healing")
    return began + int(WARM_UP_S * 1e9), ended


def spent_in(looks: list[tuple[int, Look]], from_ns: int, to_ns: int) -> dict[str, float]:
    """CPU seconds per second between the first and the last look of that time, by kind of process."""
    inside = [(t, look) for t, look in looks if from_ns <= t <= to_ns]
    sums: dict[str, float] = defaultdict(float)
    if len(inside) < 2:
        return sums
    (first_ns, first), (last_ns, last) = inside[0], inside[-1]
    for key, (name, used_s) in last.items():
        sums[name] += (used_s - first.get(key, ("", 0.0))[1]) / ((last_ns - first_ns) / 1e9)
    return sums


def below(root: int) -> Iterator[tuple[tuple[int, str], str, float]]:
    """(pid and start, name, CPU seconds) of every known process below `root`."""
    stats = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stats[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
    for pid, stat in stats.items():
        above, depth = pid, 0
        while above != root and above in stats and depth < 30:
            above, depth = int(stats[above][1]), depth + 1
        if above != root:
            continue
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            told = Path(f"/proc/{pid}/comm").read_text()
        except OSError:
            continue
        name = next((name for name in SERVICES if name in told), None)
        name = name or next((name for name in SERVICES if name in line.partition(" -I ")[0]), None)
        name = name or ("psp" if "paydrill.psp" in line else "harness")
        spent = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        yield (pid, stat[19]), name, spent


@dataclass(frozen=True)
class Took:
    """One checkout. `due_s` counts from the first; `ms` from its intended start to the end of its last try to pay."""

    due_s: float
    ms: float

    @property
    def end_s(self) -> float:
        return self.due_s + self.ms / 1000


def checkouts(run: Path) -> list[Took]:
    """Those that had an end; an unknown one ends when its client was told nothing for the last time."""
    due: dict[int, int] = {}
    ended: dict[int, int] = {}
    owner: dict[int, int] = {}
    for path in run.glob("history-*.jsonl"):
        for text in path.read_text().splitlines():
            line = json.loads(text)
            if line["kind"] == "intent":
                due[line["intent"]] = line["due"]
            elif line["kind"] == "invoke" and line["op_kind"] in ("create", "pay"):
                owner[line["op"]] = line["intent"]
            elif line["kind"] == "return" and line["op"] in owner:
                ended[owner[line["op"]]] = line["t"]
    first = min(due.values(), default=0)
    return [Took((due[one] - first) / 1e9, (end - due[one]) / 1e6) for one, end in ended.items()]


def quantile(values: list[float], share: float) -> float:
    return round(values[min(len(values) - 1, int(share * len(values)))], 1) if values else float("nan")


if __name__ == "__main__":
    main()
