"""Parser events of ruamel.yaml -> the tree of `yaml_source`; stops as soon as a limit is passed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from paydrill.yaml_source import (
    MAX_DEPTH,
    MAX_NODES,
    Mistakes,
    Place,
    YamlEntry,
    YamlList,
    YamlMap,
    YamlNode,
    YamlScalar,
    path_of,
    shown,
)

_NUMBER = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?")
_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}


class _Stop(Exception):
    """A limit was passed, or the text is no YAML: what follows cannot be looked at."""


def plain_value(text: str) -> bool | int | float | str | None:
    """What an unquoted scalar means by YAML 1.2's core schema; text when it is nothing else."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= 40 and _NUMBER.fullmatch(text):
        return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    return text


class TreeBuilder:
    """Builds one tree; every mistake goes to `mistakes` with its place."""

    def __init__(self, file: str, mistakes: Mistakes) -> None:
        self._file = file
        self._mistakes = mistakes
        self._nodes = 0
        self._documents = 0

    def build(self, text: str, *, forgive_syntax: bool) -> YamlNode | None:
        """The first document's tree. `forgive_syntax`: a syntax error is the echo of one already told."""
        events: Iterator[Any] = iter(YAML(typ="safe", pure=True).parse(text))
        root: YamlNode | None = None
        try:
            for event in events:
                if isinstance(event, DocumentStartEvent):
                    self._check_document(event)
                    node = self._node(next(events), events, 1, "")
                    root = root if self._documents > 1 else node
        except _Stop:
            return None
        except YAMLError as error:
            if not forgive_syntax:
                self._report_syntax(error, text)
            return None
        if root is None:
            self._mistakes.add(Place(self._file, 1, 1), "", "the file is empty")
        return root

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _check_document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            message = "a second document begins here; one file holds one"
            self._mistakes.add(self._place(event), "", message, "to remove the line `---`")
            raise _Stop
        if event.version or event.tags:
            self._mistakes.add(
                self._place(event), "", "directives are not accepted", "to remove the line `%…`"
            )

    def _node(self, event: Any, events: Iterator[Any], depth: int, path: str) -> YamlNode:
        place = self._place(event)
        self._count(place, path, depth)
        if isinstance(event, AliasEvent):
            self._refuse(place, path, f"an alias (*{event.anchor}) is not accepted", "the value itself")
            return YamlScalar(None, "", place)
        if event.anchor is not None:
            self._refuse(place, path, f"an anchor (&{event.anchor}) is not accepted", "the value without it")
        if event.tag is not None:
            self._refuse(place, path, f"a tag ({event.tag}) is not accepted", "the value without it")
        if isinstance(event, MappingStartEvent):
            return self._map(place, events, depth, path)
        if isinstance(event, SequenceStartEvent):
            return self._list(place, events, depth, path)
        return self._scalar(event, place)

    def _scalar(self, event: ScalarEvent, place: Place) -> YamlScalar:
        plain = event.style is None or event.style == ""
        return YamlScalar(plain_value(event.value) if plain else event.value, event.value, place)

    def _list(self, place: Place, events: Iterator[Any], depth: int, path: str) -> YamlList:
        items: list[YamlNode] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._node(event, events, depth + 1, f"{path}[{len(items)}]"))
        return YamlList(tuple(items), place)

    def _map(self, place: Place, events: Iterator[Any], depth: int, path: str) -> YamlMap:
        entries: dict[str, YamlEntry] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            key_place = self._place(event)
            key = self._key(event, events, depth, path)
            node = self._node(next(events), events, depth + 1, path_of(path, key or "?"))
            if key in entries:
                first = entries[key].key_place.line
                message = f"the key {shown(key)} stands here twice, first on line {first}"
                self._refuse(key_place, path_of(path, key), message, "to keep only one of them")
            elif key is not None:
                entries[key] = YamlEntry(key_place, node)
        return YamlMap(entries, place)

    def _key(self, event: Any, events: Iterator[Any], depth: int, path: str) -> str | None:
        if isinstance(event, ScalarEvent):
            self._node(event, events, depth + 1, path_of(path, event.value))
            if event.value != "<<":
                return str(event.value)
        else:
            self._node(event, events, depth + 1, path)
        self._refuse(self._place(event), path, "a key must be a plain word", "to write the keys out")
        return None

    def _count(self, place: Place, path: str, depth: int) -> None:
        self._nodes += 1
        if depth > MAX_DEPTH:
            self._refuse(place, "", f"nested deeper than {MAX_DEPTH} levels", "a flatter file")
            raise _Stop
        if self._nodes > MAX_NODES:
            self._refuse(place, "", f"more than {MAX_NODES} values", "to split the file")
            raise _Stop

    def _refuse(self, place: Place, path: str, message: str, suggestion: str) -> None:
        self._mistakes.add(place, path, message, suggestion)

    def _report_syntax(self, error: YAMLError, text: str) -> None:
        line, column, what = 1, 1, "not YAML"
        if isinstance(error, MarkedYAMLError):
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            what = " ".join(str(part) for part in (error.context, error.problem) if part)
        elif isinstance(error, ReaderError):
            before = text[: error.position]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            what = f"the control character U+{ord(text[error.position]):04X} is not accepted"
        what = what.replace("'\\t'", "a tab").replace("\n", " ")
        self._mistakes.add(Place(self._file, line, column), "", f"not YAML here: {what}", _syntax_hint(what))


def _syntax_hint(what: str) -> str | None:
    if "mapping values are not allowed" in what:
        return "to put quotes round a text that holds `: `"
    if "quoted scalar" in what:
        return "to close the quotes"
    if "',' or" in what:
        return "to close the bracket"
    return None
