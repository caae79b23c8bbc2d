"""A request that an operator of the target makes, sent through the entrance like everybody's."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from paydrill.backends import Stack
from paydrill.backends.http_connection import http_connection
from paydrill.callers import bearer
from paydrill.errors import FaultNotApplied
from paydrill.target import Answered, Request

OPERATOR = "drill"
ONE_TRY_S = 1.5
PAUSE_S = 0.05


@dataclass(frozen=True)
class Said:
    """An answer. `document` is its JSON body, None for any other."""

    status: int
    document: object

    def fits(self, wanted: Answered) -> bool:
        if self.status != wanted.status:
            return False
        return wanted.code is None or _at(self.document, wanted.at.split(".")) == wanted.code

    def __str__(self) -> str:
        code = _at(self.document, ["error", "code"])
        return f"{self.status} {code}" if code else str(self.status)


@dataclass(frozen=True)
class Asked:
    """One request with its own key, so that asking again asks for the same."""

    stack: Stack
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None

    @staticmethod
    def of(stack: Stack, request: Request) -> Asked:
        """Its templates filled in. Raises FaultNotApplied for what they cannot have."""
        secret = stack.setup.secrets.caller_secret
        names = {
            "operator": SimpleNamespace(id=OPERATOR, bearer=bearer(secret, "admin", OPERATOR)),
            "op": SimpleNamespace(key=str(uuid.uuid4())),
        }
        try:
            body = None if request.body is None else json.dumps(_filled(request.body, names)).encode()
            headers = {name: str(_filled(text, names)) for name, text in request.headers.items()}
            path = str(_filled(request.path, names))
        except TemplateError as problem:
            raise FaultNotApplied(
                f"operators.{request.kind}: {problem} (templates see: operator.bearer, operator.id, op.key)"
            ) from problem
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        return Asked(stack, request.method, path, headers, body)

    def once(self, patience_s: float = ONE_TRY_S) -> Said:
        """Raises OSError or HTTPException when nobody answers."""
        entrance = self.stack.topology.entrance()
        ca_file = self.stack.setup.ca_of(self.stack.topology.node(entrance.server))
        connection = http_connection(self.stack.dial(entrance), ca_file, patience_s)
        with contextlib.closing(connection):
            connection.request(self.method, self.path, self.body, dict(self.headers))
            answer = connection.getresponse()
            return Said(answer.status, _json(answer.read()))

    def until_answered(self, good: Sequence[int] | None, within_s: float) -> Said:
        """Again while it is answered otherwise (`good` None: any answer will do) or not at all. Raises FaultNotApplied with what was seen last."""
        give_up = time.monotonic() + within_s
        while True:
            try:
                said = self.once(max(0.2, min(ONE_TRY_S, give_up - time.monotonic())))
                if good is None or said.status in good:
                    return said
                seen = f"was answered {said}"
            except (OSError, http.client.HTTPException) as problem:
                seen = f"was not answered: {problem!r}"
            if time.monotonic() > give_up:
                raise FaultNotApplied(f"{self.method} {self.path} {seen}, tried for {within_s:g} s")
            time.sleep(PAUSE_S)


def _filled(value: object, names: Mapping[str, object]) -> object:
    if isinstance(value, str):
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
        return environment.from_string(value).render(names)
    if isinstance(value, Mapping):
        return {key: _filled(one, names) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(one, names) for one in value]
    return value


def _json(body: bytes) -> object:
    with contextlib.suppress(ValueError):
        document: object = json.loads(body)
        return document
    return None


def _at(document: object, way: Sequence[str]) -> object:
    for name in way:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document
