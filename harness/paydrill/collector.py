"""Reads the suspect: every fact that the target offers about itself, as it says it.

What is read goes into the run folder untouched, with who was asked, when, and how many rows came.
A read that failed is recorded as such: an empty table is not *nobody looked*.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import orjson

from paydrill.backends import Stack
from paydrill.errors import PaydrillError
from paydrill.evidence.recorder import write_reading
from paydrill.run_folder import RunFolder
from paydrill.target import FactSource
from paydrill.topology import Node

READ_TIMEOUT_S = 20.0

Rows = list[dict[str, object]]


def read_facts(stack: Stack, run: RunFolder, snap: int) -> dict[str, Rows]:
    """Read every fact once and record it under `snap`; returns the rows by table, for comparison."""
    found: dict[str, Rows] = {}
    for source in stack.setup.target.facts:
        rows = _record(stack, run, source, snap)
        found.setdefault(source.table, []).extend(rows)
    return found


def read_source(stack: Stack, source: FactSource) -> Rows:
    """The rows of one source. Raises PaydrillError when it could not be read."""
    node = _node_of(stack, source)
    if source.sql is not None:
        return stack.sql(node, source.query, READ_TIMEOUT_S)
    return _run(stack, node, source.command)


def equal(one: dict[str, Rows], other: dict[str, Rows]) -> bool:
    """Whether two snapshots say the same, whatever the order of their rows."""
    return _canonical(one) == _canonical(other)


def _canonical(tables: dict[str, Rows]) -> dict[str, list[bytes]]:
    return {
        table: sorted(orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in rows)
        for table, rows in tables.items()
    }


def _node_of(stack: Stack, source: FactSource) -> Node:
    return stack.topology.service(source.service)[0]


def _run(stack: Stack, node: Node, command: Sequence[str]) -> Rows:
    done = stack.run_in(node, command, READ_TIMEOUT_S)
    if done.code != 0:
        raise PaydrillError(f"{' '.join(command)} ended with {done.code}: {done.stderr.decode()[-300:]}")
    return [orjson.loads(line) for line in done.stdout.splitlines() if line.strip()]


def _record(stack: Stack, run: RunFolder, source: FactSource, snap: int) -> Rows:
    from_ns = time.monotonic_ns()
    rows: Rows = []
    error = ""
    try:
        rows = read_source(stack, source)
    except (PaydrillError, orjson.JSONDecodeError) as problem:
        error = str(problem)
    write_reading(
        run,
        table=source.table,
        source=source.sql or " ".join(source.command),
        snap=snap,
        rows=rows,
        t_from_ns=from_ns,
        t_to_ns=time.monotonic_ns(),
        complete=not error,
        error=error,
    )
    return rows
