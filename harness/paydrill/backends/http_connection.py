"""A connection for HTTP to somebody's address, over TLS where an authority is named."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

from paydrill.backends import Address


def http_connection(
    address: Address, ca_file: Path | None, timeout_s: float | None = None
) -> http.client.HTTPConnection:
    """Not dialled yet. ca_file None: plain; timeout_s None: it waits for ever."""
    if ca_file is None:
        return http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
    trusted = ssl.create_default_context(cafile=ca_file)
    return http.client.HTTPSConnection(address.host, address.port, timeout=timeout_s, context=trusted)
