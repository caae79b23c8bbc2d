"""Strict YAML: text -> a small tree in which every key and value knows its line and column.

Only what a person would write on purpose is accepted: UTF-8, one document, text keys, each key once,
no tabs, no anchors or aliases, no tags, no directives; bounded in size, depth and number of nodes.
All mistakes of a text are collected, so that they can be reported together with those of its content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paydrill.errors import FileProblems, Problem, UsageError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_NODES = 10_000
SHOWN = 60


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands. `line` and `column` count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True)
class YamlScalar:
    """`value` by YAML 1.2's core schema (`on` stays text); `text` as it was written."""

    value: bool | int | float | str | None
    text: str
    place: Place


@dataclass(frozen=True)
class YamlList:
    items: tuple[YamlNode, ...]
    place: Place


@dataclass(frozen=True)
class YamlEntry:
    key_place: Place
    node: YamlNode


@dataclass(frozen=True)
class YamlMap:
    """Keys are always the text that was written (`200:` is the key "200")."""

    entries: Mapping[str, YamlEntry]
    place: Place


YamlNode = YamlScalar | YamlList | YamlMap


@dataclass
class Mistakes:
    """Collects what is wrong, so that everything can be reported at once."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, place: Place, path: str, message: str, suggestion: str | None = None) -> None:
        self.problems.append(Problem(place.file, place.line, place.column, path, message, suggestion))

    def raise_if_any(self) -> None:
        """Raises FileProblems with all of them, each once."""
        if self.problems:
            raise FileProblems(tuple(dict.fromkeys(self.problems)))


def shown(text: object) -> str:
    """A value for a message: quoted, on one line, control characters escaped, not too long."""
    plain = str(text)
    return repr(plain if len(plain) <= SHOWN else plain[: SHOWN - 1] + "…")


def path_of(parent: str, key: str) -> str:
    """`load` + `rate` -> `load.rate`; a key with odd characters is quoted."""
    safe = key if re.fullmatch(r"[\w.>/+ -]{1,60}", key) else shown(key)
    return f"{parent}.{safe}" if parent else safe


def read_bytes(path: Path) -> bytes:
    """The file, refused unread when it is no regular file or too big. Raises UsageError."""
    try:
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file" if not path.exists() else f"{path}: not a file")
        if path.stat().st_size > MAX_BYTES:
            raise FileProblems([_too_big(str(path))])
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def parse_yaml(data: bytes, file: str, mistakes: Mistakes) -> YamlNode | None:
    """The document's tree; None when it has none that could be looked at further.

    What is wrong is added to `mistakes`; a tree may come back beside mistakes (duplicate keys …).
    """
    if len(data) > MAX_BYTES:
        mistakes.problems.append(_too_big(file))
        return None
    text = _decoded(data, file, mistakes)
    if text is None:
        return None
    from paydrill.yaml_tree import TreeBuilder  # ruamel.yaml takes 60 ms to import

    tabs = _report_tabs(text, file, mistakes)
    return TreeBuilder(file, mistakes).build(text.replace("\t", " "), forgive_syntax=tabs)


def _too_big(file: str) -> Problem:
    return Problem(
        file,
        1,
        1,
        "",
        f"the file is bigger than {MAX_BYTES // 1024} kB",
        "to split it, or to drop what is generated",
    )


def _decoded(data: bytes, file: str, mistakes: Mistakes) -> str | None:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        mistakes.add(
            Place(file, line, column),
            "",
            f"not UTF-8: byte 0x{data[error.start]:02x} cannot stand here",
            "to save the file with the encoding UTF-8",
        )
        return None


def _report_tabs(text: str, file: str, mistakes: Mistakes) -> bool:
    """One problem a line that has a tab; columns stay right when each becomes one space."""
    found = False
    for number, line in enumerate(text.split("\n"), start=1):
        column = line.find("\t")
        if column >= 0:
            found = True
            mistakes.add(Place(file, number, column + 1), "", "a tab character", "spaces")
    return found
