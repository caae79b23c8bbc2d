"""The Docker engine: one client a thread, and whether it answers at all."""

from __future__ import annotations

import threading

import docker
from docker.errors import DockerException

from paydrill.errors import EnvironmentNotReady

ANSWER_TIMEOUT_S = 60
START_IT = "start it (on a Debian machine, as root: .ci/docker-engine.sh), or use --backend local"

_of_thread = threading.local()


def client() -> docker.DockerClient:
    """This thread's client; made on first use. Raises EnvironmentNotReady when no engine answers."""
    found: docker.DockerClient | None = getattr(_of_thread, "client", None)
    if found is None:
        found = connect()
        _of_thread.client = found
    return found


def connect(timeout_s: int = ANSWER_TIMEOUT_S) -> docker.DockerClient:
    """A client of its own. Raises EnvironmentNotReady when no engine answers."""
    try:
        return docker.from_env(timeout=timeout_s, version="auto")
    except DockerException as problem:
        raise EnvironmentNotReady(f"no Docker engine answers ({_shortly(problem)}): {START_IT}") from problem


def forget() -> None:
    """Close this thread's client; needed in a forked child, which must not share its parent's sockets."""
    found: docker.DockerClient | None = getattr(_of_thread, "client", None)
    if found is not None:
        _of_thread.client = None
        found.close()


def missing() -> list[str]:
    """Why no engine can be used here; empty when one answers."""
    try:
        connect(timeout_s=5).close()
    except EnvironmentNotReady as problem:
        return [str(problem)]
    return []


def not_of_this_machine() -> list[str]:
    """Why an engine that answers is of no use: it must share this machine's files and network."""
    found = client()
    if not str(found.api.base_url).startswith("http+docker://"):
        return [
            f"the engine at {found.api.base_url} is not on this machine: unset DOCKER_HOST, or --backend local"
        ]
    system = str(found.info().get("OperatingSystem", ""))
    if "Docker Desktop" in system:
        return [f"{system} keeps containers in a virtual machine, out of our reach: use --backend local"]
    return []


def _shortly(problem: BaseException) -> str:
    """The innermost reason: the SDK wraps `No such file or directory` in four exceptions."""
    while (cause := problem.__cause__ or problem.__context__) is not None:
        problem = cause
    return str(problem) or type(problem).__name__
