"""A PSP simulator of a docker drill: on the harness's image; journal and control socket in the run folder.

Only its own container mounts that folder, so no node of the target can reach the control.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paydrill.backends import NodePlan, StackSetup
from paydrill.backends.docker.addressing import PSP_FOLDER
from paydrill.backends.docker.blueprints import Drafter
from paydrill.backends.docker.container import Blueprint
from paydrill.backends.nodes import base_env
from paydrill.backends.psp_command import CONTROL_SOCKET, psp_argv, put_ca, wishes_for
from paydrill.backends.tls import Tls
from paydrill.psp.control import PspControl
from paydrill.run_folder import RunFolder
from paydrill.topology import Node


@dataclass(frozen=True)
class PspContainer:
    """blueprint: its container; folder: on this machine, with journal and control socket."""

    node: Node
    blueprint: Blueprint
    folder: Path

    def control(self) -> PspControl:
        return PspControl(self.folder / CONTROL_SOCKET, name=self.node.name)

    def give_back(self) -> None:
        """When it is gone: the folder's files are ours again, and no dead socket stays."""
        (self.folder / CONTROL_SOCKET).unlink(missing_ok=True)
        if os.getuid() == 0:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, 0, 0)


def draft(
    setup: StackSetup, node: Node, plans: Sequence[NodePlan], drafter: Drafter, tls: Tls | None
) -> PspContainer:
    folder = RunFolder(setup.run_dir.resolve()).psp_folder(node.name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    put_ca(tls, folder)
    drafter.files.user.give(folder)
    wishes = wishes_for(node, plans)
    env = wishes.env if wishes else base_env(PSP_FOLDER)
    argv = psp_argv(setup, drafter.addresses, node, PSP_FOLDER, wishes)
    return PspContainer(node, drafter.psp(node, argv, env, folder), folder)
