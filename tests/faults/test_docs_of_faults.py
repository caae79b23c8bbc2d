"""docs/faults.md is made from the catalogue, and each of its examples is a step that can be run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from paydrill import faults
from paydrill.cli.words import load_scenario_file, load_target_folder
from paydrill.faults.docs import faults_markdown
from paydrill.topology_file import load_topology

ROOT = Path(__file__).resolve().parents[2]
STORED = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
HEAD = """\
name: example
title: {en: An example}
why: It shows one fault.
load: {rate: 40/s, duration: 20s, mix: {checkout: 1}}
timeline:
"""


def test_the_page_of_faults_is_made_from_the_catalogue():
    assert faults_markdown() == STORED, "run: python -m paydrill.faults.docs docs/faults.md"


@pytest.mark.parametrize("name", sorted(faults.known()))
def test_the_example_of_a_fault_loads_for_the_reference_target(name, tmp_path):
    step = re.search(rf"^- {{at: 5s, for: 4s, fault: {name}[,}}].*$", STORED, re.MULTILINE)
    assert step is not None
    path = tmp_path / "example.yaml"
    path.write_text(f"{HEAD}  {step[0]}\n")
    topology = load_topology(load_target_folder(ROOT / "targets" / "reference"), "lb-2")
    (read,) = load_scenario_file(path, topology).timeline
    assert read.fault == faults.known()[name](**faults.known()[name].example)
    assert read.fault.places(topology)
