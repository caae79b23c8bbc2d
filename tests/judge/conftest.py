from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def hand() -> ModuleType:
    """The module `drill_folder`: run folders written by hand."""
    return _load("drill_folder")


@pytest.fixture
def drill(hand: ModuleType):
    """A healthy drill, not yet written."""
    return hand.DrillFolder()
