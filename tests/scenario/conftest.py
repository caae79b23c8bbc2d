"""A small topology and a way to load scenario texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from paydrill.errors import FileProblems
from paydrill.faults import known
from paydrill.scenario import Scenario
from paydrill.scenario_file import load_scenario
from paydrill.topology import Edge, Node, Topology

GOOD = """\
name: sample
title: {en: A sample}
why: It shows what a scenario looks like.
load: {rate: 40/s, duration: 20s, mix: {checkout: 8, read: 3}}
timeline:
  - {at: 5s, for: 6s, fault: timeout, edge: payments->psp}
expect:
  invariants: all
  slo: {availability: ">= 0.90"}
"""

TOPOLOGY = Topology(
    name="two",
    title="Two payments nodes",
    nodes=(
        Node("client", "client", 0),
        Node("lb-1", "lb", 1),
        Node("payments-1", "payments", 1),
        Node("payments-2", "payments", 2),
        Node("psp", "psp", 0),
    ),
    edges=(
        Edge("client", "lb-1"),
        Edge("lb-1", "payments-1"),
        Edge("lb-1", "payments-2"),
        Edge("payments-1", "psp"),
        Edge("payments-2", "psp"),
    ),
)

Load = Callable[..., Scenario]
Mistakes = Callable[[str | bytes], list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a text as `s.yaml` with every word checked."""

    def load_text(text: str | bytes, *overrides: str, topology: Topology | None = TOPOLOGY) -> Scenario:
        path = tmp_path / "s.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_scenario(
            path,
            known(),
            topology,
            classes=("checkout", "read", "refund", "cancel"),
            invariants=("I-01", "I-02", "I-04"),
            windows=("psp_commit_then_killed",),
            overrides=overrides,
        )

    return load_text


@pytest.fixture
def mistakes(load: Load, tmp_path: Path) -> Mistakes:
    """The lines that a wrong text gives, with the file called `s.yaml`."""

    def lines(text: str | bytes, *overrides: str) -> list[str]:
        with pytest.raises(FileProblems) as caught:
            load(text, *overrides)
        return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return lines
