"""Who calls a target: bearer tokens that the harness issues and the target checks (pure).

`<role>.<name>.<mac>`, the mac being the first 32 hexadecimal digits of HMAC-SHA256 over
`<role>.<name>` with the run's caller secret. A target that has its own idea of callers needs none.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

Role = Literal["customer", "admin"]
_MAC_DIGITS = 32


def bearer(secret: str, role: Role, name: str) -> str:
    """The token of one caller. `name` has no dot in it."""
    subject = f"{role}.{name}"
    mac = hmac.new(secret.encode(), subject.encode(), hashlib.sha256).hexdigest()
    return f"{subject}.{mac[:_MAC_DIGITS]}"
