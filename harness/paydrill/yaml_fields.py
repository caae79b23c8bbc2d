"""Reading a YAML tree field by field: each reader returns the value, or notes a mistake and returns None."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from paydrill.units import BadUnit, parse_duration, parse_rate
from paydrill.yaml_source import Mistakes, Place, YamlList, YamlMap, YamlNode, YamlScalar, path_of, shown

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def nearest(word: str, options: Collection[str]) -> str | None:
    """The option that was probably meant."""
    by_lower = {option.lower(): option for option in sorted(options)}
    close = difflib.get_close_matches(word.lower()[:80], by_lower, n=1, cutoff=0.55)
    return by_lower[close[0]] if close else None


def one_of(options: Collection[str]) -> str:
    """`one of a, b, c`, cut where it would be too long."""
    names = sorted(options)
    return "one of " + ", ".join(names[:12]) + (", …" if len(names) > 12 else "")


@dataclass(frozen=True)
class Field:
    """One value of a file, with its path for messages."""

    node: YamlNode
    path: str
    mistakes: Mistakes

    @property
    def place(self) -> Place:
        return self.node.place

    def wrong(self, message: str, suggestion: str | None = None) -> None:
        self.mistakes.add(self.place, self.path, message, suggestion)

    def unknown(self, what: str, word: str, options: Collection[str]) -> None:
        """Note an unknown word: with the nearest one, or else with all that there are."""
        near = nearest(word, options)
        others = "" if near or not options else f": expected {one_of(options)}"
        self.wrong(f"unknown {what} {shown(word)}{others}", near)

    def section(self, known: Collection[str] | None) -> Section:
        """The mapping here, its unknown keys noted (`known` None: any key); empty when it is none."""
        if not isinstance(self.node, YamlMap):
            self.wrong(f"expected keys and values, got {kind_of(self.node)}")
            return Section(YamlMap({}, self.place), self.path, self.mistakes, usable=False)
        section = Section(self.node, self.path, self.mistakes)
        if known is not None:
            section.refuse_unknown(known)
        return section

    def items(self) -> Iterator[Field]:
        """The items of the list here."""
        if not isinstance(self.node, YamlList):
            self.wrong(f"expected a list, got {kind_of(self.node)}")
            return
        for index, item in enumerate(self.node.items):
            yield Field(item, f"{self.path}[{index}]", self.mistakes)

    def is_empty(self) -> bool:
        """A key without a value."""
        return isinstance(self.node, YamlScalar) and not self.node.text

    def scalar_text(self) -> str | None:
        """What is written here, whatever type YAML gives it; a mistake for a list, a mapping, nothing."""
        if isinstance(self.node, YamlScalar) and self.node.value is not None:
            return self.node.text
        self.wrong(f"expected a text, got {kind_of(self.node)}")
        return None

    def text(self, *, limit: int = 2000) -> str | None:
        """A text that is not empty."""
        if not isinstance(self.node, YamlScalar) or not isinstance(self.node.value, str):
            self._not("a text")
            return None
        if not self.node.value.strip():
            self._not("a text that is not empty")
            return None
        if len(self.node.value) > limit:
            self._not(f"at most {limit} characters")
            return None
        return self.node.value

    def url_path(self, of: str = "", *, limit: int = 200) -> str | None:
        """A text that begins with a slash; `of` says whose path it is (" at the entrance")."""
        text = self.text(limit=limit)
        if text and not text.startswith("/"):
            self.wrong(f"{shown(text)} is not a path{of}", f"/{text}")
        return text

    def name(self) -> str | None:
        """A name that may be part of a file name: a-z, 0-9 and '-'."""
        text = self.scalar_text()
        if text is None or NAME.fullmatch(text):
            return text
        near = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:62] or "my-drill"
        self.wrong(f"{shown(text)} is not a name of a-z, 0-9 and '-'", near)
        return None

    def choice(self, what: str, options: Collection[str]) -> str | None:
        text = self.scalar_text()
        if text is not None and text not in options:
            self.unknown(what, text, options)
            return None
        return text

    def boolean(self) -> bool | None:
        if isinstance(self.node, YamlScalar) and isinstance(self.node.value, bool):
            return self.node.value
        text = self.node.text.lower() if isinstance(self.node, YamlScalar) else ""
        near = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(text)
        self._not("true or false", near)
        return None

    def integer(self, low: int, high: int) -> int | None:
        value = self.node.value if isinstance(self.node, YamlScalar) else None
        if isinstance(value, bool) or not isinstance(value, int):
            self._not("a whole number", self._near_number(whole=True))
            return None
        if not low <= value <= high:
            self._not(f"a whole number from {low} to {high}", str(min(max(value, low), high)))
            return None
        return value

    def number(self, low: float, high: float) -> float | None:
        value = self.node.value if isinstance(self.node, YamlScalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self._not("a finite number", self._near_number(whole=False))
            return None
        if not low <= value <= high:
            self._not(f"a number from {low:g} to {high:g}", f"{min(max(value, low), high):g}")
            return None
        return float(value)

    def duration(self, *, zero: bool) -> float | None:
        """Seconds. `zero` says whether 0 is a duration here."""
        text = self._unit_text("a duration such as 5s", "5s")
        if text is None:
            return None
        try:
            seconds = parse_duration(text)
        except BadUnit as error:
            self.wrong(str(error), error.suggestion)
            return None
        if seconds == 0 and not zero:
            self._not("a duration of more than 0", "5s")
            return None
        return seconds

    def rate(self) -> float | None:
        """Arrivals per second."""
        text = self._unit_text("a rate such as 40/s", "40/s")
        try:
            return None if text is None else parse_rate(text)
        except BadUnit as error:
            self.wrong(str(error), error.suggestion)
            return None

    def _unit_text(self, what: str, near: str) -> str | None:
        if isinstance(self.node, YamlScalar) and self.node.value is not None:
            return self.node.text.strip()
        self._not(what, near)
        return None

    def _near_number(self, *, whole: bool) -> str | None:
        """The number inside `500ms` or `"500"`; none that would have to be rounded."""
        match = re.search(r"\d{1,15}(\.\d+)?", self.node.text) if isinstance(self.node, YamlScalar) else None
        return None if match is None or (whole and match[1]) else match[0]

    def _not(self, expected: str, suggestion: str | None = None) -> None:
        self.wrong(f"expected {expected}, got {kind_of(self.node)}", suggestion)


@dataclass(frozen=True)
class Section:
    """A mapping of a file. `usable` is False when there was something else in its place."""

    node: YamlMap
    path: str
    mistakes: Mistakes
    usable: bool = True

    def __iter__(self) -> Iterator[tuple[str, Field]]:
        for key, entry in self.node.entries.items():
            yield key, Field(entry.node, path_of(self.path, key), self.mistakes)

    def key_wrong(self, key: str, message: str, suggestion: str | None = None) -> None:
        """Note a mistake at the key itself."""
        place = self.node.entries[key].key_place if key in self.node.entries else self.node.place
        self.mistakes.add(place, path_of(self.path, key), message, suggestion)

    def get(self, key: str) -> Field | None:
        entry = self.node.entries.get(key)
        return Field(entry.node, path_of(self.path, key), self.mistakes) if entry else None

    def require(self, key: str, example: str | None = None) -> Field | None:
        """The field, or a mistake that says how it would be written."""
        found = self.get(key)
        if found is None and self.usable:
            self.mistakes.add(
                self.node.place, path_of(self.path, key), f"the key {key!r} is missing", example
            )
        return found

    def refuse_unknown(self, known: Collection[str]) -> None:
        for key, entry in self.node.entries.items():
            if key not in known:
                near = nearest(key, [word for word in known if word not in self.node.entries])
                others = "" if near else f": expected {one_of(known)}"
                if near is None and isinstance(entry.node, YamlScalar) and not entry.node.text:
                    # {en: One, and two}: a comma ends a text without quotes, and what follows becomes a key.
                    near = "quotes round a text that holds a comma"
                self.key_wrong(key, f"unknown key {shown(key)}{others}", near)


def kind_of(node: YamlNode) -> str:
    """How a value is called in a message."""
    if isinstance(node, YamlMap):
        return "keys and values"
    if isinstance(node, YamlList):
        return "a list"
    return "nothing" if node.value is None else shown(node.text)
