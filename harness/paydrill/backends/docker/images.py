"""The two images of a drill, built when they are not there: the harness's own parts, and the target's.

They are apart so that nothing that a target brings can touch the judge.
"""

from __future__ import annotations

import fcntl
import io
import os
import platform
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from docker.errors import APIError, BuildError, ImageNotFound

from paydrill.backends.docker import base_image, engine, wheels
from paydrill.backends.docker.image_recipe import PACKAGES_OF_ALL, PACKAGES_OF_RUNTIME, Recipe
from paydrill.errors import EnvironmentNotReady
from paydrill.parts import Part, cache_folder, toxiproxy
from paydrill.target import Target

Say = Callable[[str], None]
PSP_REQUIREMENTS = ("aiohttp", "orjson", "uvloop")
TOXIPROXY_PROGRAM = "toxiproxy-server"


@dataclass(frozen=True)
class Images:
    """References, `repository:tag`."""

    harness: str
    target: str


def obtain(target: Target, say: Say) -> Images:
    """Both images, built where they are not there yet. Raises EnvironmentNotReady."""
    program = toxiproxy.obtain(say)
    return Images(
        harness=_obtain(harness_recipe(program), {TOXIPROXY_PROGRAM: program.path}, say),
        target=_obtain(target_recipe(target), {}, say),
    )


def find(target: Target) -> Images | None:
    """Both images when nothing needs to be built, else None."""
    recipes = harness_recipe(toxiproxy.find()), target_recipe(target)
    references = [recipe.reference(_flavour()) for recipe in recipes]
    return Images(*references) if all(base_image.is_here(name) for name in references) else None


def harness_recipe(program: Part) -> Recipe:
    """The PSP simulator's libraries and Toxiproxy."""
    return Recipe(
        name="harness",
        packages=(),
        requirements=PSP_REQUIREMENTS,
        pins=wheels.versions_here(PSP_REQUIREMENTS, base_image.SUITE_PYTHON),
        programs={TOXIPROXY_PROGRAM: program.sha256},
    )


def target_recipe(target: Target) -> Recipe:
    """Whatever the target's runtimes and its requirements file need."""
    requirements: tuple[str, ...] = ()
    if target.requirements:
        requirements = wheels.read_requirements(target.folder / target.requirements)
    runtimes = sorted({service.runtime for service in target.services.values()})
    return Recipe(
        name=f"target-{target.name}".lower(),
        packages=(
            *PACKAGES_OF_ALL,
            *(name for runtime in runtimes for name in PACKAGES_OF_RUNTIME.get(runtime, ())),
        ),
        requirements=requirements,
        pins=wheels.versions_here(requirements, base_image.SUITE_PYTHON),
    )


def _flavour() -> str:
    return os.environ.get("PAYDRILL_BASE_IMAGE") or base_image.SUITE


def _obtain(recipe: Recipe, programs: dict[str, Path], say: Say) -> str:
    reference = recipe.reference(_flavour())
    if base_image.is_here(reference):
        return reference
    with _one_builder():
        if not base_image.is_here(reference):
            _build(recipe, reference, programs, say)
    return reference


@contextmanager
def _one_builder() -> Iterator[None]:
    """Two drills that start together build once."""
    folder = cache_folder() / "docker"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(recipe: Recipe, reference: str, programs: dict[str, Path], say: Say) -> None:
    base = base_image.obtain(say)
    with tempfile.TemporaryDirectory(prefix="paydrill-image-") as scratch:
        site = Path(scratch) / "site"
        if recipe.requirements:
            machine = platform.machine()
            wheels.install(recipe.requirements, site, base_image.SUITE_PYTHON, machine, say)
        context = _context(recipe.dockerfile(base), site, programs)
    say(f"building {reference}")
    _send(context, reference, say)


def _context(dockerfile: str, site: Path, programs: dict[str, Path]) -> bytes:
    """The build context as a tar; owners and times are levelled, so that the engine's cache can be used."""

    def level(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return member

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        head = level(tarfile.TarInfo("Dockerfile"))
        head.size = len(dockerfile.encode())
        tar.addfile(head, io.BytesIO(dockerfile.encode()))
        if site.is_dir():
            tar.add(site, "site", filter=level)
        for name, path in programs.items():
            tar.add(path.resolve(), name, filter=level)
    return buffer.getvalue()


def _send(context: bytes, reference: str, say: Say) -> None:
    """Build with the classic builder. Raises EnvironmentNotReady with the end of its output."""
    said: list[str] = []
    try:
        for line in engine.connect(timeout_s=900).api.build(
            fileobj=io.BytesIO(context),
            custom_context=True,
            tag=reference,
            rm=True,
            forcerm=True,
            decode=True,
        ):
            said.append(str(line.get("stream") or line.get("error") or ""))
            if said[-1].startswith("Step "):
                say(said[-1].strip()[:100])
            if "error" in line:
                raise EnvironmentNotReady(f"building {reference} failed: {''.join(said)[-800:].strip()}")
    except (APIError, BuildError) as problem:
        raise EnvironmentNotReady(f"building {reference} failed: {problem}") from problem


def image_id(reference: str) -> str:
    """`sha256:…`, or `absent`."""
    try:
        return str(engine.client().images.get(reference).id)
    except ImageNotFound:
        return "absent"
