"""Run folder -> `evidence/*.parquet`: deterministic, and tolerant of everything a crash leaves.

Equal content gives equal tables, in whatever order the lines stood. A part that is missing gives no
`reading` row, never an error: what needs it is then *not examined*.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from paydrill.evidence.from_history import parts_from_history
from paydrill.evidence.from_psp import parts_from_psps
from paydrill.evidence.from_readings import parts_from_deliveries, parts_from_readings
from paydrill.evidence.from_timeline import parts_from_timeline
from paydrill.evidence.json_lines import JsonObject, read_json_lines
from paydrill.evidence.parts import IntentIndex, Part, Reading
from paydrill.evidence.psp_journals import read_journals
from paydrill.evidence.run_info import read_run_info
from paydrill.evidence.schema import Row, Table, tables
from paydrill.evidence.typed_rows import TypedRows
from paydrill.psp.journal_reader import Journal
from paydrill.run_folder import RunFolder


def fold(run: RunFolder, journals: Mapping[str, Journal] | None = None) -> None:
    """Write every evidence table that this run has something for; older ones are replaced.

    journals: those of the PSPs, for who has read them already. Raises OSError when the folder cannot be
    read or written.
    """
    parts = _merged(_all_parts(run, read_journals(run) if journals is None else journals))
    last = _last_whole_snaps(parts)
    rows: dict[str, list[Row]] = defaultdict(list)
    for part in parts:
        part_rows, reading = part.folded()
        rows["reading"].append(reading)
        if _keeps_snapshots(part.rows.table) or part.reading.snap == last[part.reading.table]:
            rows[part.reading.table].extend(part_rows)
    run.evidence.mkdir(parents=True, exist_ok=True)
    for table in tables().values():
        path = run.evidence / f"{table.name}.parquet"
        if table.name in rows or table.name == "reading":
            _write(path, table, rows[table.name])
        else:
            path.unlink(missing_ok=True)


def _all_parts(run: RunFolder, journals: Mapping[str, Journal]) -> list[Part]:
    info = read_run_info(run)
    history = parts_from_history(run.histories(), info)
    by_table: Mapping[str, list[Row]] = {part.reading.table: part.rows.sorted_unique() for part in history}
    index = IntentIndex.of(by_table.get("intent", ()), by_table.get("op", ()))
    return [
        *history,
        *parts_from_timeline(run.timeline),
        *parts_from_psps(journals, info.psps, _timeline_lines(run), by_table.get("intent_token", ())),
        *parts_from_deliveries(run.deliveries, index),
        *parts_from_readings(run.readings, info, index),
    ]


def _keeps_snapshots(table: Table) -> bool:
    return any(column.name == "snap" for column in table.columns)


def _last_whole_snaps(parts: Iterable[Part]) -> Mapping[str, int]:
    """Of tables that grow (deliveries, transitions) the last snapshot has all that the others had."""
    last: dict[str, tuple[bool, int]] = {}
    for part in parts:
        seen = (part.reading.complete, part.reading.snap)
        last[part.reading.table] = max(seen, last.get(part.reading.table, seen))
    return {table: snap for table, (_, snap) in last.items()}


def _timeline_lines(run: RunFolder) -> tuple[JsonObject, ...]:
    return read_json_lines(run.timeline).objects if run.timeline.exists() else ()


def _merged(parts: Iterable[Part]) -> list[Part]:
    """Parts in order; several readings of one table, source and snap become one."""
    groups: dict[tuple[str, str, int], list[Part]] = defaultdict(list)
    for part in parts:
        groups[part.reading.table, part.reading.source, part.reading.snap].append(part)
    return [_merge(group) for _, group in sorted(groups.items())]


def _merge(group: list[Part]) -> Part:
    if len(group) == 1:
        return group[0]
    first = group[0]
    rows = TypedRows(first.rows.table)
    for part in group:
        rows.rows.extend(part.rows.rows)
        rows.misfits += part.rows.misfits
        rows.first_misfits.extend(part.rows.first_misfits)
    readings = [part.reading for part in group]
    return Part(
        rows,
        Reading(
            first.reading.table,
            first.reading.source,
            first.reading.snap,
            min(reading.t_from_ns for reading in readings),
            max(reading.t_to_ns for reading in readings),
            all(reading.complete for reading in readings),
            "; ".join(reading.error for reading in readings if reading.error) or None,
        ),
    )


def _write(path: Path, table: Table, rows: list[Row]) -> None:
    """One Parquet file, there whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = table.arrow()
    arrays = [pa.array([row[field.name] for row in rows], type=field.type) for field in schema]
    unfinished = path.with_suffix(".part")
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), unfinished, compression="zstd")
    os.replace(unfinished, path)
