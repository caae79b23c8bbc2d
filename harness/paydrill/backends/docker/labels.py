"""Names and labels of everything that paydrill makes in an engine, so that it can be found and removed."""

from __future__ import annotations

RUN = "io.paydrill.run"
NODE = "io.paydrill.node"
OWNER = "io.paydrill.owner"
FOLDER = "io.paydrill.folder"
IMAGE = "io.paydrill.image"
BASE = "io.paydrill.base"


def of_run(run_id: str, owner: str, folder: str) -> dict[str, str]:
    """Labels of every object of a run.

    owner: who holds the run, `<pid>:<start time>` (see `owner.py`); folder: its temporary folder.
    """
    return {RUN: run_id, OWNER: owner, FOLDER: folder}


def container_name(run_id: str, node: str) -> str:
    return f"paydrill-{run_id}-{node}"


def network_name(run_id: str) -> str:
    return f"paydrill-{run_id}"
