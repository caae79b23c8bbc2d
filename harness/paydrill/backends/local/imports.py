"""Which third-party modules a target imports: the fork server imports them beforehand."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_IMPORT = re.compile(r"^(?:from|import)\s+([A-Za-z_][\w.]*)", re.MULTILINE)

# Imported late by the library itself, when the server is already starting.
_LATE = {
    "uvicorn": (
        "uvloop",
        "httptools",
        "uvicorn.loops.auto",
        "uvicorn.lifespan.on",
        "uvicorn.protocols.http.httptools_impl",
        "uvicorn.middleware.proxy_headers",
    ),
}
MOST_FILES = 400


def third_party_imports(source: Path) -> list[str]:
    """Dotted names at the top level of the target's Python files, its own modules left out; sorted."""
    files = sorted(source.rglob("*.py"))[:MOST_FILES]
    own = {path.stem for path in files} | {p.name for p in source.rglob("*") if p.is_dir()}
    names: set[str] = set()
    for file in files:
        names.update(_IMPORT.findall(file.read_text(encoding="utf-8", errors="replace")))
    foreign = {
        name
        for name in names
        if name.split(".")[0] not in own and name.split(".")[0] not in sys.stdlib_module_names
    }
    late = {module for name in foreign for module in _LATE.get(name.split(".")[0], ())}
    return sorted(foreign - {"paydrill"}) + sorted(late)
