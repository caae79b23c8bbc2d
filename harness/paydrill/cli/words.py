"""What may be said in scenarios and targets, gathered from the folders of faults, classes and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paydrill.scenario import Scenario
from paydrill.target import Target
from paydrill.topology import Topology


def invariant_ids() -> tuple[str, ...]:
    """The ids of all invariants."""
    from paydrill.invariants.catalogue import known

    return tuple(invariant.id for invariant in known())


def load_target_folder(folder: Path) -> Target:
    from paydrill.evidence.schema import tables
    from paydrill.target_file import load_target

    return load_target(folder, tables=tuple(tables()))


def load_scenario_file(
    path: Path, topology: Topology | None, overrides: Sequence[str] = (), target: Target | None = None
) -> Scenario:
    """With every word checked. Raises FileProblems, UsageError."""
    from paydrill import faults
    from paydrill.guards.window_counts import WINDOWS
    from paydrill.load import classes
    from paydrill.scenario_file import load_scenario

    return load_scenario(
        path,
        faults.known(),
        topology,
        classes=tuple(classes.known()),
        invariants=invariant_ids(),
        windows=tuple(WINDOWS),
        overrides=overrides,
        target=target,
    )


def scenario_schema() -> str:
    """The text of docs/scenario.schema.json."""
    from paydrill import faults
    from paydrill.guards.window_counts import WINDOWS
    from paydrill.load import classes
    from paydrill.scenario_schema import schema_text

    return schema_text(faults.known(), tuple(classes.known()), invariant_ids(), tuple(WINDOWS))
