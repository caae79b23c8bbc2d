"""run.json, plan.json and scenario.yaml -> RunInfo, Expect and Timing: tolerant of what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from paydrill.guards.facts import RunInfo
from paydrill.guards.lines import Line, integer, mapping, number, rows, text, texts
from paydrill.run_folder import RunFolder
from paydrill.scenario import Expect, Window
from paydrill.target import Timing
from paydrill.topology import PSP
from paydrill.yaml_source import Mistakes, YamlList, YamlMap, YamlNode, parse_yaml


def read_info(run: RunFolder, meta: Line, plan: Line, scenario: Line) -> RunInfo:
    """`meta` is run.json. The folder's own name stands in for a run id that is not there."""
    segments = rows(mapping(plan, "load"), "segments")
    ends = [end for row in segments if (end := number(row, "end_s")) is not None]
    return RunInfo(
        run=text(meta, "run") or text(meta, "run_id") or run.path.resolve().name,
        scenario=text(plan, "scenario") or text(meta, "scenario") or text(scenario, "name"),
        title=_title(meta) or _title(scenario),
        why=text(meta, "why") or text(scenario, "why"),
        topology=text(plan, "topology") or text(meta, "topology") or text(scenario, "topology"),
        backend=text(meta, "backend"),
        target=text(plan, "target") or text(meta, "target") or text(scenario, "target"),
        mutant=text(meta, "mutant") or None,
        seed=_seed(plan, meta),
        started=text(meta, "started"),
        isolation=text(meta, "isolation"),
        command=texts(meta, "command"),
        command_ns=integer(meta, "command_t_ns"),
        versions=_versions(mapping(meta, "versions")),
        warnings=texts(meta, "warnings"),
        facts_offered=texts(meta, "facts_offered"),
        psps=texts(meta, "psps") or (PSP,),
        planned_load_s=max(ends, default=None),
        left_out=texts(mapping(plan, "load"), "left_out"),
    )


def _seed(plan: Line, meta: Line) -> int:
    seed = integer(plan, "seed")
    return seed if seed is not None else integer(meta, "seed") or 0


def _title(scenario: Line) -> str:
    title = mapping(scenario, "title")
    return text(title, "en") or text(scenario, "title")


def _versions(versions: Line) -> Mapping[str, str]:
    """name -> version; a part is its version, or an object with a `version` (and path, sha256)."""
    found = {}
    for name, value in versions.items():
        if isinstance(value, dict):
            found[name] = text(value, "version", "?")
        elif isinstance(value, str | int | float):
            found[name] = str(value)
    return dict(sorted(found.items()))


def read_scenario(path: Path) -> Line:
    """The scenario's mapping; empty when it is missing or cannot be read as strict YAML."""
    try:
        tree = parse_yaml(path.read_bytes(), path.name, Mistakes())
    except OSError:
        return {}
    plain = _plain(tree) if tree is not None else None
    return plain if isinstance(plain, dict) else {}


def _plain(node: YamlNode) -> object:
    if isinstance(node, YamlMap):
        return {key: _plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, YamlList):
        return [_plain(item) for item in node.items]
    return node.value


def read_expect(scenario: Line, meta: Line) -> Expect:
    """What the drill had to show: run.json's word, else the scenario's, else the defaults."""
    line = mapping(meta, "expect") or mapping(scenario, "expect")
    default = Expect()
    invariants = texts(line, "invariants")
    min_ok, min_ops = integer(line, "min_ok"), integer(line, "min_ops_in_fault")
    windows = [Window(text(row, "name"), integer(row, "at_least") or 1) for row in rows(line, "windows")]
    return Expect(
        invariants=None if invariants in ((), ("all",)) else invariants,
        slo={name: str(bound) for name, bound in mapping(line, "slo").items()},
        windows=tuple(windows),
        min_ok=default.min_ok if min_ok is None else min_ok,
        min_ops_in_fault=default.min_ops_in_fault if min_ops is None else min_ops,
        min_ok_in_fault=integer(line, "min_ok_in_fault"),
    )


def read_timing(plan: Line, meta: Line) -> Timing:
    """The timing that the drill ran with: run.json's, else the plan's, else the defaults."""
    given = {**mapping(plan, "timing"), **mapping(meta, "timing")}
    timing = Timing()
    for known in fields(Timing):
        value = number(given, known.name)
        if value is not None and 0 <= value < 1e9:
            fitting: Any = int(value) if isinstance(getattr(timing, known.name), int) else value
            timing = replace(timing, **{known.name: fitting})
    return timing
