"""The image that all others begin with: Debian bookworm, pulled, or made here from Debian packages.

Order: PAYDRILL_BASE_IMAGE → one that was made here before → `debian:bookworm-slim` in the engine →
pulled from the engine's registry → made here by mmdebstrap, which takes about 20 s.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress

from docker.errors import APIError, DockerException, ImageNotFound

from paydrill.backends.docker import apt_sources, engine, labels
from paydrill.errors import EnvironmentNotReady

SUITE = "bookworm"
SUITE_PYTHON = "3.11"
SUITE_POSTGRESQL = "15"
PUBLIC = "debian:bookworm-slim"
INSTALL = "apt-get install mmdebstrap"

Say = Callable[[str], None]


def own_reference() -> str:
    """The name of the base that is made here; it changes with this machine's package sources."""
    recipe = "\n".join([SUITE, apt_sources.sources_of(SUITE), *apt_sources.options()])
    return f"paydrill/base:{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def find() -> str | None:
    """The base that needs no work, or None."""
    if chosen := os.environ.get("PAYDRILL_BASE_IMAGE"):
        if not is_here(chosen):
            raise EnvironmentNotReady(
                f"PAYDRILL_BASE_IMAGE={chosen} is not in the engine: docker pull {chosen}"
            )
        return chosen
    return next((name for name in (own_reference(), PUBLIC) if is_here(name)), None)


def obtain(say: Say) -> str:
    """A base, by the quickest way that works. Raises EnvironmentNotReady."""
    if found := find():
        return found
    return PUBLIC if _pull(say) else build_base(say)


def missing() -> list[str]:
    """Why no base could be had here; empty when one is there or can be made."""
    try:
        if find() or shutil.which("mmdebstrap"):
            return []
    except EnvironmentNotReady as problem:
        return [str(problem)]
    return [] if _registry_answers() else [f"there is no {PUBLIC}, and no mmdebstrap to make one: {INSTALL}"]


def build_base(say: Say) -> str:
    """Make the base from Debian packages; returns its name. Raises EnvironmentNotReady."""
    if not shutil.which("mmdebstrap"):
        raise EnvironmentNotReady(
            f"{PUBLIC} cannot be pulled, and there is no mmdebstrap to make it: {INSTALL}"
        )
    reference = own_reference()
    say(f"making {reference} from Debian packages, about 20 s")
    with tempfile.TemporaryDirectory(prefix="paydrill-base-") as scratch:
        _import(_argv(scratch), reference, os.path.join(scratch, "mmdebstrap.log"))
    say(f"made {reference}")
    return reference


def is_here(reference: str) -> bool:
    try:
        engine.client().images.get(reference)
    except ImageNotFound:
        return False
    return True


def _registry_answers() -> bool:
    try:
        engine.client().images.get_registry_data(PUBLIC)
    except (DockerException, OSError):
        return False
    return True


def _pull(say: Say) -> bool:
    """True when the registry gave it. Where there is none, the answer comes at once."""
    say(f"pulling {PUBLIC}")
    name, _, tag = PUBLIC.partition(":")
    try:
        engine.client().images.pull(name, tag=tag)
    except (DockerException, OSError) as problem:
        say(f"{PUBLIC} cannot be pulled: {str(problem).splitlines()[0][:160]}")
        return False
    return True


def _argv(scratch: str) -> list[str]:
    sources = apt_sources.sources_of(SUITE)
    argv = ["mmdebstrap", "--variant=apt", "--quiet", "--format=tar"]
    argv += [f"--aptopt={option}" for option in apt_sources.options()]
    argv += [SUITE, "-"]
    if sources:
        path = os.path.join(scratch, "debian.sources")
        with open(path, "w", encoding="utf-8") as file:
            file.write(sources)
        argv.append(path)
    return argv


def _import(argv: list[str], reference: str, log: str) -> None:
    """Stream the root file system into the engine; nothing stays when it was cut short."""
    repository, _, tag = reference.partition(":")
    api = engine.client().api
    with (
        open(log, "wb") as errors,
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as maker,
    ):
        assert maker.stdout is not None
        api.import_image_from_stream(
            maker.stdout, repository=repository, tag=tag, changes=[f"LABEL {labels.IMAGE}=base"]
        )
        code = maker.wait()
    if code != 0:
        with suppress(APIError):
            engine.client().images.remove(reference, force=True)
        with open(log, encoding="utf-8", errors="replace") as errors_text:
            tail = errors_text.read()[-600:]
        raise EnvironmentNotReady(f"mmdebstrap ended with {code}; it said: {tail.strip() or 'nothing'}")
