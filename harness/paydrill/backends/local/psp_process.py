"""The PSP simulator of a local drill: a process of the harness with a user and a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import paydrill
from paydrill.backends import NodePlan, StackSetup
from paydrill.backends.local.layout import CONTROL_SOCKET, Layout
from paydrill.backends.local.spawn import Order, execute
from paydrill.psp.control import PspControl
from paydrill.topology import Node

HEALTH = "/healthz"


class PspProcess:
    """Its journal and control socket are in `<run>/psp/`, which no other user may enter."""

    def __init__(self, setup: StackSetup, layout: Layout, node: Node, wishes: NodePlan | None) -> None:
        self._setup = setup
        self._layout = layout
        self.node = node
        self._wishes = wishes.argv if wishes else ()

    def start(self) -> subprocess.Popen[bytes]:
        folder, uid = self._layout.psp, self._layout.uid(self.node)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
        if uid is not None:
            os.chown(folder, uid, uid)
        listen, secrets = self._layout.listen(self.node), self._setup.secrets
        argv = (
            *("-m", "paydrill.psp", "--host", listen.host, "--port", str(listen.port)),
            *("--journal", str(folder / "journal.jsonl"), "--control", str(self._socket)),
            *("--seed", str(self._setup.seed), "--behaviour", json.dumps(dict(self._setup.psp_behaviour))),
            *("--api-key", secrets.psp_api_key, "--webhook-secret", secrets.webhook_secret),
            *self._wishes,
        )
        env = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
        env["PYTHONPATH"] = str(Path(paydrill.__file__).parents[1])
        order = Order(argv, env, str(folder), str(self._layout.log("psp")), uid)
        return execute(sys.executable, order)

    def control(self) -> PspControl:
        """A connection to its control; the simulator must be healthy."""
        return PspControl(self._socket)

    @property
    def _socket(self) -> Path:
        return self._layout.psp / CONTROL_SOCKET
