"""Who is calling: bearer tokens `<role>.<name>.<mac>`, issued by whoever shares the caller secret.

The mac is the first 32 hexadecimal digits of HMAC-SHA256 over `<role>.<name>`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request

from services.answers import Refusal

Role = Literal["customer", "admin"]
_TOKEN = re.compile(r"Bearer ((customer|admin)\.([A-Za-z0-9_-]{1,64}))\.([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True)
class Caller:
    role: Role
    name: str

    @property
    def id(self) -> str:
        """Different for every caller of every role: the scope of idempotency keys."""
        return f"{self.role}:{self.name}"

    @property
    def customer(self) -> str | None:
        """Whose orders the caller may reach; None for everybody's."""
        return self.name if self.role == "customer" else None


class Access:
    """Checks tokens. Raises ValueError for an empty secret: everybody could sign with that."""

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError(
                "CALLER_SECRET is empty: expected the secret that callers' tokens are signed with"
            )
        self._secret = secret.encode()

    def caller_of(self, request: Request) -> Caller:
        """Raises Refusal 401."""
        found = _TOKEN.fullmatch(request.headers.get("authorization", ""))
        if found is None or not hmac.compare_digest(self._mac(found[1]), found[4]):
            raise Refusal(401, "unauthorised", "expected 'Authorization: Bearer <role>.<name>.<mac>'")
        return Caller("admin" if found[2] == "admin" else "customer", found[3])

    def _mac(self, subject: str) -> str:
        return hmac.new(self._secret, subject.encode(), hashlib.sha256).hexdigest()[:32]


def require(caller: Caller, roles: tuple[Role, ...]) -> None:
    """Raises Refusal 403."""
    if caller.role not in roles:
        raise Refusal(403, "forbidden", f"that is for {' or '.join(roles)} only")
