"""HTTP to a Toxiproxy server, in place of toxiproxy-python's own transport.

The package's transport has no time-out, does not look at 5xx, obeys HTTP_PROXY even for loopback,
opens a connection a call and cannot PATCH. This one keeps one connection, bounds every call and
turns every refusal into `ToxiproxyError` with the server's words.
"""

from __future__ import annotations

import http.client
import json as json_codec
from dataclasses import dataclass
from typing import Any

from paydrill.backends import Address
from paydrill.errors import PaydrillError


class ToxiproxyError(PaydrillError):
    """The server refused a call, or did not answer. `status` is None where it did not answer."""

    exit_code = 3

    def __init__(self, call: str, status: int | None, words: str) -> None:
        self.status = status
        super().__init__(f"Toxiproxy {call}: {status or 'no answer'}: {words.strip()}")


@dataclass(frozen=True)
class Answer:
    """What toxiproxy-python expects of an answer."""

    status_code: int
    content: bytes

    def json(self) -> Any:
        return json_codec.loads(self.content)


class Transport:
    """One keep-alive connection; used from one thread."""

    def __init__(self, address: Address, timeout_s: float = 3.0) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def get(self, url: str) -> Answer:
        return self._call("GET", url, None)

    def post(self, url: str, json: object = None) -> Answer:
        return self._call("POST", url, json)

    def patch(self, url: str, json: object) -> Answer:
        return self._call("PATCH", url, json)

    def delete(self, url: str) -> Answer:
        return self._call("DELETE", url, None)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _call(self, method: str, url: str, body: object) -> Answer:
        call = f"{method} {url}"
        try:
            answer = self._send(method, url.replace(">", "%3E"), body)
        except (OSError, http.client.HTTPException) as problem:
            self.close()
            waited = isinstance(problem, TimeoutError)
            why = f"waited {self._timeout_s:g} s" if waited else repr(problem)
            raise ToxiproxyError(call, None, f"{why} at {self._address}") from problem
        if answer.status_code >= 400:
            raise ToxiproxyError(call, answer.status_code, answer.content.decode(errors="replace"))
        return answer

    def _send(self, method: str, url: str, body: object) -> Answer:
        payload = None if body is None else json_codec.dumps(body)
        for is_last_try in (False, True):
            connection = self._connection or http.client.HTTPConnection(
                self._address.host, self._address.port, timeout=self._timeout_s
            )
            self._connection = connection
            try:
                connection.request(method, url, payload, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                return Answer(answer.status, answer.read())
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # The server closed the kept connection between two calls: once more on a new one.
                self.close()
                if is_last_try:
                    raise
        raise AssertionError("unreachable")
