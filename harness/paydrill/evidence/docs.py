"""`docs/evidence.md` from the schemas: `python -m paydrill.evidence.docs docs/evidence.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from paydrill.evidence.schema import DUCKDB_TYPES, Table, tables

_INTRODUCTION = """# Evidence

*Made from the schemas in `harness/paydrill/evidence/` by `python -m paydrill.evidence.docs docs/evidence.md`.*

`evidence/*.parquet` in a run folder are the only thing that invariants see. They are folded from the raw files of the run (docs/run-folder.md), each time that a run is judged; equal raw files give equal tables. *Facts* are the same for every target; *attachments* look inside it. A column marked **!** is required: a row without it is left out, and its reading is not complete.

- `*_ns`: CLOCK_MONOTONIC of the host, nanoseconds. `*_us`: the target's clock, microseconds; shown, never compared.
- Amounts: whole minor units beside an ISO currency in capitals. Fractions do not fit and are never rounded.
- Ids of the harness are integers (printed `i12`, `op71`, `eff12`, `req9`); ids of the target and of the PSP are text.
- `intent` of a suspect row is resolved by the cart's id (`client_ref`), else by an order's id in an answer, else by its parent; of a PSP row by its token only, never by metadata; a charge of a saved card, which several intents share, by its amount. What cannot be resolved is NULL and stays in the population.

## What was read
Whether a table was *given* stands in `reading`, never in whether it has rows: an empty table is not the same as nobody looked. An invariant that needs a table that was not given is *not examined*; a table that it only uses and that is missing, or whose last reading was not complete, is named in its result. Where a needed table is not complete, a breach still counts and a pass becomes *inconclusive*. Of the tables with a `snap` all readings are kept and rules look at the last; of the others the last complete reading is kept.

## A reading on disk
`readings/<table>-<snap>.ndjson` is written by the collector (`paydrill.evidence.recorder.write_reading`). Its first line is `{"reading": {"table", "source", "snap", "t_from_ns", "t_to_ns", "complete", "error", "rows"}}`, then one row a line as it was read, with the columns below. `class`, `intent`, `read_ns` and `row_hash` are added by the fold; `client_ref` should be there for orders. `deliveries.jsonl`, where there is one, holds rows of `delivery`.

## Classes of states
`state_classes` of a target maps each kind's states to `open`, `paid`, `failed`, `cancelled`, `refunded` or `review` (waiting for people: not settled either). A state that is not mapped makes whatever depends on it undecided. An order for which nothing was accepted or moved is abandoned, not open, in the state in which it was created: the one that the answer named, or the first of its history.
"""


def evidence_markdown() -> str:
    """The whole page."""
    sections = [_INTRODUCTION]
    for layer, heading in (("fact", "Facts"), ("attachment", "Attachments")):
        sections.append(f"\n# {heading}\n")
        sections.extend(_section(table) for table in tables().values() if table.layer == layer)
    return "".join(sections)


def _section(table: Table) -> str:
    rows = "".join(
        f"| `{column.name}`{' **!**' if column.required else ''} | {DUCKDB_TYPES[column.type]} | {column.doc} |\n"
        for column in table.columns
    )
    key = ", ".join(f"`{name}`" for name in table.key)
    head = f"\n## {table.name}\n{table.title} Version {table.version}, key {key}.\n\n"
    return f"{head}| column | type | what |\n|---|---|---|\n{rows}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(evidence_markdown(), encoding="utf-8")
