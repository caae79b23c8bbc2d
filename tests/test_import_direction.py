"""Imports point one way (docs/architecture.md), read from the source; what breaks it is printed with its line.

cli → drill, judge, … → backends toxiproxy faults load psp evidence invariants guards report parts
    → what is asked for and what is judged (topology, target, scenario, plan, verdict, files of them) → errors
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "harness" / "paydrill"

# Rank of each top-level module; an import may go to the same rank or a lower one. What is not named
# here conducts (rank 3), so that nothing below may come to depend on it unnoticed.
RANKS = {
    **dict.fromkeys(("errors", "clock", "growing_file"), 0),
    **dict.fromkeys(
        (
            "topology", "target", "scenario", "plan", "verdict", "run_folder", "units", "yaml_source", "yaml_tree",
            "yaml_fields", "overrides", "fault_fields", "scenario_file", "scenario_timeline", "scenario_schema",
            "target_file", "target_client", "topology_file", "patching", "callers", "mutants", "library", "verdict_file",
            "currencies", "target_attached", "events", "scenario_conditions", "scenario_gauges",
            "other_sources", "blast_radius", "target_operators", "target_attacks",
        ),
        1,
    ),
    **dict.fromkeys(
        (
            "backends", "toxiproxy", "faults", "load", "psp", "evidence", "invariants", "guards", "report", "parts",
            "watchdog", "slo", "recovery",
        ),
        2,
    ),
    "cli": 4,
}  # fmt: skip
CONDUCTS = 3

# What a part may know of the other parts of its rank; parts that are not named may use all of them.
SIDEWAYS = {
    "invariants": {"evidence"},
    "evidence": set(),
    "parts": set(),
    "psp": set(),
    "load": {"backends"},
    "report": {"guards", "evidence", "slo"},
    "guards": {"evidence"},
    "toxiproxy": {"backends"},
    # Attacks speak to the target as its customers do, and as its PSP does.
    "faults": {"backends", "toxiproxy", "load", "psp"},
}

# The protocol of faults and the words for the PSP's behaviours are part of what a scenario is, the PSP's
# journal is part of the evidence; nothing else of those packages is meant.
PROTOCOLS = {"paydrill.faults", "paydrill.psp.rules", "paydrill.psp.journal_reader"}
ONLY_PROTOCOL = {"paydrill.backends.local", "paydrill.backends.docker", "paydrill.backends.attached"}


@dataclass(frozen=True)
class Import:
    file: Path
    line: int
    module: str

    @property
    def place(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"

    @property
    def importer(self) -> str:
        """The importer's top-level part: `cli` for paydrill/cli/group.py."""
        return self.file.relative_to(PACKAGE).parts[0].removesuffix(".py")

    @property
    def imported(self) -> str:
        return [*self.module.split("."), ""][1]


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports(folder: Path) -> tuple[Import, ...]:
    return tuple(one for path in sources(folder) for one in _imports_of(path))


