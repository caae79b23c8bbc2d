"""`paydrill show`: one thing in words. Each kind is a function that knows the name, or gives None."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from paydrill import library
from paydrill.cli.condition_words import when_words
from paydrill.cli.psp_words import psp_words
from paydrill.errors import UsageError
from paydrill.events import when_to_json
from paydrill.scenario import Scenario
from paydrill.topology import Topology
from paydrill.topology_picture import picture
from paydrill.units import format_rate, format_seconds
from paydrill.yaml_fields import nearest


@dataclass(frozen=True)
class Shown:
    kind: str
    name: str
    lines: Sequence[str]
    facts: Mapping[str, Any]


def shown_of(name: str, target: str) -> Shown:
    """The first kind that knows the name. Raises UsageError with the nearest name of any kind."""
    for look in (_scenario, _topology, _target, _fault, _invariant, _mutant):
        shown = look(name, target)
        if shown is not None:
            return shown
    from paydrill.cli.catalogue import KINDS

    names = {row.name for rows in KINDS.values() for row in rows(target)}
    near = nearest(name, names)
    hint = f" (did you mean {near}?)" if near else "; `paydrill list` tells what there is"
    raise UsageError(f"there is nothing called {name!r}{hint}")


def _scenario(name: str, target: str) -> Shown | None:
    from paydrill.cli.words import load_scenario_file

    is_file = "/" in name or name.endswith((".yaml", ".yml"))
    if not is_file and name not in {path.stem for path in library.scenario_files()}:
        return None
    scenario = load_scenario_file(library.scenario_path(name), None)
    facts = {
        "title": dict(scenario.title),
        "why": scenario.why,
        "load": asdict(scenario.load),
        "timeline": [
            {
                "at_s": step.at_s,
                "for_s": step.for_s,
                **({"when": when_to_json(step.when)} if step.when else {}),
                "fault": step.fault.name,
                **_fields(step.fault),
            }
            for step in scenario.timeline
        ],
        "abort_if": [asdict(one) for one in scenario.abort_if],
        "psp": dict(scenario.psp),
        "expect": asdict(scenario.expect),
    }
    return Shown("scenario", scenario.name, list(_scenario_lines(scenario)), facts)


def _scenario_lines(scenario: Scenario) -> Iterable[str]:
    from paydrill.fault_fields import as_written

    yield f"scenario {scenario.name}: {scenario.title.get('en') or next(iter(scenario.title.values()), '')}"
    yield from _wrapped(scenario.why)
    load = scenario.load
    mix = ", ".join(f"{name} {weight:g}" for name, weight in load.mix.items())
    yield f"  load: {format_rate(load.rate_per_s)} for {format_seconds(load.duration_s)}, of {mix}"
    for step in scenario.timeline:
        begins = when_words(step.when) if step.when else f"from {format_seconds(step.at_s)}"
        span = f"{begins} for {format_seconds(step.for_s)}"
        fields = ", ".join(f"{key} {value}" for key, value in as_written(_fields(step.fault)).items())
        yield f"  {span}: {step.fault.name} ({fields}): {step.fault.summary}"
    for one in scenario.abort_if:
        yield f"  ends at once, if {one.condition.told()}"
    if not scenario.timeline:
        yield "  nothing is broken on purpose"
    for name, value in scenario.psp.items():
        yield f"  PSP: {psp_words(name, value)}"
    expect = scenario.expect
    yield f"  expects: {'all invariants' if expect.invariants is None else ', '.join(expect.invariants)}"
    for measure, bound in expect.slo.items():
        yield f"  expects: {measure} {bound}"
    for window in expect.windows:
        yield f"  expects: {window.name} at least {window.at_least} times, else it proves nothing"


def _topology(name: str, target: str) -> Shown | None:
    from paydrill.cli.words import load_target_folder
    from paydrill.topology_file import load_topology, topology_names

    if target not in {path.name for path in library.target_folders()} and "/" not in target:
        return None
    folder = library.target_folder(target)
    if name not in topology_names(folder):
        return None
    topology = load_topology(load_target_folder(folder), name)
    facts = {
        "title": topology.title,
        "nodes": [node.name for node in topology.nodes],
        "edges": [edge.name for edge in topology.edges],
        "settings": dict(topology.settings),
        "declared_rpo_s": topology.declared_rpo_s,
    }
    return Shown("topology", name, list(_topology_lines(topology, target)), facts)


def _topology_lines(topology: Topology, target: str) -> Iterable[str]:
    yield f"topology {topology.name} of {target}: {topology.title}"
    yield from (f"  {line}".rstrip() for line in picture(topology).splitlines())
    yield f"  nodes: {', '.join(node.name for node in topology.nodes)}"
    yield "  edges, each through its own Toxiproxy proxy:"
    yield from (f"    {edge.name}" for edge in topology.edges)
    for key, value in topology.settings.items():
        yield f"  setting {key}: {value}"
    if topology.declared_rpo_s:
        yield f"  declares that it may lose the last {topology.declared_rpo_s:g} s"


def _target(name: str, target: str) -> Shown | None:
    from paydrill.cli.words import load_target_folder
    from paydrill.topology_file import topology_names

    if name not in {path.name for path in library.target_folders()}:
        return None
    one = load_target_folder(library.target_folder(name))
    services = {
        service.name: {"runtime": service.runtime, "port": service.port} for service in one.services.values()
    }
    lines = [
        f"target {one.name}: {one.title}",
        f"  topologies: {', '.join(topology_names(one.folder))} (default {one.default_topology})",
        *(f"  service {key}: {value['runtime']}, port {value['port']}" for key, value in services.items()),
        f"  requests of a client: {', '.join(one.client.requests)}",
        f"  facts offered: {', '.join(fact.table for fact in one.facts) or 'none'}",
    ]
    return Shown(
        "target", name, lines, {"title": one.title, "services": services, "timing": asdict(one.timing)}
    )


def _fault(name: str, target: str) -> Shown | None:
    from paydrill import faults
    from paydrill.fault_fields import specs_of

    fault = faults.known().get(name)
    if fault is None:
        return None
    specs = specs_of(fault)
    keys = [
        f"  {spec.key}: {' | '.join(spec.choices) or spec.unit or spec.kind}"
        + ("" if spec.required else f" (default {spec.default})")
        for spec in specs
    ]
    lines = [
        f"fault {name}: {fault.summary}",
        *_wrapped(" ".join((fault.__doc__ or "").split())),
        f"  effect on {fault.effect}; while it is on, {fault.expects} of the answers are expected to be definite",
        f"  witnessed by: {fault.witnessed_by}, {fault.looks}; undone: {fault.undo}",
        f"  runs on: {', '.join(fault.backends)}; needs: {', '.join(fault.needs) or 'nothing more'}",
        "  keys, besides at, for and fault:",
        *(f"  {key}" for key in keys),
    ]
    facts = {"summary": fault.summary, "effect": fault.effect, "keys": [asdict(spec) for spec in specs]}
    return Shown("fault", name, lines, facts)


def _invariant(name: str, target: str) -> Shown | None:
    from paydrill.invariants.catalogue import known

    for one in known():
        if name.lower() in (one.id.lower(), one.name.lower(), f"{one.id}-{one.name}".lower()):
            lines = [
                f"invariant {one.id}: {one.title}",
                *_wrapped(one.rule),
                f"  severity {one.severity}; needs the tables {', '.join(one.needs)}",
            ]
            facts = {key: value for key, value in asdict(one).items() if key not in ("kind", "name")}
            return Shown("invariant", one.id, lines, facts)
    return None


def _mutant(name: str, target: str) -> Shown | None:
    from paydrill.mutants import mutants_of

    if target not in {path.name for path in library.target_folders()} and "/" not in target:
        return None
    for one in mutants_of(library.target_folder(target)):
        if name.lower() in (one.name.lower(), one.patch.stem.lower()):
            lines = [
                f"mutant {one.name} of {target}: {one.title}",
                f"  expected to break: {', '.join(one.breaks) or 'not said'}",
                f"  exposed by: {', '.join(one.scenarios) or 'not said'}",
                f"  changes: {', '.join(one.files)}",
                f"  patch: {one.patch}",
            ]
            return Shown(
                "mutant",
                one.name,
                lines,
                {"title": one.title, "breaks": list(one.breaks), "patch": str(one.patch)},
            )
    return None


def _fields(fault: object) -> dict[str, Any]:
    from paydrill.fault_fields import values_of

    return dict(values_of(fault))  # type: ignore[arg-type]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent="  ", subsequent_indent="  ")
