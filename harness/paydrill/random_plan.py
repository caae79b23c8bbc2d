"""Scenarios with faults drawn by lot, several in force at once: `python -m paydrill.random_plan FOLDER`.

Pure: a seed, a topology and the catalogue give one scenario's text. No fault is named here but those that no
random drill may have: what a fault hits, its fields with their types, choices and bounds, and its example
say how it is drawn. What cannot be drawn from these keeps the example's value.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

from paydrill.errors import FileProblems
from paydrill.fault_fields import FieldSpec, specs_of
from paydrill.faults import Fault
from paydrill.scenario_file import Words, parse_scenario
from paydrill.target import Target
from paydrill.topology import CLIENT, INSTRUMENTS, Edge, Node, Topology
from paydrill.units import format_rate, format_seconds

BREAKS_DATA = frozenset({"tamper", "corrupt_page", "deploy", "config_change"})
"""These break the target's data or code on purpose: a failed invariant is what is wanted of them."""
UNSEEN = frozenset({"psp_auth_expiry"})
"""No traffic class only holds money, so that nothing could expire."""
OF_THE_TARGET = frozenset({"operation", "psp"})
"""Fields whose other values may mean nothing here: which operations come to which PSP is the target's affair."""

RATE_PER_S, DURATION_S = 30, 10
FIRST_AT_S, LAST_END_S = 2.0, 7.0
"""Before and after them the load runs alone, so that the guards see the system work."""
SHORTEST_S, LONGEST_S = 1.0, 3.0
HOW_MANY = (3, 3, 3, 4, 4, 5)
LEAST_SHARE = 0.5
"""A number is drawn between this share of the example's and all of it."""
ROUNDS, TRIES = 20, 60

_PLAIN = re.compile(r"[A-Za-z_][\w./>-]*\Z")
_NO_PLAIN = ("true", "false", "null", "yes", "no", "on", "off")


@dataclass(frozen=True)
class DrawnStep:
    """One step, with the edges and nodes that it hits."""

    at_s: float
    for_s: float
    fault: Fault
    edges: frozenset[Edge]
    nodes: frozenset[str]

    @property
    def end_s(self) -> float:
        return round(self.at_s + self.for_s, 6)

    @property
    def severs(self) -> bool:
        """Whether what another fault would do to the same place could not be seen beside it."""
        fault = self.fault
        return (
            fault.carries in ("nothing", "silence")
            or fault.expects == "none"
            or (fault.effect == "money" and fault.hits != "psp")
        )


def drawable(
    catalogue: Mapping[str, type[Fault]], backend: str, without: Collection[str] = ()
) -> Mapping[str, type[Fault]]:
    """What a random scenario for the backend may have, less what `without` names."""
    left_out = BREAKS_DATA | UNSEEN | set(without)
    return {
        name: fault for name, fault in catalogue.items() if backend in fault.backends and name not in left_out
    }


def random_scenario(
    seed: int, target: Target, topology: Topology, catalogue: Mapping[str, type[Fault]]
) -> str:
    """The YAML text of a scenario with three faults or more in force at one moment.

    Each family of the catalogue is as likely as the next, and within it each fault. The same seed, topology
    and catalogue give the same text. Raises ValueError when the catalogue is too small for that.
    """
    chance = Random(f"random plan/{seed}/{topology.name}")
    wanted = chance.choice(HOW_MANY)
    for _ in range(ROUNDS):
        steps, text = _draw_steps(chance, wanted, seed, target, topology, catalogue)
        # Where what was drawn first leaves no room for a fourth or fifth, three are enough.
        if len(steps) >= min(HOW_MANY):
            return text
    raise ValueError(
        f"seed {seed}: no {min(HOW_MANY)} faults found that can be in force at once on {topology.name}; "
        f"{len(catalogue)} faults to draw from"
    )


