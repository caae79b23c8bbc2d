"""One drill that somebody asked for, everything about it settled and checked; nothing has been started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from paydrill.plan import Plan
from paydrill.scenario import Scenario
from paydrill.target import Target
from paydrill.topology import Topology

BackendChoice = Literal["auto", "docker", "local", "attached"]


@dataclass(frozen=True)
class MutantChoice:
    """A mutant by its name (`M01`, or the patch file's name) and its patch, already tried on a copy."""

    name: str
    patch: Path


@dataclass(frozen=True)
class DrillRequest:
    """`argv` is what was typed; `command_t_ns` (monotonic) is when.

    owned: the name of the target of which the user says that it is theirs to break
    """

    scenario: Scenario
    target: Target
    topology: Topology
    plan: Plan
    seed: int
    backend: BackendChoice
    mutant: MutantChoice | None
    control: bool
    argv: Sequence[str]
    command_t_ns: int
    owned: str | None = None
