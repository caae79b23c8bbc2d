"""deploy: some nodes run another version of the target: a mistake on its way to all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Variant, processes
from paydrill.errors import UsageError
from paydrill.faults import InForce, Scene
from paydrill.faults.ending import Signal
from paydrill.faults.otherwise import OtherwiseFault, running_otherwise, whom
from paydrill.mutants import check_mutant
from paydrill.other_sources import OtherSource
from paydrill.target import Target
from paydrill.topology import Topology


@dataclass(frozen=True, kw_only=True)
class Deploy(OtherwiseFault):
    """The nodes are restarted one after the other from another source, and at the end from their own: the
    target with a `patch` (a mutant by its name, or a file in the target's folder), or the folder `source`
    (in the target's folder, or absolute). Only the code that the nodes run is another: database, templates
    and settings stay.
    """

    name: ClassVar[str] = "deploy"
    summary: ClassVar[str] = "some nodes run another version of the source for a while"
    example: ClassVar[Mapping[str, object]] = {
        "nodes": ("payments-1",),
        "patch": "mutants/M01-attempt-in-key.patch",
    }

    nodes: tuple[str, ...]
    patch: str | None = None
    source: str | None = None
    signal: Signal = "TERM"
    grace_ms: int = 2000

    def __post_init__(self) -> None:
        if (self.patch is None) == (self.source is None):
            raise ValueError("expected either `patch` (a file) or `source` (a folder)")

    @property
    def other_source(self) -> OtherSource:
        return OtherSource(patch=self.patch, folder=self.source)

    def check(self, target: Target, topology: Topology) -> None:
        """Raises ValueError as its ancestor does, and where the other source cannot be made."""
        super().check(target, topology)
        try:
            found = self.other_source.find(target.folder)
            if self.patch is not None:
                check_mutant(target.folder, found)
        except UsageError as problem:
            raise ValueError(str(problem)) from problem

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack, variant = scene.stack, Variant(source=self.other_source.name)
        nodes, folder = whom(stack.topology, self.nodes), stack.source_dir(variant)

        def missing(pid: int) -> str:
            there = processes.working_folder(pid)
            return (
                ""
                if there == folder
                else f"(pid {pid}) works in {there or 'an unknown place'}, not in {folder}"
            )

        with running_otherwise(stack, nodes, variant, self.signal, self.grace_ms, missing) as in_force:
            yield in_force


FAULT = Deploy