def _draw_steps(
    chance: Random,
    wanted: int,
    seed: int,
    target: Target,
    topology: Topology,
    catalogue: Mapping[str, type[Fault]],
) -> tuple[list[DrawnStep], str]:
    """As many of the wanted as fit beside those that were drawn before, and the scenario of them all."""
    all_at_s = round(chance.uniform(FIRST_AT_S + 1.5, LAST_END_S - 2.0), 1)
    families = sorted({fault.family for fault in catalogue.values()})
    stores = {node.name for node in topology.nodes if _is_store(target, node)}
    steps: list[DrawnStep] = []
    text = ""
    for _ in range(TRIES):
        if len(steps) == wanted:
            break
        family = chance.choice(families)
        kind = chance.choice(sorted(name for name, one in catalogue.items() if one.family == family))
        step = _draw_step(chance, catalogue[kind], target, topology, all_at_s)
        if step is None or not _fits(topology, stores, [*steps, step]):
            continue
        with_it = _written(seed, target, topology, sorted([*steps, step], key=lambda one: one.at_s))
        if _is_accepted(with_it, catalogue, topology):
            steps.append(step)
            text = with_it
    return steps, text


def _fits(topology: Topology, stores: Collection[str], steps: Sequence[DrawnStep]) -> bool:
    """Whether each of them, beside the others, can do what it does and be seen to."""
    for step in steps:
        others = [other for other in steps if other is not step]
        if any(masks(other, step) or keeps_ill(topology, other, step) for other in others):
            return False
        if idles(topology, stores, step, others) or is_deaf(topology, stores, step, others):
            return False
    return True


def masks(one: DrawnStep, other: DrawnStep) -> bool:
    """Whether `other` could have no effect, or none that a witness sees, while `one` is in force."""
    if getattr(one.fault, "existing", "keep") == "cut" and one.edges & other.edges:
        return True  # a witness that is talking there just then is cut off
    if one.fault.hits == "database" and any(edge.server in one.nodes for edge in other.edges):
        return True  # whoever comes anew is let in no more, and a witness does
    if one.fault.hits == "target" and one.fault.effect == "availability" and other.fault.hits == "psp":
        return True  # a target that refuses to move money asks its PSP for none
    if not one.severs:
        return False
    if other.edges:
        touched = any(edge in one.edges or edge.server in one.nodes for edge in other.edges)
        return touched or all(edge.client in one.nodes for edge in other.edges)
    return bool(one.nodes & other.nodes)


def leaves_a_way(topology: Topology, steps: Sequence[DrawnStep]) -> bool:
    """Whether customers still reach every service that they reach, from each service that asks it.

    All faults together. Where not, it depends on the target whether any write can be answered.
    """

    def services(edges: set[Edge]) -> set[tuple[str, str]]:
        return {(topology.node(edge.client).service, topology.node(edge.server).service) for edge in edges}

    return services(_asked(topology, steps, [CLIENT])) == services(_asked(topology, (), [CLIENT]))


def keeps_ill(topology: Topology, one: DrawnStep, other: DrawnStep) -> bool:
    """Whether nodes that `other` ends and starts would wait for what `one` severs: it would not be through in time."""
    if not one.severs or other.fault.looks != "at its end":
        return False
    asked = [edge for edge in topology.edges if edge.client in other.nodes]
    return any(edge in one.edges or edge.server in one.nodes for edge in asked)


def is_deaf(
    topology: Topology, stores: Collection[str], step: DrawnStep, others: Sequence[DrawnStep]
) -> bool:
    """Whether the target itself, which `step` asks for something, is not reached or could not even keep it."""
    if step.fault.hits != "target":
        return False
    hit = {node for other in others for node in (*other.nodes, *(edge.server for edge in other.edges))}
    return not hit.isdisjoint(stores) or not leaves_a_way(topology, others)


def idles(topology: Topology, stores: Collection[str], step: DrawnStep, others: Sequence[DrawnStep]) -> bool:
    """Whether no request comes to where `step` acts, because of what the others sever before.

    A node that has lost its store has nothing to ask others for.
    """
    edges = step.edges
    if step.fault.hits == "psp":
        edges = frozenset(edge for edge in topology.edges if edge.server in step.nodes)
    called = {edge.server for edge in topology.edges}
    callers = [node.name for node in topology.nodes if node.name not in called]
    usual = edges & _asked(topology, (), callers)
    return bool(usual) and not usual & _asked(topology, others, callers, stores)


