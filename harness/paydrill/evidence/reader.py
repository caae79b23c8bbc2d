"""Opens the evidence of a run in a locked DuckDB: it reads these tables and nothing else.

No file but the evidence tables can be opened, no setting changed, no Python object seen; memory and
threads are bounded. A table that nobody read is there, typed and empty; whether it was read stands
in the table `given`, never in whether it has rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from paydrill.evidence.run_info import read_run_info
from paydrill.evidence.schema import DUCKDB_TYPES, Table, tables
from paydrill.run_folder import RunFolder
from paydrill.target import Timing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_LIMIT_MB = 900
THREADS = 2

_GIVEN = """
CREATE TABLE given AS
SELECT tbl, bool_and(complete) AS complete, string_agg(DISTINCT error, '; ' ORDER BY error) AS error, max(snap) AS snap
FROM (SELECT *, max(snap) OVER (PARTITION BY tbl) AS last_snap FROM reading)
WHERE snap = last_snap GROUP BY tbl
"""
# Times of the drill. A fault without an end makes heal_ns NULL: then no deadline is known.
_VARIABLES = """
SELECT
  CASE WHEN NOT EXISTS (FROM given WHERE tbl = 'timeline') THEN NULL
    WHEN coalesce(bool_or(kind = 'fault' AND t_end_ns IS NULL), false) THEN NULL
    ELSE coalesce(max(t_end_ns) FILTER (WHERE kind = 'fault'), 0) END AS heal_ns,
  max(t_start_ns) FILTER (WHERE kind = 'load_end') AS load_end_ns,
  min(t_start_ns) FILTER (WHERE kind = 'psp_freeze') AS freeze_ns,
  (SELECT max(snap) FROM given WHERE tbl = 'sut_fact' AND complete) AS snap,
  (SELECT max(snap) FROM given WHERE tbl = 'outbox_row' AND complete) AS outbox_snap,
  EXISTS (FROM given WHERE tbl = 'sut_fact' AND complete) AS sut_given,
  EXISTS (FROM given WHERE tbl = 'sut_fact' AND complete)
    AND EXISTS (FROM sut_fact WHERE kind = 'order') AS orders_given,
  coalesce((SELECT bool_and(complete) FROM given WHERE tbl IN ('op', 'intent_token')), false) AS history_whole,
  coalesce((SELECT complete FROM given WHERE tbl = 'psp_effect'), false)
    AND count(*) FILTER (WHERE kind = 'psp_freeze') > 0 AS psp_whole
FROM timeline
"""


@dataclass(frozen=True)
class Given:
    """A table that was read. `error` says why it is not complete."""

    table: str
    complete: bool
    error: str | None


@contextmanager
def evidence(run: RunFolder) -> Iterator[DuckDBPyConnection]:
    """`open_evidence` with its end."""
    connection = open_evidence(run)
    try:
        yield connection
    finally:
        connection.close()


def open_evidence(run: RunFolder) -> DuckDBPyConnection:
    """Tables, variables and shared views of a folded run. Raises duckdb.Error for foreign files."""
    import duckdb

    connection = duckdb.connect(":memory:")
    present = {name: path for name in tables() if (path := run.evidence / f"{name}.parquet").is_file()}
    _lock(connection, list(present.values()))
    for table in tables().values():
        _attach(connection, table, present.get(table.name))
    connection.execute(_GIVEN)
    _drop_what_was_not_read(connection)
    _set_variables(connection, read_run_info(run).timing)
    for name, statement in view_statements():
        connection.execute(statement)
        _check_rows(connection, name, statement)
    return connection


def given_tables(connection: DuckDBPyConnection) -> dict[str, Given]:
    """What was read, by the name of the table."""
    rows = connection.execute("SELECT tbl, complete, error FROM given ORDER BY tbl").fetchall()
    return {str(name): Given(str(name), bool(complete), error) for name, complete, error in rows}


def view_statements() -> list[tuple[str, str]]:
    """(name, CREATE statement) of each shared view, in the order in which they build on each other."""
    folder = files("paydrill.evidence") / "views"
    sources = sorted(
        (entry.name, entry.read_text()) for entry in folder.iterdir() if entry.name.endswith(".sql")
    )
    return [_view_statement(name.removesuffix(".sql").partition("-")[2], text) for name, text in sources]


def _view_statement(name: str, text: str) -> tuple[str, str]:
    kind = "VIEW" if text.startswith("-- view\n") else "TABLE"
    return name, f"CREATE {kind} {name} AS\n{text}"


def _lock(connection: DuckDBPyConnection, readable: list[Path]) -> None:
    """From here on only the given files can be read, and no setting changed."""
    paths = ", ".join(_quoted(str(path.resolve())) for path in readable)
    settings = (
        f"threads = {THREADS}",
        f"memory_limit = '{MEMORY_LIMIT_MB}MB'",
        "temp_directory = ''",
        "python_enable_replacements = false",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        f"allowed_paths = [{paths}]",
        "enable_external_access = false",
        "lock_configuration = true",
    )
    for setting in settings:
        connection.execute(f"SET {setting}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _attach(connection: DuckDBPyConnection, table: Table, path: Path | None) -> None:
    """The table as a view over its file, or empty where there is none of this version."""
    import duckdb

    if path is not None:
        columns = ", ".join(f'"{c.name}"::{DUCKDB_TYPES[c.type]} AS "{c.name}"' for c in table.columns)
        source = f"read_parquet({_quoted(str(path.resolve()))})"
        try:
            connection.execute(f'CREATE VIEW "{table.name}" AS SELECT {columns} FROM {source}')
            return
        except duckdb.BinderException:
            # Written by another version: a column that we need is not there. Not given, then.
            pass
    connection.execute(table.create_sql())


def _drop_what_was_not_read(connection: DuckDBPyConnection) -> None:
    """A reading vouches for a table only in this version of its schema, and only if its file is there."""
    versions = ", ".join(f"('{table.name}', {table.version})" for table in tables().values())
    views = "(SELECT view_name FROM duckdb_views() WHERE NOT internal)"
    connection.execute(f"""
        DELETE FROM given WHERE tbl NOT IN {views} OR tbl IN (
          SELECT tbl FROM reading JOIN (VALUES {versions}) AS known(name, version) ON known.name = tbl
          WHERE reading.version <> known.version)
    """)


def _set_variables(connection: DuckDBPyConnection, timing: Timing) -> None:
    result = connection.execute(_VARIABLES)
    names = [column[0] for column in result.description or ()]
    values = dict(zip(names, result.fetchone() or (), strict=True))
    values["t_settle_ns"] = round(timing.t_settle_s * 1e9)
    values["t_comp_ns"] = round(timing.t_comp_s * 1e9)
    values["delta_ns"] = round(timing.delta_s * 1e9)
    for name, value in values.items():
        literal = "NULL::BIGINT" if value is None else str(value).lower()
        typed = literal if isinstance(value, bool) or value is None else f"{literal}::BIGINT"
        connection.execute(f"SET VARIABLE {name} = {typed}")


def _check_rows(connection: DuckDBPyConnection, name: str, statement: str) -> None:
    """A view that says `-- rows: <table>` must not lose or repeat a row of it."""
    marker = next((line for line in statement.splitlines() if line.startswith("-- rows: ")), None)
    if marker is None:
        return
    table = marker.removeprefix("-- rows: ")
    counts = connection.execute(
        f"SELECT (SELECT count(*) FROM {name}), (SELECT count(*) FROM {table})"
    ).fetchone()
    if counts is None or counts[0] != counts[1]:
        raise ValueError(f"view {name} has other rows than {table}: {counts}")
