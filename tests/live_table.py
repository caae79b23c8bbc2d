"""docs/faults-live.md: which fault ran live on which backend, when, and on which commit.

    python tests/live_table.py docs/faults-live.md

From the record of `make test-all` (part 4), which also writes it; what is not in the record has not been run yet.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from exhaustive import KINDS, Healing, Result, recorded

from paydrill.faults import Fault, known

BACKENDS = ("local", "docker", "attached")
INTRODUCTION = """# Which fault ran live, where and when

*Written by `make test-all` (part 4) from its record, or by `python tests/live_table.py docs/faults-live.md`.*

Each fault is put in force on a real stack of each backend that it claims, with its own fields and in further cases, and ended in three ways: *seen and healed* (witnessed, healed, everything as before), *killed -9* (the harness dies with the fault in force; its watchdog leaves nothing) and *SIGTERM* (healed and ended within seconds). A cell tells how many of these tests have passed, on which day and commit the oldest of them was run; – is a backend that the fault does not claim.

"""
HEAD = "| fault | " + " | ".join(BACKENDS) + " |\n|---|" + "---|" * len(BACKENDS) + "\n"


def live_table(results: Iterable[Result]) -> str:
    """The whole page. `results`: the newest of each test."""
    by_fault: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        test = Healing.of(result.name) if result.part == 4 else None
        if test:
            by_fault.setdefault((test.case.split()[0], test.backend), []).append(result)
    families = sorted({fault.family for fault in known().values()})
    return INTRODUCTION + "\n".join(_family(family, by_fault) for family in families)


def _family(family: str, by_fault: dict[tuple[str, str], list[Result]]) -> str:
    rows = [
        f"| `{name}` | {' | '.join(_cell(fault, backend, by_fault) for backend in BACKENDS)} |\n"
        for name, fault in known().items()
        if fault.family == family
    ]
    return f"## {family.capitalize()}\n\n{HEAD}{''.join(rows)}"


def _cell(fault: type[Fault], backend: str, by_fault: dict[tuple[str, str], list[Result]]) -> str:
    if backend not in fault.backends:
        return "–"
    results = by_fault.get((fault.name, backend), [])
    if not results:
        return "not yet"
    good = sum(result.good for result in results)
    oldest = min(results, key=lambda result: result.day)
    ways = {test.kind for result in results if (test := Healing.of(result.name))}
    missing = [kind for kind in KINDS.values() if kind not in ways]
    told = f"{good} of {len(results)}, {oldest.day} on {oldest.commit}"
    told = told if good == len(results) else f"**{told}**"
    return told + (f"; not yet: {', '.join(missing)}" if missing else "")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(live_table(recorded().values()), encoding="utf-8")
