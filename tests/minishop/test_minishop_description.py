"""What the harness reads of the minishop fits the shop, and the shop knows nothing of the harness."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from paydrill.evidence.schema import tables
from paydrill.load.operations import compile_requests
from paydrill.mutants import check_mutant, mutants_of
from paydrill.target_file import load_target
from paydrill.topology_file import load_topology

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "targets" / "minishop"


@pytest.fixture
def target():
    return load_target(FOLDER, tables=list(tables()))


def literal(file, name):
    """The value of a plain assignment in one of the shop's files."""
    for node in ast.parse((FOLDER / "shop" / file).read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{file} has no {name}")


def test_the_process_that_calls_the_psp_is_called_payments(target):
    topology = load_topology(target, target.default_topology)
    assert {edge.name for edge in topology.edges} == {"client->payments-1", "payments-1->psp"}


def test_its_catalogue_is_what_the_shop_sells(target):
    sold = literal("catalogue.py", "PRICES")
    assert {row["sku"]: row["unit_price"] for row in target.catalogue} == sold
    assert {row["currency"] for row in target.catalogue} == {literal("catalogue.py", "CURRENCY")}


def test_every_state_of_a_purchase_has_a_class(target):
    schema = (FOLDER / "shop" / "schema.sql").read_text()
    states = re.search(r"CHECK \(state IN \(([^)]*)\)", schema.partition("TABLE IF NOT EXISTS purchase")[2])[
        1
    ]
    assert set(re.findall(r"'(\w+)'", states)) == set(target.state_classes["order"])


def test_it_offers_no_facts_and_its_templates_compile(target):
    assert (target.facts, target.open_work) == ((), None)
    assert set(compile_requests(target.client)) == {"create", "pay", "read", "find"}


def test_its_planted_bug_applies(target):
    (mutant,) = mutants_of(FOLDER)
    assert check_mutant(FOLDER, mutant.patch).breaks == ("I-01", "I-02")


def test_the_shop_imports_only_what_it_declares():
    declared = set(re.findall(r"^[a-z]+", (FOLDER / "requirements.txt").read_text(), re.M))
    for path in sorted((FOLDER / "shop").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in (name.split(".")[0] for name in names):
                assert name in {*sys.stdlib_module_names, *declared, "shop"}, f"{path.name}: {name}"


def test_nothing_outside_of_its_folder_names_it():
    """One folder, no edit elsewhere: the harness, the scenarios and the other targets do without its name."""
    places = [
        *(ROOT / "harness").rglob("*.py"),
        *(ROOT / "harness").rglob("*.sql"),
        *(ROOT / "scenarios").rglob("*.yaml"),
    ]
    assert [str(path) for path in places if "minishop" in path.read_text().lower()] == []


def test_the_attached_example_describes_the_same_api(target):
    attached = load_target(ROOT / "targets" / "attached", tables=list(tables()))
    assert attached.client == target.client
    assert attached.catalogue == target.catalogue
    assert attached.state_classes == target.state_classes
