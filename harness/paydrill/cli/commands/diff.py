"""paydrill diff RUN RUN"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from paydrill.cli.output import json_option, print_json, print_rows

# What differs between any two runs and says nothing.
_SKIPPED = ("run", "started", "schema")


@click.command(short_help="How two runs differ.")
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@json_option
def command(first: str, second: str, as_json: bool) -> int:
    """Compare two verdicts: what was judged otherwise, and every number that changed."""
    from paydrill import library
    from paydrill.verdict_file import read_verdict, to_json

    one, other = (_flat(to_json(read_verdict(library.run_folder(run)))) for run in (first, second))
    changed = {
        path: (one.get(path), other.get(path))
        for path in sorted({*one, *other})
        if one.get(path) != other.get(path)
    }
    if as_json:
        print_json({path: {"first": pair[0], "second": pair[1]} for path, pair in changed.items()})
    else:
        print_rows(("what", first, second), [(path, str(a), str(b)) for path, (a, b) in changed.items()])
    return 0


def _flat(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """`invariants.I-01.findings` -> their number, `load.ok` -> 512, …"""
    flat: dict[str, Any] = {}
    for key, value in verdict.items():
        if key in _SKIPPED:
            continue
        if isinstance(value, Mapping):
            flat |= {f"{key}.{name}": one for name, one in value.items()}
        elif isinstance(value, list):
            flat |= _flat_rows(key, value)
        else:
            flat[key] = value
    return flat


def _flat_rows(key: str, rows: list[Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            flat[f"{key}.{index}"] = row
            continue
        name = row.get("id") or row.get("name") or row.get("code") or f"{index}.{row.get('fault', '')}"
        for part, value in row.items():
            if part not in ("id", "name"):
                flat[f"{key}.{name}.{part}"] = len(value) if part == "findings" else value
    return flat
