"""What the harness reads of the reference stack fits together."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from paydrill.evidence.schema import tables
from paydrill.target_file import load_target
from paydrill.topology_file import load_topology

SOURCE = Path(__file__).parents[2] / "targets" / "reference"


@pytest.fixture
def target():
    return load_target(SOURCE, tables=list(tables()))


@pytest.mark.parametrize(("name", "nodes"), [("lb-2", 8), ("lb-2-tls", 8), ("two-psp", 8), ("single", 6)])
def test_a_topology_has_only_services_that_are_described(target, name, nodes):
    topology = load_topology(target, name)
    own = [node for node in topology.nodes if node.index]
    assert len(own) == nodes
    assert {node.service for node in own} <= set(target.services)


def test_every_state_of_the_database_has_a_class(target):
    schema = "".join(path.read_text() for path in sorted((SOURCE / "sql").glob("*.sql")))
    for kind, table in (("order", "orders"), ("payment", "payments"), ("refund", "refunds")):
        rest = schema.partition(f"CREATE TABLE {table} (")[2].partition("CHECK (state IN (")[2]
        states = {word.strip().strip("'") for word in rest.partition(")")[0].split(",")}
        assert states == set(target.state_classes[kind])


def test_the_catalogue_is_what_the_database_is_seeded_with(stack, target):
    seeded = {row["sku"]: row for row in stack.facts("stock")}
    for item in target.catalogue:
        row = seeded[str(item["sku"])]
        assert (row["unit_price"], row["currency"], row["initial"]) == (
            item["unit_price"],
            item["currency"],
            item["stock"],
        )


def test_every_fact_can_be_read_and_has_the_columns_of_its_table(stack, target, token):
    stack.pay(stack.create("facts"), token, "facts-pay")
    for source in target.facts:
        if source.sql:
            rows = stack.facts(Path(source.sql).stem)
            known = {column.name for column in tables()[source.table].columns}
            assert rows and all(set(row) <= known for row in rows)


def test_the_services_import_nothing_of_the_harness():
    for path in sorted((SOURCE / "services").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "paydrill" for name in names), path
