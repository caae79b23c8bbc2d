"""The drawing of a topology says what its edges say, and the README's are those of today."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydrill.errors import UsageError
from paydrill.topology import Edge, Node, Topology
from paydrill.topology_docs import main, renewed
from paydrill.topology_picture import LEGEND, picture

ROOT = Path(__file__).resolve().parents[2]
TARGETS = sorted(
    path.parent for path in ROOT.glob("targets/*/README.md") if "<!-- topology " in path.read_text()
)
NAMES = ("client", "lb", "orders", "db", "psp")


def topology(edges, counts=None):
    counts = counts or {}
    nodes = [
        Node(f"{name}-{index}" if name not in ("client", "psp") else name, name, index)
        for name in NAMES
        for index in (range(1, counts.get(name, 1) + 1) if name not in ("client", "psp") else (0,))
    ]
    named = {node.service: [one.name for one in nodes if one.service == node.service] for node in nodes}
    pairs = [Edge(a, b) for client, server in edges for a in named[client] for b in named[server] if a != b]
    return Topology("t", "t", tuple(nodes), tuple(pairs))


def read_back(drawing):
    """Pairs of services, from the drawing alone."""
    head, *rows = drawing.removesuffix(LEGEND).rstrip("\n").split("\n")
    labels, at = {}, 0
    for label in head.split("   "):
        labels[at + (len(label) - 1) // 2] = label.split(" ")[0]
        at += len(label) + 3
    found = set()
    for row in rows:
        (source,) = (at for at, mark in enumerate(row) if mark in "●↺")
        found |= {(labels[source], labels[at]) for at, mark in enumerate(row) if mark in "►◄"}
        found |= {(labels[source], labels[source])} if row[source] == "↺" else set()
    return found


def test_a_drawing_reads_like_its_edges():
    drawing = picture(
        topology([("client", "lb"), ("lb", "orders"), ("orders", "psp"), ("psp", "lb")], {"orders": 2})
    )
    assert drawing.split("\n")[:-2] == [
        "client   lb   orders ×2   db   psp",
        "  ●──────►        │       │     │ ".rstrip(),
        "  │      ●────────►       │     │ ".rstrip(),
        "  │      │        ●───────┼─────► ".rstrip(),
        "  │      ◄────────┼───────┼─────● ".rstrip(),
    ]


@given(
    edges=st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))),
    counts=st.fixed_dictionaries({name: st.integers(2, 12) for name in ("lb", "orders", "db")}),
)
def test_every_edge_can_be_read_back_and_no_other(edges, counts):
    edges = {edge for edge in edges if edge[0] != edge[1] or edge[0] in counts}
    assert read_back(picture(topology(edges, counts))) == edges


@pytest.mark.parametrize("target", TARGETS, ids=lambda path: path.name)
def test_the_pictures_in_a_readme_are_those_of_its_topologies(target):
    stored = (target / "README.md").read_text(encoding="utf-8")
    assert stored == renewed(stored, target), (
        f"run: python -m paydrill.topology_docs {target.relative_to(ROOT)} --write"
    )


def test_the_reference_has_a_picture():
    assert ROOT / "targets" / "reference" in TARGETS


def test_a_stale_picture_is_shown_and_renewed(tmp_path, capsys):
    copy = tmp_path / "reference"
    shutil.copytree(ROOT / "targets" / "reference", copy)
    readme = copy / "README.md"
    whole = readme.read_text()
    readme.write_text(whole.replace("●──────►", "●       "))
    assert main([str(copy)]) == 1
    assert "●──────►" in capsys.readouterr().out
    assert main([str(copy), "--write"]) == 0
    assert readme.read_text() == whole
    assert main([str(copy)]) == 0


def test_a_picture_of_no_topology_is_refused():
    with pytest.raises(UsageError, match=r"no topology 'lb2' \(did you mean lb-2\?\)"):
        renewed("<!-- topology lb2 -->\n<!-- /topology -->", ROOT / "targets" / "reference")
