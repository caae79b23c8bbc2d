"""`docs/invariants.md` from the headers: `python -m paydrill.invariants.docs docs/invariants.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from paydrill.invariants.catalogue import Invariant, known

_INTRODUCTION = """# Invariants

*Made from the headers in `harness/paydrill/invariants/` by `python -m paydrill.invariants.docs docs/invariants.md`.*

A rule answers for every subject of its population: held, broken or undecided. The number and the checksum of its subjects must be those of the population, so that no join can lose one in silence. `examined` counts subjects.

| verdict | when |
|---|---|
| fail | at least one subject is broken |
| inconclusive | nothing is broken, and a subject is undecided (`undecided`), a needed table was not read to its end, the population does not agree (`population_mismatch`), or the checker crashed or ran out of time (`checker_crashed`) |
| not_examined | a table that it needs was not read (`not_given`), or the drill held no subject (`no_subject`) |
| pass | every subject held |

Severity: S0 a customer's money is wrong, S1 a merchant's money or an order is lost, S2 an integrity hole, S3 quality of service. The bucket says whose money is at risk: customer, merchant, goods, books, open, transient (for a while), none.

| id | name | severity | bucket | what is true |
|---|---|---|---|---|
"""


def invariants_markdown() -> str:
    """The whole page."""
    table = "".join(
        f"| {each.id} | `{each.name}` | {each.severity} | {each.bucket} | {each.title} |\n"
        for each in known()
    )
    return f"{_INTRODUCTION}{table}{''.join(_section(each) for each in known())}"


def _section(invariant: Invariant) -> str:
    uses = f" Compared if given: {_tables(invariant.uses)}." if invariant.uses else ""
    return f"\n## {invariant.id} {invariant.title}\n{invariant.rule}\n\nNeeds {_tables(invariant.needs)}.{uses}\n"


def _tables(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(invariants_markdown(), encoding="utf-8")
