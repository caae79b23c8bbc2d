"""Mutants: a target with one seeded bug, kept as a patch file with a small header.

The header stands before the diff, a line each: `# name: M01`, `# title: …`, `# breaks: I-01, I-02`,
`# scenario: psp-response-lost`. A patch without a header is a mutant named after its file.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paydrill.errors import UsageError
from paydrill.patching import FileChange, parse_patch, patched
from paydrill.yaml_fields import nearest, one_of
from paydrill.yaml_source import shown

FOLDER = "mutants"
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", ".git", FOLDER)
_HEADER = re.compile(r"#\s*([a-z]+)\s*:\s*(.*)")


@dataclass(frozen=True)
class Mutant:
    """`files` are the paths that the patch changes, relative to the target's folder.

    breaks: ids of the invariants that it is expected to break, the first foremost
    """

    name: str
    title: str
    breaks: tuple[str, ...]
    scenarios: tuple[str, ...]
    patch: Path
    files: tuple[str, ...]


def read_mutant(patch: Path) -> Mutant:
    """The mutant of a patch file, not applied. Raises UsageError when it is no patch."""
    data = _patch_bytes(patch)
    return _described(patch, data, parse_patch(data, str(patch)))


def mutants_of(target_folder: Path) -> tuple[Mutant, ...]:
    """All mutants that come with a target, by name. Raises UsageError for a patch that is none."""
    found = [read_mutant(path) for path in sorted((target_folder / FOLDER).glob("*.patch"))]
    return tuple(sorted(found, key=lambda mutant: mutant.name))


def find_mutant(target_folder: Path, word: str) -> Mutant:
    """By its number (`M01`, `m01`), by its file's name (`M01-attempt-in-key`), or any patch file.

    Raises UsageError with the nearest name when there is none.
    """
    if word.endswith((".patch", ".diff")) or "/" in word:
        return read_mutant(Path(word))
    mutants = mutants_of(target_folder)
    for mutant in mutants:
        if word.lower() in (mutant.name.lower(), mutant.patch.stem.lower()):
            return mutant
    names = [mutant.name for mutant in mutants] + [mutant.patch.stem for mutant in mutants]
    near = nearest(word, names)
    hint = (
        f" (did you mean {near}?)" if near else f": expected a patch file or {one_of(names)}" if names else ""
    )
    raise UsageError(f"there is no mutant {shown(word)}{hint}")


def check_mutant(target_folder: Path, patch: Path) -> Mutant:
    """The mutant, if it could be applied; nothing is written. Raises UsageError as `apply_mutant` does."""
    mutant, _ = _planned(target_folder, patch)
    return mutant


def apply_mutant(target_folder: Path, patch: Path, dest: Path) -> Mutant:
    """Copy the target's folder to `dest` (which must not exist) and change the copy.

    Raises UsageError, naming file and hunk, when the patch does not apply exactly, leaves the folder
    or touches a symbolic link; `dest` is then not made.
    """
    mutant, results = _planned(target_folder, patch)
    if dest.exists():
        raise UsageError(f"{dest}: is there already; a mutant is made in a folder of its own")
    shutil.copytree(target_folder, dest, symlinks=True, ignore=_NOT_COPIED)
    for name, content in results.items():
        path = dest / name
        if content is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return mutant


def _planned(target_folder: Path, patch: Path) -> tuple[Mutant, Mapping[str, bytes | None]]:
    data = _patch_bytes(patch)
    changes = _from_target(parse_patch(data, str(patch)), target_folder)
    return _described(patch, data, changes), patched(target_folder, changes, str(patch))


def _patch_bytes(patch: Path) -> bytes:
    try:
        if not patch.is_file():
            raise UsageError(f"{patch}: there is no such patch file")
        return patch.read_bytes()
    except OSError as error:
        raise UsageError(f"{patch}: cannot be read: {error.strerror}") from error


def _from_target(changes: Sequence[FileChange], target_folder: Path) -> Sequence[FileChange]:
    """Paths of a diff made at the top of a repository (`targets/<name>/…`) are taken from the target on."""
    top = f"targets/{target_folder.resolve().name}/"
    names = [name for change in changes for name in (change.before, change.after) if name]
    if not all(name.startswith(top) for name in names):
        return changes
    return [
        replace(
            change,
            before=change.before and change.before.removeprefix(top),
            after=change.after and change.after.removeprefix(top),
        )
        for change in changes
    ]


def _described(patch: Path, data: bytes, changes: Sequence[FileChange]) -> Mutant:
    header = _header(data, str(patch))
    return Mutant(
        name=header.get("name", patch.stem),
        title=header.get("title", ""),
        breaks=_words(header.get("breaks", "")),
        scenarios=_words(header.get("scenario", header.get("scenarios", ""))),
        patch=patch,
        files=tuple(change.path for change in changes),
    )


def _header(data: bytes, shown_as: str) -> dict[str, str]:
    """`# key: value` lines before the diff begins; other lines there are free text."""
    header: dict[str, str] = {}
    for raw in data.splitlines():
        if raw.startswith((b"--- ", b"diff ", b"@@")):
            break
        match = _HEADER.fullmatch(raw.decode("utf-8", "replace").strip())
        if match:
            header.setdefault(match[1], match[2].strip())
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,60}", header.get("name", "x")):
        raise UsageError(f"{shown_as}: {shown(header['name'])} is not a name for a mutant, such as M01")
    return header


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[,\s]+", text) if word)
