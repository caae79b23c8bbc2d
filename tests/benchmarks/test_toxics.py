"""Toxics act on connections that are already open, by what is asked for (docs/faults.md)."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def bench_toxics():
    spec = spec_from_file_location("bench_toxics", Path(__file__).parent / "bench_toxics.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_fifty_milliseconds_on_an_open_connection_are_fifty_to_fifty_five():
    seen = bench_toxics().measure(latency_ms=50, trips=200)
    assert seen["least_with_ms"] >= 50, seen  # Toxiproxy is never early
    assert 50 <= seen["rise_ms"] <= 55, seen
