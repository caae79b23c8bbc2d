"""Makes the helpers beside these tests, and those of the backends and drills, importable."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / part) for part in ("faults", "backends", "drills")]
