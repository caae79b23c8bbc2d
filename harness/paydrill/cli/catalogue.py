"""Everything that can be listed or shown, a row each; reads files and starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paydrill import library
from paydrill.errors import PaydrillError


@dataclass(frozen=True)
class Row:
    """One thing with a name. `about` is one line; `facts` what --json says besides.

    cells: what stands between the name and `about` in words, under the columns of its kind.
    """

    name: str
    about: str
    facts: Mapping[str, Any]
    cells: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "about": self.about, **self.facts}


def rows_of(kind: str, target: str) -> list[Row]:
    """All of a kind. `target` is asked for topologies and mutants. Raises UsageError for no such target."""
    return KINDS[kind](target)


def _scenarios(target: str) -> list[Row]:
    return [_file_row(path, lambda path=path: _scenario(path)) for path in library.scenario_files()]  # type: ignore[misc]


def _scenario(path: Path) -> Row:
    from paydrill.cli.words import load_scenario_file

    scenario = load_scenario_file(path, None)
    facts = {
        "title": dict(scenario.title),
        "why": scenario.why,
        "duration_s": scenario.load.duration_s,
        "faults": sorted({step.fault.name for step in scenario.timeline}),
        "path": str(path),
    }
    return Row(scenario.name, scenario.title.get("en") or next(iter(scenario.title.values()), ""), facts)


def _suites(target: str) -> list[Row]:
    return [Row(path.stem, str(path), {"path": str(path)}) for path in library.suite_files()]


def _faults(target: str) -> list[Row]:
    from paydrill import faults
    from paydrill.fault_fields import specs_of
    from paydrill.faults.docs import keys_of, needs_of

    return [
        Row(
            name,
            fault.summary,
            {
                "family": fault.family,
                "hits": fault.hits,
                "keys": [spec.key for spec in specs_of(fault)],
                "units": {spec.key: spec.unit for spec in specs_of(fault) if spec.unit},
                "backends": list(fault.backends),
                "needs": list(fault.needs),
                "witness": fault.witnessed_by,
                "looks": fault.looks,
                "effect": fault.effect,
                "expects": fault.expects,
                "undo": fault.undo,
            },
            (
                *(fault.hits, keys_of(fault), " ".join(fault.backends), needs_of(fault)),
                *(fault.witnessed_by, fault.effect),
            ),
        )
        for name, fault in sorted(faults.known().items(), key=lambda named: (named[1].family, named[0]))
    ]


def _invariants(target: str) -> list[Row]:
    from paydrill.invariants.catalogue import known

    return [
        Row(
            one.id,
            one.title,
            {"title": one.title, "severity": one.severity, "rule": one.rule, "file": one.name},
        )
        for one in known()
    ]


def _topologies(target: str) -> list[Row]:
    from paydrill.cli.words import load_target_folder
    from paydrill.topology_file import load_topology, topology_names

    loaded = load_target_folder(library.target_folder(target))
    rows = []
    for name in topology_names(loaded.folder):
        one = load_topology(loaded, name)
        facts = {"target": loaded.name, "nodes": len(one.nodes), "edges": len(one.edges)}
        rows.append(Row(name, one.title, facts))
    return rows


def _mutants(target: str) -> list[Row]:
    from paydrill.mutants import mutants_of

    return [
        Row(
            one.name,
            one.title,
            {
                "breaks": list(one.breaks),
                "scenarios": list(one.scenarios),
                "files": list(one.files),
                "patch": str(one.patch),
            },
        )
        for one in mutants_of(library.target_folder(target))
    ]


def _targets(target: str) -> list[Row]:
    return [_file_row(path, lambda path=path: _target(path)) for path in library.target_folders()]  # type: ignore[misc]


def _target(folder: Path) -> Row:
    from paydrill.cli.words import load_target_folder
    from paydrill.topology_file import topology_names

    one = load_target_folder(folder)
    facts = {
        "folder": str(folder),
        "default_topology": one.default_topology,
        "topologies": list(topology_names(folder)),
    }
    return Row(one.name, one.title, facts)


def _file_row(path: Path, read: Callable[[], Row]) -> Row:
    """A file with mistakes is listed as such: it must not hide the others."""
    try:
        return read()
    except PaydrillError as error:
        return Row(
            path.stem,
            "cannot be read: " + str(error).splitlines()[0],
            {"problem": str(error), "path": str(path)},
        )


KINDS: Mapping[str, Callable[[str], list[Row]]] = {
    "scenarios": _scenarios,
    "suites": _suites,
    "faults": _faults,
    "invariants": _invariants,
    "topologies": _topologies,
    "mutants": _mutants,
    "targets": _targets,
}
COLUMNS: Mapping[str, Sequence[str]] = {
    "faults": ("name", "hits", "keys", "backends", "needs", "witness", "effect", "what"),
}
"""Of the kinds that say more than `name` and `what`."""
