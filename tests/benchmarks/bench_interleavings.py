"""How often ten orders of events come about at a fixed time, and how often with the answer held.

Prints one line a drill and at the end a table; asserts nothing, and keeps no run folder:
`python tests/benchmarks/bench_interleavings.py [--times 2] [--backend local]`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "drills"))

from interleavings import TEN, Interleaving, Mode, reproduced, scenario  # noqa: E402

PAYDRILL = Path(sys.executable).parent / "paydrill"
MODES: tuple[Mode, ...] = get_args(Mode)


def tried(one: Interleaving, mode: Mode, seed: int, backend: str) -> tuple[list[bool], str]:
    """Whether each try came out as wanted, and the drill's verdict."""
    with tempfile.TemporaryDirectory(prefix="paydrill-interleaving-") as folder:
        made = Path(folder) / "interleaving.yaml"
        made.write_text(scenario(one, mode), encoding="utf-8")
        command = [PAYDRILL, "run", made, "--backend", backend, "--topology", "single", "--seed", str(seed)]
        done = subprocess.run([*command, "--json", "--out", folder], capture_output=True, text=True)
        if not done.stdout.strip():
            return [], f"exit {done.returncode}: {done.stderr.strip()[-200:]}"
        return reproduced((Path(folder) / "latest").resolve(), one), json.loads(done.stdout)["verdict"]


def rate(tries: list[bool]) -> str:
    return f"{sum(tries)} of {len(tries)}"


def table(found: dict[tuple[str, Mode], list[bool]]) -> Iterator[str]:
    yield "| interleaving | timed | held |"
    yield "|---|---|---|"
    for one in TEN:
        yield f"| {one.name} | {rate(found[one.name, 'timed'])} | {rate(found[one.name, 'held'])} |"
    every = {mode: [each for one in TEN for each in found[one.name, mode]] for mode in MODES}
    yield f"| all | {rate(every['timed'])} | {rate(every['held'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=1, help="drills of each; a drill has four tries")
    parser.add_argument("--backend", default="local")
    asked = parser.parse_args()
    found: dict[tuple[str, Mode], list[bool]] = {(one.name, mode): [] for one in TEN for mode in MODES}
    for seed in range(1, asked.times + 1):
        for one in TEN:
            for mode in MODES:
                tries, verdict = tried(one, mode, seed, asked.backend)
                found[one.name, mode] += tries
                print(f"{mode:5} {one.name}, seed {seed}: {rate(tries)}, {verdict}", flush=True)
    print(*table(found), sep="\n")


if __name__ == "__main__":
    main()
