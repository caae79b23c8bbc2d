from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

# pytest's importlib mode has no sibling imports; the builder is loaded by its path.
_PATH = Path(__file__).parent.parent / "invariants" / "synthetic_drill.py"
_SPEC = importlib.util.spec_from_file_location("synthetic_drill", _PATH)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)


@pytest.fixture
def new_drill(tmp_path):
    """Makes empty synthetic drills, each in a folder of its own."""
    count = iter(range(1000))
    return lambda: _MODULE.SyntheticDrill(tmp_path / f"run-{next(count)}")


@pytest.fixture
def drill(new_drill):
    return new_drill()
