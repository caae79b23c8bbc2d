"""A PSP simulator of a local drill: a process of the harness with a user and a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import paydrill
from paydrill.backends.local.site import Site
from paydrill.backends.local.spawn import Order, execute
from paydrill.backends.psp_command import CONTROL_SOCKET, psp_argv, put_ca, wishes_for
from paydrill.psp.control import PspControl
from paydrill.topology import Node


class PspProcess:
    """Its journal and control socket are in `<run>/<its name>/`, which no other user may enter."""

    def __init__(self, site: Site, node: Node) -> None:
        self._site = site
        self.node = node

    def start(self) -> subprocess.Popen[bytes]:
        setup, layout = self._site.setup, self._site.layout
        folder, uid = layout.psp_folder(self.node), layout.uid(self.node)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
        put_ca(self._site.tls, folder)
        if uid is not None:
            os.chown(folder, uid, uid)
        wishes = wishes_for(self.node, tuple(self._site.plans.values()))
        argv = psp_argv(setup, layout, self.node, str(folder), wishes)
        env = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
        env["PYTHONPATH"] = str(Path(paydrill.__file__).parents[1])
        return execute(sys.executable, Order(argv, env, str(folder), str(layout.log(self.node.name)), uid))

    def control(self) -> PspControl:
        """A connection to its control; the simulator must be healthy."""
        return PspControl(self._site.layout.psp_folder(self.node) / CONTROL_SOCKET, name=self.node.name)
