"""`topologies/<name>/topology.yaml` -> Topology, with what it extends; all mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paydrill.errors import UsageError
from paydrill.target import Target
from paydrill.topology import CLIENT, INSTRUMENTS, PSP, PSPS, Edge, Node, Topology
from paydrill.yaml_fields import Field, Section, nearest, one_of
from paydrill.yaml_source import (
    Mistakes,
    YamlEntry,
    YamlList,
    YamlMap,
    YamlNode,
    parse_yaml,
    read_bytes,
    shown,
)

MAX_NODES_OF_SERVICE = 64
_KEYS = ("name", "title", "extends", "services", "edges", "settings", "declared_rpo_s")


def topology_names(folder: Path) -> tuple[str, ...]:
    """The topologies of a target's folder, sorted."""
    return tuple(sorted(path.parent.name for path in folder.glob("topologies/*/topology.yaml")))


def load_topology(target: Target, name: str) -> Topology:
    """The flat topology. Raises FileProblems with every mistake, UsageError when there is none of that name."""
    known = topology_names(target.folder)
    if name not in known:
        near = nearest(name, known)
        hint = f" (did you mean {near}?)" if near else f": expected {one_of(known)}"
        raise UsageError(f"the target {target.name} has no topology {shown(name)}{hint}")
    mistakes = Mistakes()
    topology = None
    root = _flat(target, name, mistakes)
    if root is not None:
        topology = _Reader(target, mistakes).read(Field(root, "", mistakes).section(_KEYS), name)
    mistakes.raise_if_any()
    if topology is None:
        raise AssertionError("a topology that could not be read has a mistake")
    return topology


def _parsed(target: Target, name: str, mistakes: Mistakes) -> YamlMap | None:
    path = target.folder / "topologies" / name / "topology.yaml"
    root = parse_yaml(read_bytes(path), str(path), mistakes)
    if root is not None and not isinstance(root, YamlMap):
        mistakes.add(root.place, "", "expected keys and values")
        return None
    return root


def _flat(target: Target, name: str, mistakes: Mistakes) -> YamlMap | None:
    """The file overlaid on what it extends: `services` and `settings` key by key, the rest whole."""
    own = _parsed(target, name, mistakes)
    extends = Section(own, "", mistakes).get("extends") if own else None
    if own is None or extends is None:
        return own
    base_name = extends.name()
    others = [other for other in topology_names(target.folder) if other != name]
    if base_name is None or base_name not in others:
        if base_name is not None:
            extends.unknown("topology to extend", base_name, others)
        return None
    base = _parsed(target, base_name, mistakes)
    if base is None:
        return None
    if "extends" in base.entries:
        extends.wrong(f"{base_name} itself extends another topology; one level is what there is")
    return YamlMap(_overlaid(base, own), own.place)


def _overlaid(base: YamlMap, own: YamlMap) -> Mapping[str, YamlEntry]:
    entries = {key: entry for key, entry in base.entries.items() if key != "extends"}
    for key, entry in own.entries.items():
        below = entries.get(key)
        if below and isinstance(below.node, YamlMap) and isinstance(entry.node, YamlMap):
            merged = YamlMap({**below.node.entries, **entry.node.entries}, entry.node.place)
            entries[key] = YamlEntry(entry.key_place, merged)
        else:
            entries[key] = entry
    return entries


@dataclass(frozen=True)
class _Reader:
    target: Target
    mistakes: Mistakes

    def read(self, root: Section, folder: str) -> Topology | None:
        named, title = root.require("name", f"name: {folder}"), root.require("title")
        name = named.name() if named else None
        if named and name and name != folder:
            named.wrong(f"{shown(name)} is not the name of its folder", folder)
        services, edges = root.require("services"), root.require("edges", "edges: [client -> lb]")
        counts = self._counts(services) if services else {}
        settings, rpo = root.get("settings"), root.get("declared_rpo_s")
        expanded = self._edges(edges, counts) if edges else ()
        topology = Topology(
            name=name or folder,
            title=(title.text(limit=200) if title else None) or "",
            nodes=_nodes(counts, expanded),
            edges=expanded,
            settings=self._settings(settings, counts) if settings else {},
            declared_rpo_s=(rpo.number(0, 86_400) if rpo else None) or 0.0,
        )
        return None if self.mistakes.problems else topology

    def _counts(self, field: Field) -> Mapping[str, int]:
        """Service -> number of nodes; 0 takes away a service of the topology that is extended."""
        counts: dict[str, int] = {}
        own = [name for name in self.target.services if name not in INSTRUMENTS]
        section = field.section(None)
        for name, one in section:
            count = one.integer(0, MAX_NODES_OF_SERVICE)
            if name not in own:
                near = nearest(name, own)
                others = "" if near else f": expected {one_of(own)}"
                section.key_wrong(name, f"the target has no service {shown(name)}{others}", near)
            elif count:
                counts[name] = count
        return counts

    def _settings(self, field: Field, counts: Mapping[str, int]) -> Mapping[str, object]:
        """The topology's own values; the harness reads one of them itself, `tls`."""
        section = field.section(None)
        for key, one in section:
            if key == "tls" and one.boolean() and not self._has_load_balancer(counts):
                one.wrong("there is no service with the runtime `nginx` to speak TLS")
        return {key: _plain(one.node) for key, one in section}

    def _has_load_balancer(self, counts: Mapping[str, int]) -> bool:
        return any(self.target.services[name].runtime == "nginx" for name in counts)

    def _edges(self, field: Field, counts: Mapping[str, int]) -> tuple[Edge, ...]:
        psps = (name for name in PSPS if name == PSP or name in self.target.services)
        ends = (*counts, CLIENT, *psps)
        edges: dict[Edge, None] = {}
        for item in field.items():
            text = item.text(limit=200)
            if text is None:
                continue
            client, arrow, server = (part.strip() for part in text.partition("->"))
            if not arrow or not client or not server:
                item.wrong(f"{shown(text)} is not an edge", f"{ends[0]} -> {ends[-1]}")
                continue
            unknown = [end for end in (client, server) if end not in ends]
            for end in unknown:
                item.unknown("end of an edge", end, ends)
            if server == CLIENT:
                item.wrong("nothing dials the client")
            for edge in () if unknown else _expanded(client, server, counts):
                if edge in edges:
                    item.wrong(f"the edge {edge.name} stands here twice", "to keep only one of them")
                edges[edge] = None
        return tuple(edges)


def _nodes(counts: Mapping[str, int], edges: tuple[Edge, ...]) -> tuple[Node, ...]:
    """client, the services in their order, psp, and psp2 where an edge has it at one end."""
    own = [
        Node(name, service, index)
        for service, count in counts.items()
        for name, index in _named(service, count)
    ]
    ends = {PSP, *(end for edge in edges for end in (edge.client, edge.server))}
    psps = (Node(name, name, 0) for name in PSPS if name in ends)
    return (Node(CLIENT, CLIENT, 0), *own, *psps)


def _named(service: str, count: int) -> list[tuple[str, int]]:
    return [(f"{service}-{index}", index) for index in range(1, count + 1)]


def _expanded(client: str, server: str, counts: Mapping[str, int]) -> list[Edge]:
    def names(service: str) -> list[str]:
        return [service] if service in INSTRUMENTS else [name for name, _ in _named(service, counts[service])]

    return [Edge(one, other) for one in names(client) for other in names(server) if one != other]


def _plain(node: YamlNode) -> object:
    if isinstance(node, YamlMap):
        return {key: _plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, YamlList):
        return [_plain(item) for item in node.items]
    return node.value
