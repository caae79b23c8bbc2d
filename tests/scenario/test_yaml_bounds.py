"""Files made to harm: bounded in size, depth and number of values, and refused quickly."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paydrill.yaml_source import MAX_BYTES, Mistakes, YamlMap, YamlScalar, parse_yaml

BOMBS = {
    "billion laughs": (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
            for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "an anchor (&a) is not accepted",
    ),
    "an anchor that holds itself": ("a: &a [*a]\n", "an alias (*a) is not accepted"),
    "a merge key": ("a: {<<: {b: 1}}\n", "a key must be a plain word"),
    "brackets nested deeply": ("a: " + "[" * 50_000, "nested deeper than 20 levels"),
    "braces nested deeply": ("{a: " * 50_000, "nested deeper than 20 levels"),
    "dashes nested deeply": ("- " * 50_000, "nested deeper than 20 levels"),
    "too many values": ("a: [" + "1," * 100_000 + "]", "more than 10000 values"),
    "too big": ("#" * (MAX_BYTES + 1), "the file is bigger than 256 kB"),
    "a key that is a mapping": ("? {a: 1}\n: 2\n", "a key must be a plain word"),
    "a control character": ("a: \x07\n", "the control character U+0007 is not accepted"),
    "a YAML 1.1 directive": ("%YAML 1.1\n---\na: on\n", "directives are not accepted"),
    "a Python object": (
        "a: !!python/object/apply:os.system [id]\n",
        "a tag (tag:yaml.org,2002:python/object",
    ),
    "nothing": ("", "the file is empty"),
}


@pytest.mark.parametrize(("text", "message"), BOMBS.values(), ids=list(BOMBS))
def test_a_bomb_is_refused_quickly_and_by_its_name(text, message):
    mistakes = Mistakes()
    began = time.monotonic()
    parse_yaml(text.encode(), "b.yaml", mistakes)
    assert time.monotonic() - began < 10
    assert any(message in str(problem) for problem in mistakes.problems)


def test_the_parser_stops_where_a_limit_is_passed():
    mistakes = Mistakes()
    parse_yaml(("[" * 50_000).encode(), "b.yaml", mistakes)
    assert [str(problem) for problem in mistakes.problems] == [
        "b.yaml:1:21: nested deeper than 20 levels (did you mean a flatter file?)"
    ]


def test_words_of_yaml_1_1_stay_text():
    root = parse_yaml(b"{a: on, b: no, c: 12:30:00, d: 1e3, e: 010, f: true, g: 0x1f}", "w.yaml", Mistakes())
    assert isinstance(root, YamlMap)
    values = {
        key: entry.node.value for key, entry in root.entries.items() if isinstance(entry.node, YamlScalar)
    }
    assert values == {"a": "on", "b": "no", "c": "12:30:00", "d": 1000.0, "e": 10, "f": True, "g": "0x1f"}


def test_places_are_those_of_the_file():
    root = parse_yaml("é: 1\nb:\n  - x\n  - {c: 'd'}\n".encode(), "p.yaml", Mistakes())
    assert isinstance(root, YamlMap)
    item = root.entries["b"].node.items[1].entries["c"]  # type: ignore[union-attr]
    assert (item.key_place.line, item.key_place.column) == (4, 6)
    assert (item.node.place.line, item.node.place.column) == (4, 9)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_a_tree_or_a_mistake_and_nothing_else(data):
    mistakes = Mistakes()
    tree = parse_yaml(data, "any.yaml", mistakes)
    assert tree is not None or mistakes.problems
    for problem in mistakes.problems:
        assert problem.line >= 1 and problem.column >= 1 and "\n" not in str(problem)


@given(st.text(alphabet="ab:-[]{}'\"&*!|>%@`#,?\n \té", max_size=80))
@settings(max_examples=500, deadline=None)
def test_any_text_of_yaml_signs_gives_a_tree_or_a_mistake(text):
    mistakes = Mistakes()
    tree = parse_yaml(text.encode(), "any.yaml", mistakes)
    assert tree is not None or mistakes.problems
    assert all("\n" not in str(problem) for problem in mistakes.problems)
