"""One nft table: each node's user reaches the listeners of its own edges, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

from paydrill.errors import EnvironmentNotReady

SYSTEM_FOLDERS = "/usr/sbin:/sbin:/usr/bin:/bin"


def rules(allowed: Mapping[int, tuple[str, ...]], users: tuple[int, int]) -> str:
    """allowed: user id -> networks (such as `127.2.4.0/24`); users: first and last id that are fenced.

    What is refused is refused at once, and counted by the last rule.
    """
    lines = [
        f"meta skuid {uid} ip daddr {network} accept" for uid, nets in allowed.items() for network in nets
    ]
    first, last = users
    lines.append(f"meta skuid {first}-{last} counter reject with icmpx type port-unreachable")
    body = "\n".join(f"  {line}" for line in ["ct state established,related accept", *lines])
    # Newlines matter: nft 1.0.6 refuses two closing braces on one line.
    return (
        "table inet paydrill {\n chain out {\n  type filter hook output priority 0; policy accept;\n"
        f"{body}\n }}\n}}\n"
    )


def load(text: str) -> None:
    """Load a table into the network namespace of the caller. Raises OSError with nft's words."""
    nft = shutil.which("nft", path=SYSTEM_FOLDERS)
    if nft is None:
        raise FileNotFoundError("nft is not installed (apt-get install nftables)")
    done = subprocess.run([nft, "-f", "-"], input=text, text=True, capture_output=True, timeout=5)
    if done.returncode != 0:
        raise OSError(f"nft: {done.stderr.strip()[:300]}")


def require(text: str) -> None:
    """As `load`; a failure now, after the probe succeeded, stops the drill."""
    try:
        load(text)
    except OSError as problem:
        raise EnvironmentNotReady(f"the firewall of the drill could not be loaded: {problem}") from problem
