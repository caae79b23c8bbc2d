"""The real foreign programs of a drill, and how each is had: one file a part.

`find()` of a part looks at places on this machine only and is quick; `obtain()` may download or
build. Neither ever replaces a real part by an imitation.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Part:
    """A program found on this machine. `path` is the program, or its folder of programs.

    `source` says which step of the chain found it: `environment`, `path`, `cache`, `wheel`, `system`, `built`.
    """

    name: str
    path: Path
    version: str
    source: str

    @property
    def sha256(self) -> str:
        """Of the program itself; for PostgreSQL of the `postgres` program in the folder."""
        program = self.path / "postgres" if self.path.is_dir() else self.path
        return _sha256(program, program.stat().st_mtime_ns)

    def as_json(self) -> Mapping[str, str]:
        """As it stands in run.json."""
        return {"version": self.version, "path": str(self.path), "source": self.source, "sha256": self.sha256}


@lru_cache
def _sha256(program: Path, mtime_ns: int) -> str:
    with program.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where downloaded and built things are kept: PAYDRILL_CACHE, else the user's cache folder."""
    chosen = os.environ.get("PAYDRILL_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paydrill"
