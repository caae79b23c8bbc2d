"""The PSP simulator of a docker drill: on the harness's image; journal and control socket in the run folder.

Only its own container mounts that folder, so no node of the target can reach the control.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paydrill.backends import NodePlan, StackSetup
from paydrill.backends.docker.addressing import PSP_FOLDER
from paydrill.backends.docker.blueprints import Drafter
from paydrill.backends.docker.container import Blueprint
from paydrill.backends.nodes import base_env, psp_plan
from paydrill.run_folder import RunFolder
from paydrill.topology import PSP, Node

CONTROL_SOCKET = "control.sock"


@dataclass(frozen=True)
class PspContainer:
    """blueprint: its container; folder: on this machine, with journal and control socket."""

    blueprint: Blueprint
    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / CONTROL_SOCKET

    def give_back(self) -> None:
        """When it is gone: the folder's files are ours again, and no dead socket stays."""
        self.socket.unlink(missing_ok=True)
        if os.getuid() == 0:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, 0, 0)


def draft(setup: StackSetup, plans: Sequence[NodePlan], drafter: Drafter) -> PspContainer:
    """Raises UnknownPlace where the topology has no PSP."""
    node = setup.topology.node(PSP)
    journal = RunFolder(setup.run_dir.resolve()).psp_journal
    journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    drafter.files.user.give(journal.parent)
    wishes = psp_plan(tuple(plans))
    env = wishes.env if wishes else base_env(PSP_FOLDER)
    argv = [*_argv(setup, drafter, node, journal.name), *(wishes.argv if wishes else ())]
    return PspContainer(drafter.psp(node, argv, env, journal.parent), journal.parent)


def _argv(setup: StackSetup, drafter: Drafter, node: Node, journal: str) -> list[str]:
    """What the harness decides; the target's wishes (`--webhook-url …`) follow."""
    listen = drafter.addresses.listen(node)
    return [
        *("-m", "paydrill.psp", "--host", listen.host, "--port", str(listen.port)),
        *("--journal", f"{PSP_FOLDER}/{journal}", "--control", f"{PSP_FOLDER}/{CONTROL_SOCKET}"),
        *("--seed", str(setup.seed), "--behaviour", json.dumps(dict(setup.psp_behaviour))),
        *("--api-key", setup.secrets.psp_api_key, "--webhook-secret", setup.secrets.webhook_secret),
    ]
