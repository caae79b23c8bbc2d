"""Which backend runs a drill: `docker` when an engine can, else `local`; one sentence says why.

A target that somebody else has started is attached to, and to nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paydrill.backends import Backend
from paydrill.errors import EnvironmentNotReady, UsageError
from paydrill.target import Target
from paydrill.topology import Topology


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


def choose_for(
    wanted: str, target: Target, topology: Topology, owned: str | None, say: Say = lambda line: None
) -> Choice:
    """As `choose`, for a target: an attached one has a backend of its own.

    owned: see attached/reach.py. Raises UsageError too, where the two do not fit.
    """
    if target.attached and wanted not in ("auto", "attached"):
        raise UsageError(
            f"--backend {wanted}: somebody else runs the target {target.name}, so there is nothing to start; "
            "leave the option out"
        )
    if target.attached is None and wanted != "attached":
        return choose(wanted, say)
    return Choice(_checked(_attached(target, topology, owned)), f"somebody else runs {target.name}")


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


def _attached(target: Target, topology: Topology, owned: str | None) -> Backend:
    from paydrill.backends.attached import AttachedBackend
    from paydrill.backends.attached.reach import reach_of

    reach = reach_of(target, topology, owned)
    assert target.attached is not None, "reach_of refuses all others"
    return AttachedBackend(target.attached, reach)
