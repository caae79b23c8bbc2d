"""What an invariant's SQL may not say, because it could lose subjects, hide a NULL or change evidence.

DuckDB parses it (`json_serialize_sql` knows SELECT only); nothing is executed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from paydrill.invariants.catalogue import Invariant

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Node = dict[str, Any]
COLUMNS = ("subject", "intent", "held", "amount", "currency", "why")
_TOP_FORBIDDEN = {
    "where_clause": "WHERE",
    "having": "HAVING",
    "qualify": "QUALIFY",
    "group_expressions": "GROUP BY",
    "sample": "SAMPLE",
}
_NOT_THE_SAME_TWICE = frozenset(
    {"random", "now", "current_timestamp", "today", "uuid", "gen_random_uuid", "setseed"}
)


def lint(connection: DuckDBPyConnection, invariant: Invariant) -> list[str]:
    """Everything wrong with an invariant, a sentence each; empty when it may be run."""
    tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    views = {name for (name,) in connection.execute("SELECT view_name FROM duckdb_views()").fetchall()}
    problems = [
        *_lint_part(connection, invariant.pop, "pop", tables | views),
        *_lint_part(connection, invariant.sql, "rule", tables | views | {"pop"}),
    ]
    select = _only_select(connection, invariant.sql)
    if isinstance(select, str):
        return problems
    return [*problems, *_top(select), *_columns(select)]


def _only_select(connection: DuckDBPyConnection, sql: str) -> Node | str:
    """The one SELECT's tree, or what is wrong."""
    row = connection.execute("SELECT json_serialize_sql($sql::VARCHAR)", {"sql": sql}).fetchone()
    tree: Node = json.loads(row[0]) if row else {"error": True}
    if tree.get("error"):
        return f"is no SELECT: {tree.get('error_message', 'not parsed')}"
    statements = tree["statements"]
    if len(statements) != 1:
        return f"has {len(statements)} statements, expected 1"
    node: Node = statements[0]["node"]
    return node


def _lint_part(connection: DuckDBPyConnection, sql: str, part: str, allowed: set[str]) -> list[str]:
    select = _only_select(connection, sql)
    if isinstance(select, str):
        return [f"{part} {select}"]
    return [f"{part} {problem}" for problem in _anywhere(select, allowed)]


def _anywhere(tree: Node, allowed: set[str]) -> Iterator[str]:
    """What is forbidden at any depth."""
    named = allowed | set(_common_tables(tree))
    for node in _walk(tree):
        kind = node.get("type")
        if kind == "TABLE_FUNCTION":
            yield "calls a table function: evidence tables and shared views only"
        if kind == "BASE_TABLE" and node.get("table_name") not in named:
            yield f"reads {node.get('table_name')}, which is neither evidence nor a shared view"
        if node.get("class") == "FUNCTION" and str(node.get("function_name")).lower() in _NOT_THE_SAME_TWICE:
            yield f"calls {node['function_name']}(): two judgements of one run would differ"
        if _is_not_in_subquery(node):
            yield "has NOT IN (SELECT …): one NULL in it drops every row; use NOT EXISTS"
        if node.get("class") == "COMPARISON" and any(
            _is_target_clock(side) for side in (node["left"], node["right"])
        ):
            yield "compares a *_us column: the target's clock is shown, never compared"


def _walk(value: Any) -> Iterator[Node]:
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from _walk(child)
    elif isinstance(value, list):
        for child in value:
            yield from _walk(child)


def _common_tables(tree: Node) -> Iterator[str]:
    for node in _walk(tree):
        for entry in (node.get("cte_map") or {}).get("map", []):
            yield entry["key"]


def _is_not_in_subquery(node: Node) -> bool:
    children = node.get("children") or []
    return node.get("type") == "OPERATOR_NOT" and any(
        child.get("class") == "SUBQUERY" and child.get("subquery_type") == "ANY" for child in children
    )


def _is_target_clock(side: Any) -> bool:
    return (
        isinstance(side, dict)
        and side.get("class") == "COLUMN_REF"
        and str(side["column_names"][-1]).endswith("_us")
    )


def _top(select: Node) -> Iterator[str]:
    """What is forbidden where a subject could get lost: at the top, and in the one nested form."""
    if select.get("type") != "SELECT_NODE":
        yield "rule is not one plain SELECT"
        return
    for key, word in _TOP_FORBIDDEN.items():
        if select.get(key):
            yield f"rule has {word} at the top: subjects would be lost"
    for modifier in select.get("modifiers", []):
        if modifier["type"] in ("LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER"):
            yield f"rule has {modifier['type'].split('_')[0]} at the top: subjects would be lost"
    if select.get("aggregate_handling") not in (None, "STANDARD_HANDLING"):
        yield "rule aggregates at the top: subjects would be lost"
    if (select.get("cte_map") or {}).get("map"):
        yield "rule has WITH at the top: put it into a shared view"
    yield from _source(select["from_table"])


def _source(table: Node) -> Iterator[str]:
    """The leftmost table is pop; everything else hangs on it by LEFT JOIN."""
    kind = table.get("type")
    if kind == "JOIN":
        if table.get("join_type") != "LEFT" or table.get("ref_type") not in ("REGULAR", "ASOF"):
            yield f"rule has a {table.get('join_type')} join at the top: LEFT only, others lose subjects"
        yield from _source(table["left"])
    elif kind == "SUBQUERY":
        yield from _top(table["subquery"]["node"])
    elif kind != "BASE_TABLE" or table.get("table_name") != "pop":
        yield "rule does not start FROM pop"


def _columns(select: Node) -> Iterator[str]:
    """The columns that the runner reads, by their names."""
    names = [_column_name(item) for item in select.get("select_list", [])]
    for wanted in COLUMNS:
        if wanted not in names:
            yield f"rule gives no column `{wanted}`"


def _column_name(item: Node) -> str:
    if item.get("alias"):
        return str(item["alias"])
    return str(item["column_names"][-1]) if item.get("class") == "COLUMN_REF" else ""
