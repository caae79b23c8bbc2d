"""Python libraries for an image, resolved and unpacked on this machine.

Inside a build `pip` may not get through a TLS-inspecting proxy, and the image's Python is another one
than ours; so wheels for that Python are put into a folder here, which is copied into the image.
Libraries that are installed here too get the same version there, so that both backends run the same code.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from paydrill.errors import EnvironmentNotReady

Say = Callable[[str], None]
TIMEOUT_S = 600
MANYLINUX = ("manylinux2014", "manylinux_2_28")


def read_requirements(path: Path) -> tuple[str, ...]:
    """The requirements of a `requirements.txt`, a line each, without comments and options."""
    lines = (line.split(" #", 1)[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line and not line.startswith(("#", "-")))


def versions_here(requirements: Iterable[str], python: str) -> dict[str, str]:
    """Name -> version of the requirements and all they need, as far as they are installed here and fit."""
    found: dict[str, str] = {}
    waiting = [_parsed(text) for text in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            installed = importlib.metadata.distribution(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if not wanted.specifier.contains(installed.version, prereleases=True):
            continue
        found[key[0]] = installed.version
        waiting += _needs(installed.requires or (), wanted.extras, python)
    return dict(sorted(found.items()))


def install(requirements: Iterable[str], folder: Path, python: str, machine: str, say: Say) -> None:
    """Put the libraries for that Python and machine (`x86_64`) into `folder`. Raises EnvironmentNotReady."""
    wanted = list(requirements)
    pins = [f"{name}=={version}" for name, version in versions_here(wanted, python).items()]
    say(f"fetching {len(pins) or len(wanted)} libraries for Python {python}")
    if not (said := _run(_argv(wanted, pins, folder, python, machine))):
        return
    shutil.rmtree(folder, ignore_errors=True)
    say("the versions that are installed here are not to be had for the image; resolving anew")
    if said := _run(_argv(wanted, [], folder, python, machine)):
        raise EnvironmentNotReady(f"libraries for the image could not be fetched: {said}")


def _parsed(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as problem:
        raise EnvironmentNotReady(f"requirement {text!r} is none: {problem}") from problem


def _needs(requires: Iterable[str], extras: Iterable[str], python: str) -> list[Requirement]:
    """What a library needs in the image: Linux, that Python."""
    surroundings = {"python_version": python, "python_full_version": f"{python}.2", "sys_platform": "linux"}
    needed = []
    for requirement in map(Requirement, requires):
        marker = requirement.marker
        wanted_by = ["", *extras]
        if marker is None or any(marker.evaluate({**surroundings, "extra": extra}) for extra in wanted_by):
            needed.append(requirement)
    return needed


def _argv(wanted: list[str], pins: list[str], folder: Path, python: str, machine: str) -> list[str]:
    """pip of this interpreter, else uv, else any pip."""
    common = [*wanted, *pins, "--only-binary=:all:", "--target", str(folder), "--python-version", python]
    if importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip"]
    elif uv := shutil.which("uv"):
        return [uv, "pip", "install", "-q", "--python-platform", f"{machine}-manylinux_2_28", *common]
    elif other := shutil.which("pip3") or shutil.which("pip"):
        pip = [other]
    else:
        raise EnvironmentNotReady("neither pip nor uv was found; install one: apt-get install python3-pip")
    platforms = [f"--platform={kind}_{machine}" for kind in MANYLINUX] + ["--platform=any"]
    return [*pip, "install", "-q", "--no-compile", "--disable-pip-version-check", *platforms, *common]


def _run(argv: list[str]) -> str:
    """What went wrong; empty when nothing did."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return (
        ""
        if done.returncode == 0
        else f"{argv[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}"
    )


def as_text(versions: Mapping[str, str]) -> str:
    return "".join(f"{name}=={version}\n" for name, version in versions.items())
