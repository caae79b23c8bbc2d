"""What was typed -> DrillRequests, everything checked; nothing is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paydrill import library
from paydrill.cli.words import load_scenario_file, load_target_folder
from paydrill.errors import FileProblems, Problem, UsageError
from paydrill.mutants import check_mutant, find_mutant
from paydrill.plan import make_plan
from paydrill.request import BackendChoice, DrillRequest, MutantChoice
from paydrill.scenario_file import peek_names
from paydrill.target import Target
from paydrill.topology import Topology
from paydrill.topology_file import load_topology


@dataclass(frozen=True)
class Asked:
    """The options of `paydrill run`. `target` and `topology` None: as the scenario says, else the default."""

    scenarios: Sequence[str]
    target: str | None = None
    topology: str | None = None
    backend: BackendChoice = "auto"
    mutant: str | None = None
    seed: int = 1
    repeat: int = 1
    control: bool = False
    overrides: Sequence[str] = ()
    owned: str | None = None
    argv: Sequence[str] = ()
    command_t_ns: int = 0


@dataclass
class _Loaded:
    """Targets and topologies that were read already, and the mistakes of all files."""

    targets: dict[str, Target] = field(default_factory=dict)
    topologies: dict[tuple[str, str], Topology] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def requests_of(asked: Asked) -> list[DrillRequest]:
    """One request a drill, in the order of the scenarios. Raises UsageError, FileProblems with all mistakes."""
    loaded = _Loaded()
    requests: list[DrillRequest] = []
    for word in asked.scenarios:
        requests += _requests(library.scenario_path(word), asked, loaded)
    if loaded.problems:
        raise FileProblems(tuple(dict.fromkeys(loaded.problems)))
    return requests


def _requests(path: Path, asked: Asked, loaded: _Loaded) -> list[DrillRequest]:
    names = peek_names(path)
    target = _target(asked.target or names.get("target") or library.DEFAULT_TARGET, loaded)
    topology = _topology(target, asked.topology or names.get("topology"), loaded) if target else None
    try:
        scenario = load_scenario_file(path, topology, asked.overrides, target)
    except FileProblems as error:
        loaded.problems += error.problems
        return []
    if target is None or topology is None:
        return []
    _check_reach(target, topology, asked.owned)
    mutant = _mutant(target, asked.mutant)
    from paydrill.load.offers import left_out  # the load is a quarter of a second, and only drills need it

    lacking = left_out(scenario.load.mix, target, topology)
    return [
        DrillRequest(
            scenario=scenario,
            target=target,
            topology=topology,
            plan=make_plan(scenario, topology, target, seed, tuple(lacking)),
            seed=seed,
            backend=asked.backend,
            mutant=mutant,
            control=asked.control,
            argv=tuple(asked.argv),
            command_t_ns=asked.command_t_ns,
            owned=asked.owned,
        )
        for seed in range(asked.seed, asked.seed + asked.repeat)
    ]


def _target(word: str, loaded: _Loaded) -> Target | None:
    if word not in loaded.targets:
        try:
            loaded.targets[word] = load_target_folder(library.target_folder(word))
        except FileProblems as error:
            loaded.problems += error.problems
    return loaded.targets.get(word)


def _topology(target: Target, name: str | None, loaded: _Loaded) -> Topology | None:
    key = (target.name, name or target.default_topology)
    if key not in loaded.topologies:
        try:
            loaded.topologies[key] = load_topology(target, key[1])
        except FileProblems as error:
            loaded.problems += error.problems
    return loaded.topologies.get(key)


def _check_reach(target: Target, topology: Topology, owned: str | None) -> None:
    """Raises UsageError before anything is started, also by a dry run."""
    if owned is not None and owned != target.name:
        raise UsageError(f"--i-own-this-target {owned}: the target of this drill is {target.name}")
    if target.attached:
        from paydrill.backends.attached.reach import reach_of

        reach_of(target, topology, owned)


def _mutant(target: Target, word: str | None) -> MutantChoice | None:
    if word is None:
        return None
    if target.attached:
        raise UsageError(f"--mutant {word}: somebody else runs {target.name}; no bug can be planted in it")
    mutant = find_mutant(target.folder, word)
    return MutantChoice(check_mutant(target.folder, mutant.patch).name, mutant.patch.resolve())


def check_out(out: Path) -> None:
    """Raises UsageError when run folders cannot be put there without touching what is not ours."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is a file; expected a folder for run folders")
    latest = out / "latest"
    if latest.exists() and not latest.is_symlink():
        raise UsageError(f"--out {out}: holds something else called `latest`, which will not be overwritten")