def _asked(
    topology: Topology, steps: Sequence[DrawnStep], callers: Sequence[str], stores: Collection[str] = ()
) -> set[Edge]:
    """The edges that the callers' requests come to, through the target, with those faults in force."""
    severing = [step for step in steps if step.severs]
    cut = frozenset[Edge]().union(*(step.edges for step in severing))
    dead = frozenset[str]().union(*(step.nodes for step in severing))
    left = [edge for edge in topology.edges if edge not in cut and not {edge.client, edge.server} & dead]
    lost = {edge.client for edge in topology.edges if edge.server in stores}
    lost -= {edge.client for edge in left if edge.server in stores}
    reached, waiting, asked = set(callers), list(callers), set[Edge]()
    while waiting:
        node = waiting.pop()
        for edge in left:
            if edge.client != node or node in lost:
                continue
            asked.add(edge)
            if edge.server not in reached:
                reached.add(edge.server)
                waiting.append(edge.server)
    return asked


def _is_store(target: Target, node: Node) -> bool:
    return node.service not in INSTRUMENTS and target.services[node.service].runtime == "postgres"


# -- one step


def _draw_step(
    chance: Random, kind: type[Fault], target: Target, topology: Topology, all_at_s: float
) -> DrawnStep | None:
    """In force at `all_at_s`; None when what was drawn does not fit together."""
    # What unfolds and is looked at when it ends gets all the time that there is.
    for_s = LONGEST_S if kind.looks == "at its end" else round(chance.uniform(SHORTEST_S, LONGEST_S), 1)
    earliest_s = max(FIRST_AT_S, all_at_s - for_s + 0.1)
    at_s = round(chance.uniform(earliest_s, min(all_at_s, LAST_END_S - for_s)), 1)
    try:
        values = _draw_values(chance, kind, target, topology)
        fault = cast("Fault", cast("Any", kind)(**values))
        places = fault.places(topology)
    except ValueError:
        return None
    edges = frozenset(edge for edge in topology.edges if edge.name in places)
    if kind.hits != "load" and edges and all(_is_no_edge_of_the_target(topology, edge) for edge in edges):
        return None
    nodes = frozenset(node.name for node in topology.nodes if node.name in places)
    return DrawnStep(at_s, for_s, fault, edges, nodes)


def _is_no_edge_of_the_target(topology: Topology, edge: Edge) -> bool:
    """Between two instruments: a customer's browser at the PSP, which only challenges need."""
    return all(topology.node(end).service in INSTRUMENTS for end in (edge.client, edge.server))


def _draw_values(
    chance: Random, kind: type[Fault], target: Target, topology: Topology
) -> Mapping[str, object]:
    """Values by field. Raises ValueError for places that do not exist here."""
    values: dict[str, object] = {}
    for spec in specs_of(kind):
        given = kind.example.get(spec.name)
        if given is None and not spec.required:
            if spec.kind == "choice" and spec.name not in OF_THE_TARGET:
                values[spec.name] = chance.choice(spec.choices)
            continue
        values[spec.name] = _draw_value(chance, spec, given, kind, target, topology)
    if "nodes" in values and "from_" in values:
        values.update(_draw_sets(chance, topology))
    return values


