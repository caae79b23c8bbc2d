"""How a Toxiproxy server is started: its command line and its file of edges (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from paydrill.backends import Address


def config(edges: Mapping[str, tuple[Address, Address]], *, enabled: bool = True) -> bytes:
    """The file of edges, name -> (listen, upstream): the edges exist as soon as the server does.

    enabled: whether they listen from then on, all of them or none.
    """
    proxies = [
        {"name": name, "listen": str(listen), "upstream": str(upstream), "enabled": enabled}
        for name, (listen, upstream) in sorted(edges.items())
    ]
    return json.dumps(proxies, indent=1).encode()


def argv(program: str, host: str, port: int, config_path: str) -> list[str]:
    """The server's command, with byte counters on `/metrics` (witnesses and guards read them)."""
    return [program, "-host", host, "-port", str(port), "-config", config_path, "-proxy-metrics"]
