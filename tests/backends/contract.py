"""How a backend is put under the contract: a file `<name>_under_test.py` here with a dict BACKENDS."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from contract_checks import Hooks

from paydrill.backends import Backend


@dataclass(frozen=True)
class BackendUnderTest:
    """make: the backend; hooks: what only it knows; missing: why it cannot be tested here, or None.

    marks: names of pytest marks for all its tests (such as `docker`).
    """

    make: Callable[[], Backend]
    hooks: Hooks
    missing: Callable[[], str | None]
    isolation: str
    marks: tuple[str, ...] = field(default_factory=tuple)


def backends_under_test() -> dict[str, BackendUnderTest]:
    found: dict[str, BackendUnderTest] = {}
    for file in sorted(Path(__file__).parent.glob("*_under_test.py")):
        found |= importlib.import_module(file.stem).BACKENDS
    return found
