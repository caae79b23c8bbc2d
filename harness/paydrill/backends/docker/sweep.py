"""Removing what a run left in the engine and in the temporary folder, by label; safe to do twice."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import docker
from docker.errors import APIError, NotFound

from paydrill.backends.docker import disks, engine, labels, owner, parallel
from paydrill.backends.docker.run_files import PREFIX, remove_folder
from paydrill.errors import EnvironmentNotReady

# A call that a killed harness had sent is still carried out by the engine: what it makes must be seen too.
QUIET_S = 0.8
GIVE_UP_S = 8.0


def sweep(run_id: str | None = None) -> list[str]:
    """Remove everything of that run, or (None) of every run whose harness is dead; names what was removed.

    Raises EnvironmentNotReady when no engine answers, or something cannot be removed.
    """
    client = engine.connect()
    try:
        runs = [run_id] if run_id is not None else sorted(_dead_runs(client))
        return [name for run in runs for name in _sweep_run(client, run)]
    finally:
        client.close()


def dead_runs() -> list[str]:
    """Runs that left something here and whose harness is gone."""
    return sorted(_dead_runs(engine.client()))


def _sweep_run(client: docker.DockerClient, run_id: str) -> list[str]:
    """Until nothing has been found for a while; at once where nothing was left at all."""
    removed: list[str] = []
    folders = _folders(run_id)
    thaw_disks(run_id)
    give_up = time.monotonic() + GIVE_UP_S
    quiet_since = time.monotonic()
    while True:
        found = _remove_objects(client, run_id)
        removed += found
        now = time.monotonic()
        if found:
            quiet_since = now
        elif now - quiet_since >= (QUIET_S if removed or folders else 0):
            break
        if now > give_up:
            raise EnvironmentNotReady(
                f"run {run_id}: {', '.join(found)} come again and again; try: paydrill clean"
            )
        time.sleep(0.05)
    for folder in folders:
        _release_disks(folder)
        remove_folder(folder)
    return removed + [str(folder) for folder in folders]


def thaw_disks(run_id: str) -> None:
    """Whoever waits for a frozen one could not be ended."""
    for folder in _folders(run_id):
        disks.thaw(folder)


def _release_disks(folder: Path) -> None:
    try:
        disks.release(folder)
    except OSError as problem:
        raise EnvironmentNotReady(f"disks of {folder} cannot be removed: {problem}") from problem


def _remove_objects(client: docker.DockerClient, run_id: str) -> list[str]:
    """Containers, then networks; the names of those that were there."""
    mark = {"label": f"{labels.RUN}={run_id}"}
    containers = client.api.containers(all=True, filters=mark)
    parallel.each(_remove_container, [str(one["Id"]) for one in containers])
    names = [one["Names"][0].lstrip("/") for one in containers]
    for one in client.api.networks(filters=mark):
        names.append(str(one["Name"]))
        _remove_network(client, str(one["Id"]))
    return names


def _remove_container(container_id: str) -> None:
    """By force: also a paused one. Somebody else's removing it at the same time (409) is as good."""
    try:
        engine.client().api.remove_container(container_id, force=True, v=True)
    except NotFound:
        return
    except APIError as problem:
        if problem.status_code != 409:
            raise


def _remove_network(client: docker.DockerClient, network_id: str) -> None:
    """Where a container was started in it meanwhile (403), the next round removes that first."""
    try:
        client.api.remove_network(network_id)
    except NotFound:
        return
    except APIError as problem:
        if problem.status_code != 403:
            raise


def _dead_runs(client: docker.DockerClient) -> set[str]:
    """By the owner's label; an object without one has nobody."""
    mark = {"label": labels.RUN}
    marked = [*client.api.containers(all=True, filters=mark), *client.api.networks(filters=mark)]
    marks = [one["Labels"] for one in marked]
    dead = {has[labels.RUN] for has in marks if not owner.is_alive(has.get(labels.OWNER, ""))}
    return dead | _dead_folders()


def _folders(run_id: str) -> list[Path]:
    return sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}{run_id}-*"))


def _dead_folders() -> set[str]:
    """Runs of which a folder is left: it names its owner in a file."""
    dead = set()
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        mark = folder / "owner"
        if mark.is_file() and not owner.is_alive(mark.read_text(encoding="ascii").strip()):
            dead.add(folder.name.removeprefix(PREFIX).rpartition("-")[0])
    return dead
