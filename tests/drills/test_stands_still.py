"""A Toxiproxy that stands still over a healing is started anew, and the drill goes on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.drill

HERE = Path(__file__).parent
IMPATIENT = [sys.executable, HERE / "with_an_impatient_client.py"]


def test_a_fault_is_healed_although_toxiproxy_stands_still_over_it(drill, backend):
    scenario = str(HERE / "stands-still.yaml")
    ran = drill(scenario, "--backend", backend, "--seed", "1", paydrill=IMPATIENT)
    assert ran.code == 0, ran.told()
    anew = [line for line in ran.timeline if line["kind"] == "instrument_restarted"]
    assert [line["name"] for line in anew] == ["toxiproxy"], ran.told()
    assert "toxiproxy had to be started anew" in ran.stderr
    assert all(line["clean"] for line in ran.timeline if line["kind"] in ("heal", "healed"))
    guard = next(one for one in ran.verdict["guards"] if one["name"] == "instruments_alive")
    assert "toxiproxy was started anew" in guard["detail"]
    assert_no_bytes_are_forgotten(ran.timeline)


def assert_no_bytes_are_forgotten(timeline):
    """Also of the edges whose fault was in force while the counters began again."""
    before = {(line["id"], line["edge"]): line for line in timeline if line.get("when") == "before"}
    after = [line for line in timeline if line.get("when") == "after"]
    assert len(after) == len(before) > 2
    for line in after:
        first = before[line["id"], line["edge"]]
        assert line["received"] > first["received"] and line["sent"] > first["sent"], (first, line)
