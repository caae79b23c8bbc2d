"""The end of a drill: every PSP is frozen before any is asked for its last line."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

from paydrill.conductor import Conductor
from paydrill.load.final_reads import FinalReads
from paydrill.run_folder import LineLog, RunFolder
from paydrill.target import Timing
from paydrill.topology import Topology


@dataclass
class Psp:
    """Writes down what is asked of it."""

    name: str
    head: str
    asked: list[str] = field(default_factory=list)

    def freeze(self):
        self.asked.append(f"freeze {self.name}")

    def drain(self, timeout_s):
        self.asked.append(f"drain {self.name}")
        return SimpleNamespace(status=SimpleNamespace(n=7, head=self.head, in_flight=0))


def test_each_psp_is_frozen_and_has_a_line_of_its_own(tmp_path):
    asked: list[str] = []
    stack = SimpleNamespace(
        setup=SimpleNamespace(timing=Timing(reconcile_period_s=0.01), target=SimpleNamespace(facts=())),
        topology=Topology("t", "t", (), ()),
        psps={"psp": Psp("psp", "aa", asked), "psp2": Psp("psp2", "bb", asked)},
        dead_instruments=list,
    )
    load = SimpleNamespace(final_reads=lambda timeout_s: FinalReads(0, 0), alive=lambda: True)
    run = RunFolder(tmp_path)
    with LineLog(run.timeline) as timeline:
        Conductor(plan=None, faults={}, run=run, timeline=timeline)._collect(stack, load)

    assert asked == ["freeze psp", "freeze psp2", "drain psp", "drain psp2"]
    lines = [json.loads(line) for line in run.timeline.read_text().splitlines()]
    frozen = [(line["name"], line["n"], line["head"]) for line in lines if line["kind"] == "psp_freeze"]
    assert frozen == [("psp", 7, "aa"), ("psp2", 7, "bb")]