def _imports_of(path: Path) -> Iterator[Import]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (Import(path, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from paydrill import faults` imports paydrill.faults.
            names = [alias.name for alias in node.names] if node.module == "paydrill" else [""]
            yield from (Import(path, node.lineno, f"{node.module}.{name}".rstrip(".")) for name in names)


def ours() -> list[Import]:
    return [one for one in imports(PACKAGE) if one.module.split(".")[0] == "paydrill"]


def rank(part: str) -> int:
    return RANKS.get(part, CONDUCTS)


def told(broken: list[str]) -> str:
    return "\n" + "\n".join(broken)


def test_imports_go_down_only():
    broken = [
        f"{one.place}: {one.importer} may not import {one.module}: it stands above it"
        for one in ours()
        if one.importer != "__init__" and one.module not in PROTOCOLS
        and one.imported not in ("", "__version__") and rank(one.imported) > rank(one.importer)
    ]  # fmt: skip
    assert not broken, told(broken)


def test_parts_know_only_the_parts_beside_them_that_they_may():
    broken = [
        f"{one.place}: {one.importer} may not import {one.module}: it may know {sorted(SIDEWAYS[one.importer])}"
        for one in ours()
        if one.importer in SIDEWAYS and rank(one.imported) == rank(one.importer)
        and one.imported not in {one.importer, *SIDEWAYS[one.importer]} and one.module not in PROTOCOLS
    ]  # fmt: skip
    assert not broken, told(broken)


def test_no_part_but_the_choice_of_a_backend_knows_one():
    broken = [
        f"{one.place}: {one.importer} may not import {one.module}: only the protocol in paydrill.backends is for it"
        for one in ours()
        if one.module.startswith(tuple(ONLY_PROTOCOL))
        and rank(one.importer) <= 2
        and one.importer != "backends"
    ]
    assert not broken, told(broken)


def test_the_two_backends_do_not_know_each_other():
    broken = [
        f"{one.place}: may not import {one.module}"
        for one in ours()
        for mine, other in (("local", "docker"), ("docker", "local"), ("attached", "docker"))
        if one.file.is_relative_to(PACKAGE / "backends" / mine)
        and one.module.startswith(f"paydrill.backends.{other}")
    ]
    assert not broken, told(broken)


def test_locust_is_imported_in_its_child_process_only():
    """Importing it patches the whole process: nothing that the harness imports may do so, however indirectly."""
    gevent_side = {one.file for one in imports(PACKAGE) if one.module.split(".")[0] in ("locust", "gevent")}
    assert PACKAGE / "load" / "locustfile.py" in gevent_side
    strangers = [str(path.relative_to(ROOT)) for path in gevent_side if path.parent != PACKAGE / "load"]
    assert not strangers, f"only files in load/ may import locust or gevent: {strangers}"
    names = {f"paydrill.load.{path.stem}" for path in gevent_side}
    broken = [
        f"{one.place}: {one.module} runs inside Locust's process and may not be imported here"
        for one in ours()
        if one.module in names and one.file not in gevent_side
    ]
    assert not broken, told(broken)


def test_targets_and_the_harness_do_not_import_each_other():
    from_targets = [
        f"{one.place}: a target may not import {one.module}"
        for one in imports(ROOT / "targets")
        if one.module.split(".")[0] in ("paydrill", "harness")
    ]
    packages = {path.parent.name for path in (ROOT / "targets").glob("*/*/__init__.py")} | {"targets"}
    from_harness = [
        f"{one.place}: the harness may not import {one.module} of a target"
        for one in imports(ROOT / "harness")
        if one.module.split(".")[0] in packages
    ]
    assert not from_targets + from_harness, told(from_targets + from_harness)


def test_only_the_command_line_and_entry_points_print_or_exit():
    broken = [
        f"{path.relative_to(ROOT)}:{call.lineno}: {what} belongs into cli"
        for path in sources(PACKAGE)
        if not path.is_relative_to(PACKAGE / "cli") and path.name != "__main__.py"
        for call in _calls(tree(path))
        if (what := _prints_or_exits(call))
    ]
    assert not broken, told(broken)


def _calls(module: ast.Module) -> Iterator[ast.Call]:
    """All calls but those below `if __name__ == "__main__"`: there a child process of its own begins."""
    for statement in module.body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'":
            continue
        yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def _prints_or_exits(call: ast.Call) -> str | None:
    match call.func:
        case ast.Name(id=("print" | "exit" | "quit" | "input") as name):
            return name
        case ast.Attribute(value=ast.Name(id="sys"), attr="exit"):
            return "sys.exit"
    return None


def test_the_rules_find_what_breaks_them():
    """The rules themselves: an import that must not be is seen for what it is."""
    wrong = Import(PACKAGE / "errors.py", 1, "paydrill.drill")
    assert rank(wrong.imported) > rank(wrong.importer)
    assert rank("cli") > rank("drill") > rank("faults") > rank("plan") > rank("errors")
    seen = {(one.importer, one.module) for one in ours()}
    assert ("scenario", "paydrill.faults") in seen and ("cli", "paydrill.plan") in seen
    source = "print(1)\nif __name__ == '__main__':\n    sys.exit(2)\ndef f():\n    sys.exit(3)\n"
    assert [_prints_or_exits(call) for call in _calls(ast.parse(source))] == ["print", "sys.exit"]
