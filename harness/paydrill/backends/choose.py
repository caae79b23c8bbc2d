"""Which backend runs a drill: `docker` when an engine can, else `local`; one sentence says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paydrill.backends import Backend
from paydrill.errors import EnvironmentNotReady


@dataclass(frozen=True)
class Choice:
    backend: Backend
    why: str


Say = Callable[[str], None]


def choose(wanted: str, say: Say = lambda line: None) -> Choice:
    """`wanted` is auto, docker or local; `say` is told of long work, such as building an image.

    Raises EnvironmentNotReady with what is missing.
    """
    if wanted == "local":
        return Choice(_checked(_local()), "local was asked for")
    if wanted == "docker":
        return Choice(_checked(_docker(say)), "docker was asked for")
    docker = _docker(say)
    if not (missing := docker.missing()):
        return Choice(docker, "a Docker engine answers")
    return Choice(_checked(_local()), f"no Docker: {missing[0]}")


def _checked(backend: Backend) -> Backend:
    if missing := backend.missing():
        raise EnvironmentNotReady(f"the {backend.name} backend cannot run here: " + "; ".join(missing))
    return backend


def _local() -> Backend:
    from paydrill.backends.local import LocalBackend

    return LocalBackend()


def _docker(say: Say) -> Backend:
    from paydrill.backends.docker import DockerBackend

    return DockerBackend(say)