def _draw_value(
    chance: Random, spec: FieldSpec, given: object, kind: type[Fault], target: Target, topology: Topology
) -> object:
    if spec.name == "edge":
        return chance.choice(topology.edge_names())
    if spec.name in OF_THE_TARGET:
        return given
    if spec.name == "node":
        return chance.choice(_nodes_like(str(given), kind, target, topology))
    match spec.kind:
        case "choice":
            return chance.choice(spec.choices)
        case "whole":
            most = int(str(given))
            return chance.randint(-(-most // 2), most)
        case "number" | "rate":
            most_of = float(str(given))
            return float(f"{chance.uniform(LEAST_SHARE * most_of, most_of):.3g}")
        case _:
            return given


def _nodes_like(example: str, kind: type[Fault], target: Target, topology: Topology) -> Sequence[str]:
    """Nodes and services: any for the end of a process, else those of the example's runtime.

    Nodes only for what has to be through when it ends: one after the other, two would take longer than that.
    """
    own = [node for node in topology.nodes if node.service not in INSTRUMENTS]
    if not (kind.hits == "node" and kind.family == "process"):
        runtimes = {target.services[node.service].runtime for node in topology.nodes_at(example)}
        own = [node for node in own if target.services[node.service].runtime in runtimes]
    services = set() if kind.looks == "at its end" else {node.service for node in own}
    return sorted({node.name for node in own} | services)


def _draw_sets(chance: Random, topology: Topology) -> Mapping[str, tuple[str, ...]]:
    """A node of the target, and one or two services that it talks with."""
    own = [node.name for node in topology.nodes if node.service not in INSTRUMENTS]
    node = chance.choice(sorted(own))
    others = {edge.server if edge.client == node else edge.client for edge in topology.edges if node in (edge.client, edge.server)}  # fmt: skip
    near = sorted({topology.node(other).service for other in others})
    return {"nodes": (node,), "from_": tuple(sorted(chance.sample(near, min(len(near), chance.choice((1, 2))))))}  # fmt: skip


# -- the text


def _is_accepted(text: str, catalogue: Mapping[str, type[Fault]], topology: Topology) -> bool:
    """By the reader of scenarios itself, so that its rules of what may overlap are nobody else's too."""
    try:
        parse_scenario(text.encode(), "drawn by lot", Words(catalogue), topology)
    except FileProblems:
        return False
    return True


def _written(seed: int, target: Target, topology: Topology, steps: Sequence[DrawnStep]) -> str:
    lines = [
        f"name: random-{seed:03}",
        f"title: {{en: Faults drawn by lot with seed {seed}, zh: 随机故障，种子 {seed}}}",
        "why: What nobody thought of. Several faults overlap, and no money may be lost or taken twice.",
        f"target: {target.name}",
        f"topology: {topology.name}",
        f"load: {{rate: {RATE_PER_S}/s, duration: {DURATION_S}s, mix: {{checkout: 10, read: 3, refund: 1}}}}",
        "timeline:",
        *(f"  - {{{', '.join(_step_keys(step))}}}" for step in steps),
        "expect:",
        "  invariants: all",
        "  min_ok: 10",
        "  min_ops_in_fault: 20",
        *(() if leaves_a_way(topology, steps) else ["  min_ok_in_fault: 0"]),
    ]
    return "\n".join(lines) + "\n"


def _step_keys(step: DrawnStep) -> Iterator[str]:
    yield f"at: {format_seconds(step.at_s)}"
    yield f"for: {format_seconds(step.for_s)}"
    yield f"fault: {step.fault.name}"
    for spec in specs_of(type(step.fault)):
        value = getattr(step.fault, spec.name)
        if value is not None and (spec.required or value != spec.default):
            yield f"{spec.key}: {_yaml(spec, value)}"


def _yaml(spec: FieldSpec, value: object) -> str:
    if spec.kind == "rate":
        return format_rate(float(str(value)))
    if isinstance(value, tuple):
        return f"[{', '.join(_text(str(one)) for one in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else str(value)


def _text(value: str) -> str:
    return value if _PLAIN.match(value) and value.lower() not in _NO_PLAIN else json.dumps(value)


def topology_of(seed: int, default: str, names: Sequence[str]) -> str:
    """Three times of four the target's default, else one of the others."""
    chance = Random(f"random topology/{seed}")
    others = [name for name in names if name != default]
    return default if not others or chance.random() < 0.75 else chance.choice(sorted(others))


def write_scenario(
    folder: Path, seed: int, target: Target, backend: str, without: Collection[str] = ()
) -> Path:
    """`folder`/random-<seed>.yaml, to be run with `paydrill run`; it is written anew."""
    from paydrill.faults import known
    from paydrill.topology_file import load_topology, topology_names

    name = topology_of(seed, target.default_topology, topology_names(target.folder))
    topology = load_topology(target, name)
    path = folder / f"random-{seed:03}.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(
        random_scenario(seed, target, topology, drawable(known(), backend, without)), encoding="utf-8"
    )
    return path


def main() -> None:
    from paydrill import library
    from paydrill.target_file import load_target

    parser = argparse.ArgumentParser(prog="python -m paydrill.random_plan", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="where the scenarios are written")
    parser.add_argument("--seeds", type=int, default=100, help="seeds 1 to this one")
    parser.add_argument("--target", default=library.DEFAULT_TARGET)
    parser.add_argument("--backend", choices=("local", "docker"), default="local")
    parser.add_argument("--without", nargs="*", default=(), help="faults that are not drawn")
    asked = parser.parse_args()
    target = load_target(library.target_folder(asked.target))
    for seed in range(1, asked.seeds + 1):
        sys.stdout.write(f"{write_scenario(asked.folder, seed, target, asked.backend, asked.without)}\n")


if __name__ == "__main__":
    main()
