"""`--set load.rate=80/s`: changes to a scenario's tree before it is validated."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from paydrill.yaml_source import (
    Mistakes,
    Place,
    YamlEntry,
    YamlList,
    YamlMap,
    YamlNode,
    YamlScalar,
    parse_yaml,
    shown,
)

_STEP = re.compile(r"([A-Za-z_][\w-]*)((?:\[\d+\])*)")


def apply_overrides(root: YamlNode, overrides: Sequence[str], mistakes: Mistakes) -> YamlNode:
    """The tree with each `path=value` put in. Mistakes name the option and the column inside it."""
    for override in overrides:
        root = _apply(root, override, mistakes)
    return root


def _apply(root: YamlNode, override: str, mistakes: Mistakes) -> YamlNode:
    path, equals, value = override.partition("=")
    option = f"--set {override}" if override.isprintable() else f"--set {shown(override)}"
    start = Place(option, 1, 1)
    keys = _keys(path)
    if not equals or keys is None:
        mistakes.add(start, "", "expected PATH=VALUE", "--set load.rate=80/s")
        return root
    at = Place(option, 1, len(path) + 2)
    node = _value(value, at, mistakes)
    return root if node is None else _put(root, keys, node, start, path, mistakes)


def _keys(path: str) -> list[str | int] | None:
    """`timeline[0].at` or `timeline.0.at` -> ["timeline", 0, "at"]; None when it is no path."""
    keys: list[str | int] = []
    for part in path.strip().split("."):
        if part.isdecimal() and part.isascii() and len(part) < 6:
            keys.append(int(part))
        elif match := _STEP.fullmatch(part):
            keys.append(match[1])
            keys.extend(int(index) for index in re.findall(r"\d{1,6}", match[2]))
        else:
            return None
    return keys if len(keys) <= 10 else None


def _value(text: str, at: Place, mistakes: Mistakes) -> YamlNode | None:
    """A plain text is one value, `>= 0.9` too; brackets, braces and quotes are read as YAML."""
    if text[:1] in ("[", "{", "'", '"'):
        # Pushed right, so that columns are those of the option.
        return parse_yaml((" " * (at.column - 1) + text).encode("utf-8", "replace"), at.file, mistakes)
    from paydrill.yaml_tree import plain_value

    return YamlScalar(plain_value(text), text, at)


def _put(
    node: YamlNode, keys: Sequence[str | int], value: YamlNode, start: Place, path: str, mistakes: Mistakes
) -> YamlNode:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if isinstance(key, int):
        if isinstance(node, YamlList) and key < len(node.items):
            items = list(node.items)
            items[key] = _put(items[key], rest, value, start, path, mistakes)
            return YamlList(tuple(items), node.place)
        many = len(node.items) if isinstance(node, YamlList) else 0
        near = f"[{many - 1}]" if many else None
        mistakes.add(start, path, f"there is no item {key}: the list has {many}, counted from 0", near)
        return node
    if isinstance(node, YamlScalar) and node.value is None:
        node = YamlMap({}, start)
    if not isinstance(node, YamlMap):
        mistakes.add(start, path, f"{shown(key)} cannot be set: there are no keys at that place")
        return node
    old = node.entries.get(key)
    inner = _put(old.node if old else YamlMap({}, start), rest, value, start, path, mistakes)
    return YamlMap({**node.entries, key: YamlEntry(old.key_place if old else start, inner)}, node.place)


def written_out(node: YamlNode, overrides: Sequence[str]) -> str:
    """The overridden tree as a scenario file again, so that a run folder holds what was really run."""
    from ruamel.yaml import YAML

    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_unicode = True
    yaml.default_flow_style = False
    yaml.width = 4096
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(_plain(node), out)
    return "".join(f"# --set {shown(override)}\n" for override in overrides) + out.getvalue()


def _plain(node: YamlNode) -> Any:
    if isinstance(node, YamlMap):
        return {key: _plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, YamlList):
        return [_plain(item) for item in node.items]
    return node.value
