"""How a PSP simulator is started, the same for both backends: only its folder and address differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from paydrill.backends import NodePlan, StackSetup
from paydrill.backends.nodes import Addressing
from paydrill.backends.tls import Tls
from paydrill.run_folder import JOURNAL
from paydrill.target import Health
from paydrill.topology import PSP, Node

HEALTH = Health(http="/healthz")
CONTROL_SOCKET = "control.sock"
CA_FILE = "ca.pem"


def psp_argv(
    setup: StackSetup, addressing: Addressing, node: Node, folder: str, wishes: NodePlan | None
) -> tuple[str, ...]:
    """Python's arguments. `folder`: as the PSP sees its own; the target's `wishes` come last."""
    listen, secrets = addressing.listen(node), setup.secrets
    return (
        *("-m", "paydrill.psp", "--name", node.name, "--host", listen.host, "--port", str(listen.port)),
        *("--journal", f"{folder}/{JOURNAL}", "--control", f"{folder}/{CONTROL_SOCKET}"),
        *("--seed", str(seed_of(setup, node)), "--behaviour", json.dumps(_behaviour(setup, node))),
        *("--api-key", secrets.psp_api_key, "--webhook-secret", secrets.webhook_secret),
        *(("--webhook-ca", f"{folder}/{CA_FILE}") if setup.topology.tls else ()),
        *(wishes.argv if wishes else ()),
    )


def seed_of(setup: StackSetup, node: Node) -> int:
    """The run's seed; the second PSP's own, drawn from it: a PSP's ids are hashes of its seed, and an id
    must not mean one payment here and another there."""
    if node.name == PSP:
        return setup.seed
    return int.from_bytes(hashlib.blake2b(f"{setup.seed}|{node.name}".encode(), digest_size=6).digest())


def _behaviour(setup: StackSetup, node: Node) -> dict[str, float]:
    """The plan's, which is about the first PSP; a second one behaves as its service's `command` says."""
    return dict(setup.psp_behaviour) if node.name == PSP else {}


def put_ca(tls: Tls | None, folder: Path) -> None:
    """Beside the PSP's journal, where it may read it."""
    if tls is not None:
        (folder / CA_FILE).write_text(tls.ca, encoding="ascii")


def wishes_for(node: Node, plans: Sequence[NodePlan]) -> NodePlan | None:
    """What the target asks of that PSP, where it does."""
    return next((plan for plan in plans if plan.node == node), None)
