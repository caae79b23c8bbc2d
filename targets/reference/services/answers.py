"""What a service says: answers that are kept under a key, and refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


def to_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True)
class Answer:
    """Status and body text of an executed request. `replayed`: it was kept from an earlier one."""

    status: int
    body: str
    replayed: bool = False

    @classmethod
    def of(cls, status: int, body: Mapping[str, object]) -> Answer:
        return cls(status, to_json(body))


class Refusal(Exception):
    """A definite no. `executed`: it is the request's result and is kept under its key.

    retry_after_s: when it is worth asking again, for what is refused only now
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        executed: bool = False,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.executed = executed
        self.retry_after_s = retry_after_s

    def answer(self) -> Answer:
        return Answer.of(self.status, {"error": {"code": self.code, "message": self.message}})


def invalid(message: str) -> Refusal:
    return Refusal(400, "invalid", message)


def state_conflict(message: str) -> Refusal:
    return Refusal(409, "state_conflict", message)


def not_found() -> Refusal:
    return Refusal(404, "not_found", "there is no such object of yours")
