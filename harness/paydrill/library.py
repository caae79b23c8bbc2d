"""Finding scenarios, targets and runs by the words that people type.

Names are looked for in the folder that the command is typed in, then in what comes with paydrill.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from paydrill.errors import UsageError
from paydrill.run_folder import RunFolder
from paydrill.yaml_fields import nearest, one_of
from paydrill.yaml_source import shown

SCENARIOS = "scenarios"
SUITES = "suites"
TARGETS = "targets"
REPORTS = "reports"
DEFAULT_TARGET = "reference"
_RUN_FILES = ("run.json", "plan.json", "timeline.jsonl", "verdict.json")


def roots(start: Path | None = None) -> tuple[Path, ...]:
    """The folders that may hold `scenarios/` and `targets/`, in the order in which they are asked."""
    package = Path(__file__).resolve().parent
    candidates = [start or Path.cwd(), package / "_shipped", package.parent.parent]
    found = [path for path in candidates if (path / SCENARIOS).is_dir() or (path / TARGETS).is_dir()]
    return tuple({path.resolve(): path for path in found}.values())


def scenario_files() -> tuple[Path, ...]:
    """All scenarios by name; of two with one name the first root's."""
    return _by_name(path for root in roots() for path in sorted((root / SCENARIOS).glob("*.yaml")))


def suite_files() -> tuple[Path, ...]:
    return _by_name(path for root in roots() for path in sorted((root / SCENARIOS / SUITES).glob("*.yaml")))


def target_folders() -> tuple[Path, ...]:
    found = [path.parent for root in roots() for path in sorted((root / TARGETS).glob("*/target.yaml"))]
    return tuple({path.name: path for path in reversed(found)}.values())[::-1]


def scenario_path(word: str) -> Path:
    """A scenario by name or file. Raises UsageError with the nearest name."""
    if "/" in word or word.endswith((".yaml", ".yml")):
        path = Path(word)
        if not path.is_file():
            near = nearest(path.name, [other.name for other in path.parent.glob("*.y*ml")])
            raise UsageError(
                f"{word}: there is no such scenario file{_hint(near and str(path.parent / near), ())}"
            )
        return path
    return _found("scenario", word, {path.stem: _from_here(path) for path in scenario_files()})


def target_folder(word: str) -> Path:
    """A target by name or folder. Raises UsageError with the nearest name."""
    if "/" in word:
        return Path(word)
    return _found("target", word, {path.name: _from_here(path) for path in target_folders()})


def run_folder(word: str) -> RunFolder:
    """A run by its path, or by its name in `reports/`. Raises UsageError when that is no run."""
    there = Path(word)
    path = there if there.exists() or "/" in word else Path(REPORTS) / word
    if not path.is_dir():
        runs = [one.name for one in Path(REPORTS).glob("*") if one.is_dir()]
        near = nearest(there.name, runs)
        raise UsageError(f"{word}: there is no such run{_hint(near and f'{REPORTS}/{near}', ())}")
    run = RunFolder(path.resolve())
    if not any((run.path / name).is_file() for name in _RUN_FILES) and not run.histories():
        raise UsageError(f"{word}: not a run: it has none of {', '.join(_RUN_FILES)}")
    return run


def _found(what: str, word: str, known: dict[str, Path]) -> Path:
    if word not in known:
        raise UsageError(f"there is no {what} {shown(word)}{_hint(nearest(word, known), sorted(known))}")
    return known[word]


def _hint(near: str | None, others: Sequence[str]) -> str:
    if near:
        return f" (did you mean {near}?)"
    return f": expected a file or {one_of(others)}" if others else ""


def _by_name(paths: Iterable[Path]) -> tuple[Path, ...]:
    named: dict[str, Path] = {}
    for path in paths:
        named.setdefault(path.stem, path)
    return tuple(named[name] for name in sorted(named))


def _from_here(path: Path) -> Path:
    """The same path, short where it lies below the folder that the command is typed in."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
