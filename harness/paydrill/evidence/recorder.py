"""What a collector calls to keep a reading: `readings/<table>-<snap>.ndjson`.

The first line says what was read, when, whether all of it, and how many rows follow; each further line is one row as it
was read, before any interpretation. The file appears whole or not at all.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson

from paydrill.run_folder import RunFolder


def write_reading(
    run: RunFolder,
    table: str,
    source: str,
    snap: int,
    rows: Iterable[Mapping[str, object]],
    t_from_ns: int,
    t_to_ns: int,
    complete: bool,
    error: str | None = None,
) -> Path:
    """Keep one reading of one evidence table; several of one table and snap stand side by side.

    A reading that failed is kept too: no rows, `complete` false, and `error` says why. Raises
    ValueError for a table name that is no plain word, OSError.
    """
    if not table.replace("_", "").isalnum():
        raise ValueError(f"table {table!r}: expected a plain name such as sut_fact")
    header = {
        "table": table,
        "source": source,
        "snap": snap,
        "t_from_ns": t_from_ns,
        "t_to_ns": t_to_ns,
        "complete": complete,
        "error": error,
    }
    kept = [_line(row) for row in rows]
    lines = [orjson.dumps({"reading": {**header, "rows": len(kept)}}), *kept, b""]
    run.readings.mkdir(parents=True, exist_ok=True)
    path = _free_name(run.readings, f"{table}-{snap}")
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(b"\n".join(lines))
    os.replace(unfinished, path)
    return path


def _line(row: Mapping[str, object]) -> bytes:
    """One row; a number that no column could hold is kept too, for the fold to refuse."""
    try:
        return orjson.dumps(dict(row))
    except TypeError:
        return json.dumps(dict(row), default=str).encode()


def _free_name(folder: Path, stem: str) -> Path:
    names = itertools.chain((f"{stem}.ndjson",), (f"{stem}.{n}.ndjson" for n in itertools.count(2)))
    return next(path for name in names if not (path := folder / name).exists())
