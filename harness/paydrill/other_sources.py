"""Other versions of a target's source, for drills in which some nodes run one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from paydrill.errors import UsageError
from paydrill.mutants import FOLDER, apply_mutant, find_mutant
from paydrill.yaml_source import shown

_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", ".git", ".venv", FOLDER)


@dataclass(frozen=True)
class OtherSource:
    """`patch` changes the drill's source; `folder` takes its place. One of them."""

    patch: str | None = None
    folder: str | None = None

    @property
    def name(self) -> str:
        """What it is called in a `StackSetup`."""
        return f"patch {self.patch}" if self.patch is not None else f"source {self.folder}"

    def find(self, target_folder: Path) -> Path:
        """The patch file, or the folder. Raises UsageError where there is none."""
        if self.patch is not None:
            inside = target_folder / self.patch
            return inside if inside.is_file() else find_mutant(target_folder, self.patch).patch
        folder = target_folder / str(self.folder)
        if not (folder / "target.yaml").is_file():
            raise UsageError(f"{shown(str(folder))} is not a target's folder: it has no target.yaml")
        return folder


@runtime_checkable
class RunsOtherSource(Protocol):
    """A fault that has nodes run another source."""

    @property
    def other_source(self) -> OtherSource: ...


def prepare(faults: Iterable[object], target_folder: Path, source: Path, into: Path) -> Mapping[str, Path]:
    """A copy of every other source that the faults want, below `into`, by its name.

    Patches are made to `source`, the drill's own. Raises UsageError for what cannot be had.
    """
    wanted = dict.fromkeys(fault.other_source for fault in faults if isinstance(fault, RunsOtherSource))
    found: dict[str, Path] = {}
    for number, other in enumerate(wanted):
        at, copy = other.find(target_folder), into / str(number)
        if other.patch is not None:
            apply_mutant(source, at, copy)
        else:
            shutil.copytree(at, copy, symlinks=True, ignore=_NOT_COPIED)
        _open_to_all(copy)
        found[other.name] = copy
    return found


def _open_to_all(folder: Path) -> None:
    """The nodes run as other users."""
    for parent, _, files in os.walk(folder):
        os.chmod(parent, 0o755)
        for file in files:
            path = Path(parent, file)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o444)
