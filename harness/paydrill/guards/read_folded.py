"""evidence/reading.parquet -> what the fold could make of the raw files."""

from __future__ import annotations

from paydrill.guards.facts import ReadingFact
from paydrill.run_folder import RunFolder


def read_folded(run: RunFolder) -> tuple[ReadingFact, ...]:
    """One fact a table, source and snapshot; empty when there is no evidence that can be read."""
    path = run.evidence / "reading.parquet"
    if not path.is_file():
        return ()
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path, columns=["tbl", "snap", "complete", "error"]).to_pylist()
    except (OSError, pa.ArrowException, KeyError):
        return ()
    return tuple(
        ReadingFact(str(row["tbl"]), int(row["snap"] or 0), row["complete"] is True, str(row["error"] or ""))
        for row in rows
    )
