"""docs/faults-live.md: which fault ran live on which backend, when, and on which commit.

    python tests/live_table.py docs/faults-live.md

From the record of `make test-all` (part 4), which also writes it. What the page tells of a fault and a backend that
are not in the record stays.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from exhaustive import KINDS, Healing, Result, recorded

from paydrill.faults import Fault, known

BACKENDS = ("local", "docker", "attached")
NOT_YET = "not yet"
INTRODUCTION = """# Which fault ran live, where and when

*Written by `make test-all` (part 4) from its record, or by `python tests/live_table.py docs/faults-live.md`.*

Each fault is put in force on a real stack of each backend that it claims, with its own fields and in further cases, and ended in three ways: *seen and healed* (witnessed, healed, everything as before), *killed -9* (the harness dies with the fault in force; its watchdog leaves nothing) and *SIGTERM* (healed and ended within seconds). A cell tells how many of these tests have passed, on which day and commit the oldest of them was run; – is a backend that the fault does not claim.

"""
HEAD = "| fault | " + " | ".join(BACKENDS) + " |\n|---|" + "---|" * len(BACKENDS) + "\n"


Cells = Mapping[tuple[str, str], str]
"""What is told, by fault and backend."""


def live_table(results: Iterable[Result], page: str = "") -> str:
    """The whole page anew. `results`: the newest of each test; `page`: as it stands."""
    by_fault: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        test = Healing.of(result.name) if result.part == 4 else None
        if test:
            by_fault.setdefault((test.case.split()[0], test.backend), []).append(result)
    told = _cells(page) | {place: _told(those) for place, those in by_fault.items()}
    families = sorted({fault.family for fault in known().values()})
    return INTRODUCTION + "\n".join(_family(family, told) for family in families)


def _cells(page: str) -> dict[tuple[str, str], str]:
    """A page as `live_table` writes it."""
    found = {}
    for line in page.splitlines():
        if line.startswith("| `"):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            found |= {(name.strip("`"), backend): cell for backend, cell in zip(BACKENDS, cells, strict=True)}
    return found


def _family(family: str, told: Cells) -> str:
    rows = [
        f"| `{name}` | {' | '.join(_cell(fault, backend, told) for backend in BACKENDS)} |\n"
        for name, fault in known().items()
        if fault.family == family
    ]
    return f"## {family.capitalize()}\n\n{HEAD}{''.join(rows)}"


def _cell(fault: type[Fault], backend: str, told: Cells) -> str:
    return told.get((fault.name, backend), NOT_YET) if backend in fault.backends else "–"


def _told(results: Sequence[Result]) -> str:
    """Of one fault on one backend; at least one result."""
    good = sum(result.good for result in results)
    oldest = min(results, key=lambda result: result.day)
    ways = {test.kind for result in results if (test := Healing.of(result.name))}
    missing = [kind for kind in KINDS.values() if kind not in ways]
    told = f"{good} of {len(results)}, {oldest.day} on {oldest.commit}"
    told = told if good == len(results) else f"**{told}**"
    return told + (f"; {NOT_YET}: {', '.join(missing)}" if missing else "")


def rewrite(page: Path) -> None:
    """From the record; what the page tells of faults that are not in it stays."""
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    page.write_text(live_table(recorded().values(), before), encoding="utf-8")


if __name__ == "__main__":
    rewrite(Path(sys.argv[1]))
