"""The foreign programs that a local drill runs, found before anything is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from paydrill.errors import EnvironmentNotReady
from paydrill.parts import Part, nginx, postgres, toxiproxy


@dataclass(frozen=True)
class LocalParts:
    """`postgres_bin` is where its programs are run from: a copy where the original cannot be read."""

    toxiproxy: Part
    postgres: Part
    nginx: Part
    postgres_bin: Path

    @staticmethod
    def find() -> LocalParts:
        """Raises EnvironmentNotReady for the first that is missing."""
        server = postgres.find()
        return LocalParts(toxiproxy.find(), server, nginx.find(), server.path)

    def with_postgres_in(self, folder: Path) -> LocalParts:
        return replace(self, postgres_bin=folder)

    def all(self) -> tuple[Part, ...]:
        return (self.toxiproxy, self.postgres, self.nginx)

    def versions(self) -> Mapping[str, str]:
        return {part.name: part.version for part in self.all()}


def missing() -> list[str]:
    """A sentence for each part that was not found; it says what installs it."""
    finders: tuple[Callable[[], Part], ...] = (toxiproxy.find, postgres.find, nginx.find)
    found = []
    for find in finders:
        try:
            find()
        except EnvironmentNotReady as problem:
            found.append(str(problem))
    return found
